//! The profile of a cluster's last `up`, for verbs that are later used without naming it, and for what it no longer asks for.

use std::io::{self, Write};
use std::path::Path;

use super::schema::{POD_SUBNET, SERVICE_SUBNET, VERSION, WORKERS};
use super::{Cni, Components, DockerNodes, Kubernetes, Profile, ProfileError, Provider, SshHosts, values};
use crate::file::{self, Readers};

impl Profile {
    /// The profile that [`Profile::keep`] wrote; none if it has written none.
    ///
    /// # Errors
    /// There is one that cannot be read or understood: what is in it is not known, which is not to say that it is nothing.
    pub fn kept(path: &Path) -> Result<Option<Profile>, ProfileError> {
        let failed = |source| ProfileError::Kept { path: path.to_owned(), source };
        match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.into())),
        }
    }

    /// Keeps the profile in a file: all of it, or what was kept before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, path: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self)?;
        file::replace(path, Readers::Owner, |file| file.write_all(&bytes))
    }

    /// A cluster of which nothing is known but its name: its containers carry it, so it can be looked at and removed.
    ///
    /// # Errors
    /// [`ProfileError::Name`] if no cluster can have that name.
    pub fn of_name(name: &str) -> Result<Profile, ProfileError> {
        let name = values::cluster_name(name)
            .map_err(|complaint| ProfileError::Name { message: complaint.message, hint: complaint.hint })?;
        // the defaults of the schema: a test reads them
        let subnet = |text: &str| text.parse().expect("defaults are subnets");
        Ok(Profile {
            name,
            kubernetes: Kubernetes {
                version: VERSION.to_owned(),
                pod_subnet: subnet(POD_SUBNET),
                service_subnet: subnet(SERVICE_SUBNET),
            },
            provider: Provider::Docker(DockerNodes {
                image: DockerNodes::default_image(VERSION),
                workers: WORKERS,
                api_port: None,
                keep_node_image: true,
            }),
            cni: Cni::Routed,
            components: Components::default(),
        })
    }
}

impl SshHosts {
    /// These hosts, and those of `former` that they no longer name: they are to leave.
    pub fn with_former(&self, former: Option<&Profile>) -> SshHosts {
        let mut all = self.clone();
        if let Some(Provider::Ssh(former)) = former.map(|profile| &profile.provider) {
            let gone = former.hosts.iter().filter(|host| self.hosts.iter().all(|known| known.name != host.name));
            all.hosts.extend(gone.cloned());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    #[test]
    fn a_name_alone_means_the_profile_of_all_defaults() {
        let bare = "{apiVersion: hearth.dev/v1alpha1, kind: ClusterProfile, metadata: {name: x}, spec: {provider: {docker: {}}}}";
        let loaded = load(&[Source::Stdin(bare.to_owned())], &[]).expect("valid");
        assert_eq!(Profile::of_name("x").expect("a name"), loaded);
        assert!(Profile::of_name("-x").is_err());
    }

    #[test]
    fn what_is_kept_is_read_back_and_hosts_that_left_are_known() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("profile.json");
        assert_eq!(Profile::kept(&path).expect("nothing to read"), None);
        let former = load(&[Source::File("profiles/homelab.yaml".into())], &[]).expect("valid");
        former.keep(&path).expect("writable");
        assert_eq!(Profile::kept(&path).expect("readable").as_ref(), Some(&former));
        std::fs::write(&path, "{").expect("writable");
        assert!(matches!(Profile::kept(&path), Err(ProfileError::Kept { .. })), "what cannot be told is not nothing");

        let Provider::Ssh(all) = &former.provider else { panic!("homelab is of hosts") };
        let fewer = SshHosts { hosts: all.hosts[..1].to_vec(), ..all.clone() };
        assert_eq!(fewer.with_former(Some(&former)).hosts, all.hosts);
        assert_eq!(fewer.with_former(None), fewer);
    }
}
