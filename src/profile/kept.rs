//! The profile of a cluster's last `up`, for verbs that are later used without naming it, and the hosts that it no longer asks for.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::resolve::resolve;
use super::{Host, Profile, ProfileError, values};
use crate::error::{Explain, Family};
use crate::file::{self, Readers};
use crate::input::{Layer, load_with};

/// Version of the file format. It is raised when older profiles can no longer be read.
const FORMAT: u32 = 1;

/// The record of what a cluster is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The profile of its last `up`.
    pub profile: Profile,
    /// Hosts that the profile no longer names but that were not released yet: they still belong to the cluster.
    pub leaving: Vec<Host>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    profile: &'a Profile,
    leaving: &'a [Host],
}

impl Kept {
    /// Reads what [`Profile::keep`] wrote; none if no `up` has got that far.
    ///
    /// # Errors
    /// The file exists but cannot be read: then it is not known what the cluster is made of, and nothing may be taken for
    /// absent.
    pub fn read(path: &Path) -> Result<Option<Kept>, KeptError> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|source| KeptError::Io { action: "read", path: path.to_owned(), source })?,
        };
        let content = |source| KeptError::Content { path: path.to_owned(), source };
        let value: Value = serde_json::from_slice(&bytes).map_err(content)?;
        let (profile, leaving) = match value.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(FORMAT) => (
                value.get("profile").cloned().unwrap_or_default(),
                value.get("leaving").cloned().unwrap_or_else(|| Value::Array(Vec::new())),
            ),
            Some(version) => return Err(KeptError::Version { path: path.to_owned(), version }),
            // before the format had versions, the file was the bare profile
            None => (value, Value::Array(Vec::new())),
        };
        let profile = serde_json::from_value(profile).map_err(content)?;
        Ok(Some(Kept { profile, leaving: serde_json::from_value(leaving).map_err(content)? }))
    }

    /// Every host that belongs to the cluster, or may; empty for containers.
    pub fn hosts(&self) -> Vec<Host> {
        self.profile.provider.hosts().iter().chain(&self.leaving).cloned().collect()
    }
}

impl Profile {
    /// The profile that [`Profile::keep`] wrote; none if no `up` has got that far.
    ///
    /// # Errors
    /// As for [`Kept::read`].
    pub fn kept(path: &Path) -> Result<Option<Profile>, KeptError> {
        Ok(Kept::read(path)?.map(|kept| kept.profile))
    }

    /// Stores the profile in a file, with hosts that it does not name but that still belong to the cluster. The file is
    /// replaced as a whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, path: &Path, leaving: &[Host]) -> Result<(), KeptError> {
        let bytes = serde_json::to_vec_pretty(&Written { version: FORMAT, profile: self, leaving });
        let bytes = bytes.map_err(|source| KeptError::Content { path: path.to_owned(), source })?;
        file::replace(path, Readers::Owner, |file| file.write_all(&bytes)).map_err(|source| KeptError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// A cluster about which only its name is known: its containers carry it, so it can be looked at and removed. All else is as
    /// in a profile that says nothing more.
    ///
    /// # Errors
    /// [`ProfileError::Name`] if no cluster can have that name.
    pub fn of_name(name: &str) -> Result<Profile, ProfileError> {
        let name = values::cluster_name(name)
            .map_err(|complaint| ProfileError::Name { message: complaint.message, hint: complaint.hint })?;
        let text = format!(
            "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {{name: '{name}'}}\nspec: {{provider: {{docker: {{}}}}}}"
        );
        // the name was checked, and everything else is constant; a test reads it
        Ok(load_with(&[Layer { name, text }], &[], resolve).expect("a profile of a name and defaults is valid"))
    }
}

/// The kept profile could not be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are named after what they hold")]
pub enum KeptError {
    /// The file exists but cannot be read, or cannot be written.
    #[error("cannot {action} {path}, which keeps what the cluster is made of", path = .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The file is truncated, or not a profile of this version.
    #[error("{path}, which keeps what the cluster is made of, cannot be understood", path = .path.display())]
    Content { path: PathBuf, source: serde_json::Error },
    /// The file has a format that this program does not know.
    #[error("{path} is of version {version}, written by a newer Hearth", path = .path.display())]
    Version { path: PathBuf, version: u64 },
}

impl Explain for KeptError {
    fn family(&self) -> Family {
        Family::Preflight
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            KeptError::Io { path, .. } => format!("check free space, owner and permissions of {}", path.display()),
            KeptError::Content { path, .. } => format!(
                "move {} away and name the profile with -f FILE; hosts that only this file lists are then yours to look at",
                path.display()
            ),
            KeptError::Version { .. } => "use the Hearth that wrote it".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Components, Provider, Source, SshHosts, load};

    #[test]
    fn a_name_alone_means_the_profile_of_all_defaults() {
        // YAML would take the first for a number
        for name in ["1.0", "a.b-c"] {
            let profile = Profile::of_name(name).expect("a name");
            assert_eq!((profile.name.as_str(), profile.components), (name, Components::default()));
            assert!(matches!(&profile.provider, Provider::Docker(nodes) if nodes.workers == 2), "{:?}", profile.provider);
        }
        for name in ["-x", "a'b", ""] {
            assert!(matches!(Profile::of_name(name), Err(ProfileError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_hosts_that_left_are_known() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("profile.json");
        assert_eq!(Profile::kept(&path).expect("absent is none"), None);
        let former = load(&[Source::File("profiles/homelab.yaml".into())], &[]).expect("valid");
        former.keep(&path, &[]).expect("writable");
        assert_eq!(Profile::kept(&path).expect("readable").as_ref(), Some(&former));
        let unversioned = serde_json::to_vec(&former).expect("plain data");
        std::fs::write(&path, unversioned).expect("writable");
        assert_eq!(Profile::kept(&path).expect("readable").as_ref(), Some(&former));
        for broken in ["", "{", "{}", "{\"version\": 2, \"profile\": {}}"] {
            std::fs::write(&path, broken).expect("writable");
            assert!(Profile::kept(&path).is_err(), "{broken}");
        }

        let Provider::Ssh(all) = &former.provider else { panic!("homelab is of hosts") };
        let fewer = SshHosts { hosts: all.hosts[..1].to_vec(), ..all.clone() };
        let gone = fewer.leaving(&all.hosts);
        assert_eq!(gone, all.hosts[1..]);
        assert_eq!(all.leaving(&all.hosts), []);
        // a profile without them is kept before they are released: they still belong to the cluster
        let fewer = Profile { provider: Provider::Ssh(fewer), ..former.clone() };
        fewer.keep(&path, &gone).expect("writable");
        let kept = Kept::read(&path).expect("readable").expect("kept");
        assert_eq!((&kept.profile, kept.hosts()), (&fewer, all.hosts.clone()));
    }
}
