//! Artifacts: pinned images and files, and the WAS image that Hearth packs out of its own binary.
//!
//! In: pins, and a bundle directory if there is one. Out: verified bytes and archives, from the bundle, the cache or the
//! network. Only the cache is touched. A run uses its [`Store`]; everything else here blocks: call it off the async threads.

pub mod bundle;
pub mod download;
pub mod oci;
pub mod pins;
pub mod programs;
pub mod reference;
pub mod store;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use bundle::Bundle;
pub use pins::{FilePin, ImagePin};
pub use store::Store;

use crate::error::{Explain, Family};
use crate::file::{self, Readers};

/// An image or file could not be obtained.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ArtifactError {
    /// The path given as a bundle is not a directory.
    #[error("bundle {path} is not a directory")]
    NoBundle { path: PathBuf },
    /// No archive of the bundle holds the image.
    #[error("bundle {path} has no image {reference}")]
    NoImage { path: PathBuf, reference: String },
    /// An archive of the bundle is not an image archive.
    #[error("{path} is not an image archive")]
    Archive {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The bytes differ from what was pinned.
    #[error("{from} has sha256 {actual}, expected {expected}")]
    Digest {
        /// The file or URL.
        from: String,
        /// The pinned sha256, in hexadecimal.
        expected: String,
        actual: String,
    },
    /// A download failed.
    #[error("cannot download {url}")]
    Download {
        url: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// What was attempted, a verb.
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The WAS image is packed from this program's own file, which cannot be found.
    #[error("cannot find the program file of hearth itself")]
    OwnProgram(#[source] std::io::Error),
    /// The download that should contain a program does not.
    #[error("{url} has no program {program}")]
    NoProgram { program: &'static str, url: String },
    /// Work was given up because the run ended.
    #[error("interrupted")]
    Interrupted,
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no place for the cache: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
}

impl Explain for ArtifactError {
    fn family(&self) -> Family {
        match self {
            ArtifactError::Interrupted => Family::Interrupted,
            ArtifactError::OwnProgram(_) => Family::Preflight,
            _ => Family::Artifact,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            ArtifactError::NoBundle { .. } => {
                "name a directory with images/, bin/ and manifests/ by --bundle DIR or HEARTH_BUNDLE".into()
            }
            ArtifactError::NoImage { reference, .. } => {
                format!(
                    "save it with `docker save {reference}` into the bundle's images/, or leave out --bundle and HEARTH_BUNDLE"
                )
            }
            ArtifactError::Archive { .. } => "replace it by an archive of `docker save`, or remove it from the bundle".into(),
            ArtifactError::Digest { .. } => "the file is damaged or of another version: replace it by the pinned one".into(),
            ArtifactError::Download { url, .. } => {
                let name = url.rsplit('/').next().unwrap_or_default();
                format!(
                    "check the network and HTTPS_PROXY, name a server that has it by HEARTH_MIRROR, or a bundle that has {name} in \
                     manifests/, or the program in bin/, by --bundle DIR or HEARTH_BUNDLE"
                )
            }
            ArtifactError::Io { .. } => "check the path's permissions and the free space".into(),
            ArtifactError::NoProgram { .. } => "name a directory with it in bin/ by --bundle DIR (HEARTH_BUNDLE)".into(),
            ArtifactError::OwnProgram(_) | ArtifactError::Interrupted => return None,
            ArtifactError::NoCache => "set XDG_CACHE_HOME to a directory that can be written".into(),
        })
    }
}

/// A pinned file's bytes: from the bundle, else the cache, else its URL. Verified each time.
pub fn file(pin: &FilePin, bundle: Option<&Bundle>) -> Result<Vec<u8>, ArtifactError> {
    file_with(pin, bundle, &cache_dir()?)
}

fn file_with(pin: &FilePin, bundle: Option<&Bundle>, cache: &Path) -> Result<Vec<u8>, ArtifactError> {
    if let Some(bytes) = bundle.map(|bundle| bundle.file(pin)).transpose()?.flatten() {
        return Ok(bytes);
    }
    download::cached(pin, cache)
}

/// True when a file need not be downloaded: the bundle or the cache has it.
pub fn is_at_hand(pin: &FilePin, bundle: Option<&Bundle>) -> bool {
    bundle.is_some_and(|bundle| matches!(bundle.file(pin), Ok(Some(_))))
        || cache_dir().is_ok_and(|cache| download::is_cached(pin, &cache))
}

/// Hearth's cache: `$XDG_CACHE_HOME/hearth`, else `~/.cache/hearth`.
pub fn cache_dir() -> Result<PathBuf, ArtifactError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache"))).ok_or(ArtifactError::NoCache)?;
    Ok(base.join("hearth"))
}

/// The sha256 of a file's content, in hexadecimal.
pub fn digest(path: &Path) -> Result<String, ArtifactError> {
    let failed = |source| ArtifactError::Io { action: "read", path: path.to_owned(), source };
    let mut hasher = Sha256::new();
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// A sha256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The first twelve digits of a sha256: enough for a tag.
pub fn short_digest(bytes: &[u8]) -> String {
    sha256(bytes)[..12].to_owned()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Refuses bytes that do not match the pin; `from` is where they came from.
fn verify(bytes: &[u8], expected: &str, from: impl FnOnce() -> String) -> Result<(), ArtifactError> {
    let actual = sha256(bytes);
    if actual == expected {
        return Ok(());
    }
    Err(ArtifactError::Digest { from: from(), expected: expected.to_owned(), actual })
}

/// Writes the digest of a cache file beside it, for later runs.
fn vouch(path: &Path, digest: &str) -> Result<(), ArtifactError> {
    write_whole(&path.with_added_extension("sha256"), |file| std::io::Write::write_all(file, digest.as_bytes()))
}

/// The digest that a cache file had when it was stored; none if that was not recorded.
fn vouched(path: &Path) -> Option<String> {
    std::fs::read_to_string(path.with_added_extension("sha256")).ok()
}

/// Writes a file so that others see all of it or nothing; missing folders are made.
fn write_whole(path: &Path, write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>) -> Result<(), ArtifactError> {
    let failed = |source| ArtifactError::Io { action: "write", path: path.to_owned(), source };
    file::replace(path, Readers::Everybody, write).map_err(failed)
}
