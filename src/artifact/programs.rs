//! Programs that hosts run, where no bundle has them: from the files that their projects publish. A release with a fixed
//! version is pinned by its digest, whichever server it comes from; Kubernetes' own programs, whose version the profile
//! chooses, are verified against the checksum published beside them. The cache records each program's digest, and returns a
//! program only while it still has that digest.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{ArtifactError, digest, download, sha256, vouch, vouched, write_whole};
use crate::file;

/// A file that a project publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Where it is published.
    pub url: String,
    /// What its bytes are verified against.
    proof: Proof,
    /// The programs in it. It is an archive if its name ends like one, else the file is the program.
    programs: Vec<&'static str>,
}

/// What a release's bytes are verified against.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Proof {
    /// Its sha256.
    Pinned(&'static str),
    /// Where its checksum is published: `sha256sum`'s lines, or the digest alone.
    Published(String),
}

/// The programs of one release: their names, where it is published, its sha256.
type Pinned = (&'static [&'static str], &'static str, &'static str);

const PINNED: [Pinned; 4] = [
    (
        &["containerd", "containerd-shim-runc-v2", "ctr"],
        "https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz",
        "9d68969855fbf676cdb8ed758e420fb048d61f984f61de3e53eddfebe484d168",
    ),
    (
        &["runc"],
        "https://github.com/opencontainers/runc/releases/download/v1.4.3/runc.amd64",
        "f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60",
    ),
    (
        &["ptp", "host-local", "portmap", "loopback"],
        "https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz",
        "b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303",
    ),
    (
        &["crictl"],
        "https://github.com/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl-v1.36.0-linux-amd64.tar.gz",
        "83855e114566a8a8c44c548d515670f51de3a5e1da8b2effb59870e2f10c25a3",
    ),
];

/// The release that contains a program: for Kubernetes' own, that of the cluster's version.
pub fn release(program: &'static str, kubernetes: &str) -> Release {
    match PINNED.iter().find(|(programs, ..)| programs.contains(&program)) {
        Some((programs, url, digest)) => {
            Release { url: (*url).to_owned(), proof: Proof::Pinned(digest), programs: programs.to_vec() }
        }
        None => {
            let url = format!("https://dl.k8s.io/release/{kubernetes}/bin/linux/amd64/{program}");
            Release { proof: Proof::Published(format!("{url}.sha256")), url, programs: vec![program] }
        }
    }
}

impl Release {
    fn place(&self, program: &str, cache: &Path) -> PathBuf {
        cache.join("programs").join(&sha256(self.url.as_bytes())[..16]).join(program)
    }

    /// A program of it, if the cache has it; not yet verified.
    pub fn cached(&self, program: &str, cache: &Path) -> Option<PathBuf> {
        Some(self.place(program, cache)).filter(|path| path.is_file() && vouched(path).is_some())
    }

    /// Downloads it, verifies it, and keeps its programs in the cache.
    ///
    /// # Errors
    /// It cannot be downloaded, or does not match its checksum; the cache then has nothing of it.
    pub fn fetch(&self, cache: &Path) -> Result<(), ArtifactError> {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        let expected = match &self.proof {
            Proof::Pinned(digest) => (*digest).to_owned(),
            Proof::Published(checksum) => listed(&download::text(checksum)?, name),
        };
        let folder = self.place("", cache);
        let failed = |source| ArtifactError::Io { action: "write", path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        // another run may be fetching the same release: each unpacks what it has verified itself
        let packed = tempfile::Builder::new().prefix(".release-").tempfile_in(&folder).map_err(failed)?.into_temp_path();
        let actual = download::save(&self.url, &packed)?;
        match expected == actual {
            true => self.unpack(&packed, cache),
            false => Err(ArtifactError::Digest { from: download::address(&self.url), expected, actual }),
        }
    }

    /// Puts the programs of a verified release into the cache, each with its digest beside it.
    fn unpack(&self, packed: &Path, cache: &Path) -> Result<(), ArtifactError> {
        let failed = |source| ArtifactError::Io { action: "unpack", path: packed.to_owned(), source };
        if !self.url.ends_with("gz") {
            return self.programs.iter().try_for_each(|program| {
                let path = self.place(program, cache);
                std::fs::rename(packed, &path).and_then(|()| file::sync_folder(&path)).map_err(failed)?;
                vouch(&path, &digest(&path)?)
            });
        }
        let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(packed).map_err(failed)?));
        for entry in archive.entries().map_err(failed)? {
            let mut entry = entry.map_err(failed)?;
            let path = entry.path().map_err(failed)?.into_owned();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if self.programs.contains(&name) {
                let path = self.place(name, cache);
                write_whole(&path, |file| std::io::copy(&mut entry.by_ref(), file).map(drop))?;
                vouch(&path, &digest(&path)?)?;
            }
        }
        Ok(())
    }
}

/// The digest of `name` in a list of checksums; a list of one need not name it. Empty if it is not listed.
fn listed(checksums: &str, name: &str) -> String {
    let mut lines = checksums.lines().map(|line| line.split_once(char::is_whitespace).unwrap_or((line, name)));
    let found = lines.find(|(_, file)| file.trim_start().trim_start_matches('*') == name);
    found.map(|(digest, _)| digest.to_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_their_releases() {
        let url = |program| release(program, "v1.36.4").url;
        assert_eq!(url("ctr"), url("containerd"));
        assert_eq!(url("kubelet"), "https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet");
    }

    /// A release with a fixed version is trusted by our pin, not by the server it comes from.
    #[test]
    fn what_has_a_fixed_version_is_pinned_in_the_source() {
        for (programs, _, digest) in PINNED {
            assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{programs:?}");
            assert_eq!(release(programs[0], "v1.36.4").proof, Proof::Pinned(digest));
        }
        let checksum = "https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet.sha256";
        assert_eq!(release("kubelet", "v1.36.4").proof, Proof::Published(checksum.into()));
    }

    #[test]
    fn programs_come_out_of_their_archive_with_a_note_of_what_they_are() {
        let (cache, folder) = (tempfile::tempdir().expect("scratch"), tempfile::tempdir().expect("scratch"));
        let packed = folder.path().join("release");
        let gz = flate2::write::GzEncoder::new(std::fs::File::create(&packed).expect("scratch"), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gz);
        for name in ["bin/ctr", "bin/containerd", "bin/containerd-stress", "bin/containerd-shim-runc-v2"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(name.len() as u64);
            archive.append_data(&mut header, name, name.as_bytes()).expect("written");
        }
        archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("written");
        let release = release("ctr", "v1.36.4");
        release.unpack(&packed, cache.path()).expect("unpacked");
        let ctr = release.cached("ctr", cache.path()).expect("there");
        assert_eq!((std::fs::read(&ctr).expect("there"), vouched(&ctr)), (b"bin/ctr".to_vec(), Some(sha256(b"bin/ctr"))));
        assert_eq!(release.cached("containerd-stress", cache.path()), None);
        // a program left by a power cut, or cached before digests were recorded
        std::fs::remove_file(ctr.with_added_extension("sha256")).expect("removed");
        assert_eq!(release.cached("ctr", cache.path()), None);
    }

    #[test]
    fn checksums_are_read_in_every_form_that_is_published() {
        let list = "0A  runc.386\n0b *runc.amd64\n0c  runc.arm64\n";
        assert_eq!(listed(list, "runc.amd64"), "0b");
        assert_eq!(listed(list, "runc.386"), "0a");
        assert_eq!(listed(list, "runc.riscv"), "");
        assert_eq!(listed("0d", "kubelet"), "0d");
        assert_eq!(listed("0d\n", "kubelet"), "0d");
    }
}
