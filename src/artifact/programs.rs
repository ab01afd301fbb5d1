//! Programs that hosts run, where no bundle has them: out of the files that their projects publish. A release is pinned by
//! version, and its bytes are held against the checksum that is published beside it; the cache keeps only what was.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{ArtifactError, download, sha256, write_whole};

/// A file that a project publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Where it is published.
    pub url: String,
    /// Where its checksum is: `sha256sum`'s lines, or the digest alone.
    pub checksum: String,
    /// The programs in it; an archive where its name ends like one, else the file is the program.
    programs: Vec<&'static str>,
}

/// Programs of one release: their names, the release's folder, file and file of checksums.
type Published = (&'static [&'static str], &'static str, &'static str, &'static str);

const PUBLISHED: [Published; 4] = [
    (
        &["containerd", "containerd-shim-runc-v2", "ctr"],
        "https://github.com/containerd/containerd/releases/download/v2.3.4",
        "containerd-2.3.4-linux-amd64.tar.gz",
        "containerd-2.3.4-linux-amd64.tar.gz.sha256sum",
    ),
    (&["runc"], "https://github.com/opencontainers/runc/releases/download/v1.4.3", "runc.amd64", "runc.sha256sum"),
    (
        &["ptp", "host-local", "portmap", "loopback"],
        "https://github.com/containernetworking/plugins/releases/download/v1.9.1",
        "cni-plugins-linux-amd64-v1.9.1.tgz",
        "cni-plugins-linux-amd64-v1.9.1.tgz.sha256",
    ),
    (
        &["crictl"],
        "https://github.com/kubernetes-sigs/cri-tools/releases/download/v1.36.0",
        "crictl-v1.36.0-linux-amd64.tar.gz",
        "crictl-v1.36.0-linux-amd64.tar.gz.sha256",
    ),
];

/// What a program is published in: Kubernetes' own have the cluster's version.
pub fn release(program: &'static str, kubernetes: &str) -> Release {
    match PUBLISHED.iter().find(|(programs, ..)| programs.contains(&program)) {
        Some((programs, folder, file, checksum)) => {
            Release { url: format!("{folder}/{file}"), checksum: format!("{folder}/{checksum}"), programs: programs.to_vec() }
        }
        None => {
            let url = format!("https://dl.k8s.io/release/{kubernetes}/bin/linux/amd64/{program}");
            Release { checksum: format!("{url}.sha256"), url, programs: vec![program] }
        }
    }
}

impl Release {
    /// Where the cache keeps a program of it.
    fn place(&self, program: &str, cache: &Path) -> PathBuf {
        cache.join("programs").join(&sha256(self.url.as_bytes())[..16]).join(program)
    }

    /// A program of it, if the cache has it.
    pub fn cached(&self, program: &str, cache: &Path) -> Option<PathBuf> {
        Some(self.place(program, cache)).filter(|path| path.is_file())
    }

    /// Downloads it, verifies it, and keeps its programs in the cache.
    ///
    /// # Errors
    /// It cannot be had, or is not what its checksum says; the cache then has nothing of it.
    pub fn fetch(&self, cache: &Path) -> Result<(), ArtifactError> {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        let expected = listed(&download::text(&self.checksum)?, name);
        let packed = self.place("release", cache);
        let actual = download::save(&self.url, &packed)?;
        let kept = match expected == actual {
            true => self.unpack(&packed, cache),
            false => Err(ArtifactError::Digest { from: download::address(&self.url), expected, actual }),
        };
        // a release that is its program has been moved away
        let _ = std::fs::remove_file(&packed);
        kept
    }

    fn unpack(&self, packed: &Path, cache: &Path) -> Result<(), ArtifactError> {
        let failed = |source| ArtifactError::Io { action: "unpack", path: packed.to_owned(), source };
        if !self.url.ends_with("gz") {
            return self
                .programs
                .iter()
                .try_for_each(|program| std::fs::rename(packed, self.place(program, cache)).map_err(failed));
        }
        let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(packed).map_err(failed)?));
        for entry in archive.entries().map_err(failed)? {
            let mut entry = entry.map_err(failed)?;
            let path = entry.path().map_err(failed)?.into_owned();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if self.programs.contains(&name) {
                write_whole(&self.place(name, cache), |file| std::io::copy(&mut entry.by_ref(), file).map(drop))?;
            }
        }
        Ok(())
    }
}

/// The digest of `name` in a list of checksums; a list of one need not name it. Empty if it is not there.
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
        assert!(release("runc", "v1.36.4").checksum.ends_with("/v1.4.3/runc.sha256sum"));
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
