//! A bundle: a directory of artifacts for machines without a registry. `images/` holds archives as `docker save`
//! writes them, under any name; `bin/` programs; `manifests/` files under their pinned names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reference::canonical;
use super::{ArtifactError, FilePin, verify};

/// Longest index or manifest read from an archive, in bytes.
const INDEX_LIMIT: u64 = 1 << 20;

/// A bundle directory.
#[derive(Debug, Clone)]
pub struct Bundle {
    root: PathBuf,
}

/// What is in a bundle's archives.
#[derive(Debug, Default)]
pub struct Contents {
    /// The archive that holds each image, by canonical reference.
    pub images: BTreeMap<String, PathBuf>,
    /// Archives that cannot be read, each with the reason.
    pub unreadable: Vec<ArtifactError>,
}

impl Bundle {
    /// The bundle in `root`, which must be a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ArtifactError> {
        let root = root.into();
        if root.is_dir() { Ok(Bundle { root }) } else { Err(ArtifactError::NoBundle { path: root }) }
    }

    /// The bundle's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The images in its archives. Only their tables of contents are read, seeking past the layers: about 0.1 ms an archive, so
    /// nothing is cached between runs. An unreadable archive does not hide the others.
    pub fn images(&self) -> Result<Contents, ArtifactError> {
        let mut contents = Contents::default();
        for path in archives(&self.root.join("images"))? {
            match references(&path) {
                Ok(references) => {
                    for reference in references {
                        contents.images.entry(canonical(&reference)).or_insert_with(|| path.clone());
                    }
                }
                Err(source) => contents.unreadable.push(ArtifactError::Archive { path, source }),
            }
        }
        Ok(contents)
    }

    /// The archive that holds an image; `reference` may be short, as in `nginx:1.26`.
    ///
    /// # Errors
    /// No archive holds it, or one that cannot be read may hold it.
    pub fn image(&self, reference: &str) -> Result<PathBuf, ArtifactError> {
        let Contents { mut images, unreadable } = self.images()?;
        let missing = || ArtifactError::NoImage { path: self.root.clone(), reference: reference.to_owned() };
        images.remove(&canonical(reference)).ok_or_else(|| unreadable.into_iter().next().unwrap_or_else(missing))
    }

    /// A program from `bin/`, if it is there.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join("bin").join(name)).filter(|path| path.is_file())
    }

    /// A pinned file from `manifests/`; none if it is not there, an error if its digest differs.
    pub fn file(&self, pin: &FilePin) -> Result<Option<Vec<u8>>, ArtifactError> {
        let path = self.root.join("manifests").join(pin.name);
        match std::fs::read(&path) {
            Ok(bytes) => verify(&bytes, pin.sha256, || path.display().to_string()).map(|()| Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ArtifactError::Io { action: "read", path, source }),
        }
    }
}

/// The `.tar` files of a folder, sorted; none if there is no folder.
fn archives(folder: &Path) -> Result<Vec<PathBuf>, ArtifactError> {
    let failed = |source| ArtifactError::Io { action: "list", path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "tar"));
    paths.sort();
    Ok(paths)
}

/// An entry of Docker's `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

/// The part of OCI's `index.json` that names images.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The references inside an archive, from `manifest.json` and `index.json`, wherever they stand in it.
fn references(path: &Path) -> io::Result<Vec<String>> {
    let mut archive = tar::Archive::new(File::open(path)?);
    let (mut found, mut described) = (Vec::new(), 0);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = entry.path()?.into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        if name == Path::new("manifest.json") {
            let saved: Vec<Saved> = document(entry)?;
            found.extend(saved.into_iter().filter_map(|image| image.repo_tags).flatten());
        } else if name == Path::new("index.json") {
            let index: Index = document(entry)?;
            found
                .extend(index.manifests.into_iter().filter_map(|mut image| image.annotations.remove("io.containerd.image.name")));
        } else {
            continue;
        }
        described += 1;
        if described == 2 {
            break;
        }
    }
    match described {
        0 => Err(io::Error::new(io::ErrorKind::InvalidData, "it has neither manifest.json nor index.json")),
        _ => Ok(found),
    }
}

/// Reads a JSON document whole: parsing from the file would cost a system call per byte.
fn document<T: DeserializeOwned>(entry: impl Read) -> io::Result<T> {
    let mut bytes = Vec::new();
    entry.take(INDEX_LIMIT).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{download, pins, sha256};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn archive(path: &Path, entries: &[(&str, &[u8])]) -> io::Result<()> {
        let mut builder = tar::Builder::new(File::create(path)?);
        for (name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            builder.append_data(&mut header, name, *bytes)?;
        }
        builder.finish()
    }

    fn bundle() -> Result<(tempfile::TempDir, Bundle), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("images"))?;
        std::fs::create_dir(folder.path().join("manifests"))?;
        let bundle = Bundle::open(folder.path())?;
        Ok((folder, bundle))
    }

    #[test]
    fn images_are_found_by_docker_and_by_oci_names() -> Outcome {
        let (folder, bundle) = bundle()?;
        let images = folder.path().join("images");
        let layer = vec![7; 300_000];
        let docker =
            br#"[{"Config":"c","RepoTags":["nginx:1.26","other:2"],"Layers":[]},{"Config":"d","RepoTags":null,"Layers":[]}]"#;
        archive(&images.join("a.tar"), &[("blobs/sha256/1", &layer), ("manifest.json", docker)])?;
        let oci = br#"{"schemaVersion":2,"manifests":[{"annotations":{"io.containerd.image.name":"quay.io/x/y:v1"}},{}]}"#;
        archive(&images.join("b.tar"), &[("./index.json", oci), ("./blobs/sha256/1", &layer)])?;
        std::fs::write(images.join("notes.txt"), "not an archive")?;
        assert_eq!(bundle.image("docker.io/library/nginx:1.26")?, images.join("a.tar"));
        assert_eq!(bundle.image("other:2")?, images.join("a.tar"));
        assert_eq!(bundle.image("quay.io/x/y:v1")?, images.join("b.tar"));
        let missing = bundle.image("quay.io/x/y:v2").map_err(|error| error.to_string());
        assert_eq!(missing, Err(format!("bundle {} has no image quay.io/x/y:v2", folder.path().display())));
        Ok(())
    }

    #[test]
    fn an_archive_that_is_none_is_named_and_the_others_serve() -> Outcome {
        let (folder, bundle) = bundle()?;
        let (path, whole) = (folder.path().join("images/broken.tar"), folder.path().join("images/whole.tar"));
        archive(&whole, &[("manifest.json", br#"[{"Config":"c","RepoTags":["nginx:1.26"],"Layers":[]}]"#)])?;
        for write in [|path: &Path| std::fs::write(path, [1; 2000]), |path: &Path| archive(path, &[("readme", b"x")])] {
            write(&path)?;
            let named = format!("{} is not an image archive", path.display());
            let contents = bundle.images()?;
            assert_eq!(contents.unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(), std::slice::from_ref(&named));
            assert_eq!(bundle.image("nginx:1.26")?, whole);
            // the unreadable archive may hold it
            assert_eq!(bundle.image("nginx:1.27").map_err(|error| error.to_string()), Err(named));
        }
        Ok(())
    }

    #[test]
    fn a_file_is_verified_and_a_mismatch_names_both_digests() -> Outcome {
        let (folder, bundle) = bundle()?;
        let pin = FilePin { name: "a.yaml", url: "https://invalid/a.yaml", sha256: "0000" };
        assert!(bundle.file(&pin)?.is_none());
        let path = folder.path().join("manifests/a.yaml");
        std::fs::write(&path, "kind: A\n")?;
        let actual = sha256(b"kind: A\n");
        let refused = bundle.file(&pin).map_err(|error| error.to_string());
        assert_eq!(refused, Err(format!("{} has sha256 {actual}, expected 0000", path.display())));
        let pin = FilePin { sha256: Box::leak(actual.into_boxed_str()), ..pin };
        assert_eq!(bundle.file(&pin)?, Some(b"kind: A\n".to_vec()));
        Ok(())
    }

    #[test]
    fn the_bundle_comes_before_the_cache_and_the_cache_before_the_network() -> Outcome {
        let (folder, bundle) = bundle()?;
        let cache = tempfile::tempdir()?;
        let digest: &'static str = Box::leak(sha256(b"x").into_boxed_str());
        // nothing listens on port 1: only the download, the last resort, fails
        let pin = FilePin { name: "a.yaml", url: "https://127.0.0.1:1/a.yaml", sha256: digest };
        assert!(matches!(super::super::file_with(&pin, Some(&bundle), cache.path()), Err(ArtifactError::Download { .. })));
        download::store(&pin, cache.path(), b"x")?;
        assert_eq!(super::super::file_with(&pin, Some(&bundle), cache.path())?, b"x");
        std::fs::write(folder.path().join("manifests/a.yaml"), "y")?;
        assert!(matches!(super::super::file_with(&pin, Some(&bundle), cache.path()), Err(ArtifactError::Digest { .. })));
        assert_eq!(super::super::file_with(&pin, None, cache.path())?, b"x");
        Ok(())
    }

    /// Against the real bundle in `HEARTH_BUNDLE`: every pin is in it, and reading it is quick.
    #[test]
    #[ignore = "needs a bundle in HEARTH_BUNDLE; run with --ignored"]
    fn the_bundle_at_hand_has_every_pin() -> Outcome {
        let bundle = Bundle::open(std::env::var("HEARTH_BUNDLE")?)?;
        let images = bundle.images()?.images;
        let missing: Vec<_> = pins::IMAGES.iter().filter(|pin| !images.contains_key(pin.reference)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for pin in pins::FILES {
            assert!(bundle.file(&pin)?.is_some(), "{}", pin.name);
        }
        let start = std::time::Instant::now();
        bundle.images()?;
        assert!(start.elapsed() < std::time::Duration::from_millis(100), "{:?}", start.elapsed());
        Ok(())
    }
}
