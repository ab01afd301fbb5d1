//! The WAS image: this very binary and nothing else, as an OCI archive that both `docker load` and `ctr images import` accept.
//! The same binary gives the same bytes, and its digest is the image's tag.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, DescriptorBuilder, ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder,
    MediaType, Os, PlatformBuilder, RootFsBuilder, Sha256Digest,
};
use serde::Serialize;
use serde_json::json;

use super::{ArtifactError, cache_dir, digest, sha256, short_digest, vouch, vouched, write_whole};

/// Where the binary is in the image.
const PROGRAM: &str = "/hearth";
const ENTRYPOINT: [&str; 2] = [PROGRAM, "was"];
/// An account that owns nothing.
const USER: &str = "65534:65534";

/// The WAS image's name without its tag.
pub const WAS_REPOSITORY: &str = "hearth.dev/was";

/// An image archive on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The image's name and tag.
    pub reference: String,
    /// Where the archive is.
    pub path: PathBuf,
}

/// Digest of an image's configuration, `sha256:` and hexadecimal: what `docker images` calls its ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageId(pub String);

/// The WAS image made of `binary`, packed into the cache unless it is already there.
pub fn was_image(binary: &Path) -> Result<Packed, ArtifactError> {
    was_image_in(&cache_dir()?, binary)
}

fn was_image_in(cache: &Path, binary: &Path) -> Result<Packed, ArtifactError> {
    let program = read(binary)?;
    let reference = reference_of(&program);
    let path = cache.join("images").join(format!("{}.tar", reference.replace(['/', ':'], "_")));
    if !path.exists() || vouched(&path).is_none() {
        write_image(&program, &reference, &ENTRYPOINT, &path)?;
        vouch(&path, &digest(&path)?)?;
    }
    Ok(Packed { reference, path })
}

/// Packs the WAS image into the cache again, over one that may be damaged.
pub(super) fn pack_anew(binary: &Path) -> Result<(), ArtifactError> {
    let cache = cache_dir()?;
    let path = was_image_in(&cache, binary)?.path;
    std::fs::remove_file(&path).map_err(|source| ArtifactError::Io { action: "replace", path, source })?;
    was_image_in(&cache, binary).map(drop)
}

fn read(binary: &Path) -> Result<Vec<u8>, ArtifactError> {
    std::fs::read(binary).map_err(|source| ArtifactError::Io { action: "read", path: binary.to_owned(), source })
}

/// The image's name: its tag is the start of the program's SHA-256.
fn reference_of(program: &[u8]) -> String {
    format!("{WAS_REPOSITORY}:{}", short_digest(program))
}

fn write_image(program: &[u8], reference: &str, entrypoint: &[&str], out: &Path) -> Result<ImageId, ArtifactError> {
    let image = describe(program, reference, entrypoint).map_err(|source| ArtifactError::Io {
        action: "describe",
        path: out.to_owned(),
        source,
    })?;
    write_whole(out, |file| image.write(file))?;
    Ok(ImageId(format!("sha256:{}", image.config.digest)))
}

/// Bytes and their SHA-256.
struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        Blob { digest: sha256(&bytes), bytes }
    }

    /// A document with its keys sorted, so that equal documents are equal bytes.
    fn json(document: &impl Serialize) -> io::Result<Self> {
        let mut value = serde_json::to_value(document)?;
        value.sort_all_objects();
        Ok(Blob::new(serde_json::to_vec(&value)?))
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self, media_type: MediaType) -> Result<Descriptor, oci_spec::OciSpecError> {
        let digest: Sha256Digest = self.digest.parse()?;
        DescriptorBuilder::default().media_type(media_type).digest(digest).size(self.bytes.len() as u64).build()
    }
}

/// An image, ready to be written.
struct Image {
    layer: Blob,
    config: Blob,
    manifest: Blob,
    index: Blob,
    /// Docker's own list of the images in the archive, `manifest.json`.
    saved: Blob,
}

fn describe(program: &[u8], reference: &str, entrypoint: &[&str]) -> io::Result<Image> {
    let layer = Blob::new(layer(program)?);
    let (config, manifest, index) = documents(&layer, reference, entrypoint).map_err(io::Error::other)?;
    let saved = Blob::json(&json!([{"Config": config.path(), "RepoTags": [reference], "Layers": [layer.path()]}]))?;
    Ok(Image { layer, config, manifest, index, saved })
}

/// Configuration, manifest and index of the image.
fn documents(
    layer: &Blob,
    reference: &str,
    entrypoint: &[&str],
) -> Result<(Blob, Blob, Blob), Box<dyn std::error::Error + Send + Sync>> {
    let runs = ConfigBuilder::default()
        .user(USER)
        .exposed_ports(["8080/tcp".to_owned()])
        .entrypoint(entrypoint.iter().map(|&part| part.to_owned()).collect::<Vec<_>>())
        .working_dir("/")
        .build()?;
    let root = RootFsBuilder::default().typ("layers").diff_ids([format!("sha256:{}", layer.digest)]).build()?;
    let platform = PlatformBuilder::default().architecture(Arch::default()).os(Os::Linux).build()?;
    let config =
        ImageConfigurationBuilder::default().architecture(Arch::default()).os(Os::Linux).config(runs).rootfs(root).build()?;
    let config = Blob::json(&config)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config.descriptor(MediaType::ImageConfig)?)
        .layers([layer.descriptor(MediaType::ImageLayer)?])
        .build()?;
    let manifest = Blob::json(&manifest)?;
    let tag = reference.rsplit(':').next().unwrap_or_default();
    let mut descriptor = manifest.descriptor(MediaType::ImageManifest)?;
    descriptor.set_platform(Some(platform));
    descriptor.set_annotations(Some(HashMap::from([
        ("io.containerd.image.name".to_owned(), reference.to_owned()),
        ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned()),
    ])));
    let index =
        ImageIndexBuilder::default().schema_version(2_u32).media_type(MediaType::ImageIndex).manifests([descriptor]).build()?;
    Ok((config, manifest, Blob::json(&index)?))
}

/// The only layer: the binary, an account file for programs that look up their user, and `/tmp`. It is not compressed:
/// compression takes ten times as long as the rest of packing, and every node would have to undo it, for an archive that stays
/// here.
fn layer(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::with_capacity(program.len() + 8192));
    append(&mut tar, "etc/passwd", b"nobody:x:65534:65534::/:/sbin/nologin\n", 0o644)?;
    append(&mut tar, PROGRAM.trim_start_matches('/'), program, 0o755)?;
    let mut folder = header(0, 0o1777);
    folder.set_entry_type(tar::EntryType::Directory);
    tar.append_data(&mut folder, "tmp/", io::empty())?;
    tar.into_inner()
}

/// A header that depends on nothing of this machine or moment.
fn header(size: usize, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    tar.append_data(&mut header(bytes.len(), mode), name, bytes)
}

impl Image {
    fn write(&self, file: &mut File) -> io::Result<()> {
        let mut tar = tar::Builder::new(file);
        append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
        // the two tables of contents come first: readers of bundles stop there
        append(&mut tar, "index.json", &self.index.bytes, 0o644)?;
        append(&mut tar, "manifest.json", &self.saved.bytes, 0o644)?;
        // the manifest comes last: an import that breaks off before it finds no image
        for blob in [&self.layer, &self.config, &self.manifest] {
            append(&mut tar, &blob.path(), &blob.bytes, 0o644)?;
        }
        tar.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::artifact::Bundle;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// Every entry of an archive, by name.
    fn entries(bytes: &[u8]) -> io::Result<HashMap<String, Vec<u8>>> {
        let mut archive = tar::Archive::new(bytes);
        let mut found = HashMap::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            found.insert(entry.path()?.to_string_lossy().into_owned(), content);
        }
        Ok(found)
    }

    #[test]
    fn the_archive_holds_what_it_says() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (binary, out) = (folder.path().join("hearth"), folder.path().join("was.tar"));
        std::fs::write(&binary, "program")?;
        let id = write_image(&read(&binary)?, "hearth.dev/was:1", &["/hearth", "was"], &out)?;
        let archive = entries(&std::fs::read(&out)?)?;
        for (name, bytes) in archive.iter().filter(|(name, _)| name.starts_with("blobs/")) {
            assert_eq!(name.strip_prefix("blobs/sha256/"), Some(sha256(bytes).as_str()));
        }
        let saved: serde_json::Value = serde_json::from_slice(&archive["manifest.json"])?;
        let at = |pointer: &str| {
            saved.pointer(pointer).and_then(|path| path.as_str()).and_then(|path| archive.get(path)).ok_or("not in the archive")
        };
        let config: serde_json::Value = serde_json::from_slice(at("/0/Config")?)?;
        assert_eq!(id.0, format!("sha256:{}", sha256(at("/0/Config")?)));
        assert_eq!(
            config["config"],
            json!({"Entrypoint": ["/hearth", "was"], "ExposedPorts": {"8080/tcp": {}}, "User": "65534:65534", "WorkingDir": "/"})
        );
        let layer = at("/0/Layers/0")?;
        assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{}", sha256(layer))]));
        assert_eq!(entries(layer)?["hearth"], b"program");
        let index: serde_json::Value = serde_json::from_slice(&archive["index.json"])?;
        assert_eq!(
            index["manifests"][0]["annotations"],
            json!({"io.containerd.image.name": "hearth.dev/was:1", "org.opencontainers.image.ref.name": "1"})
        );
        Ok(())
    }

    #[test]
    fn the_same_binary_gives_the_same_image_and_is_packed_once() -> Outcome {
        let folder = tempfile::tempdir()?;
        let binary = folder.path().join("hearth");
        std::fs::write(&binary, "program")?;
        let first = was_image_in(folder.path(), &binary)?;
        assert_eq!(first.reference, reference_of(&read(&binary)?));
        assert_eq!(first.reference, format!("hearth.dev/was:{}", &sha256(b"program")[..12]));
        let again = folder.path().join("again.tar");
        write_image(&read(&binary)?, &first.reference, &ENTRYPOINT, &again)?;
        assert!(std::fs::read(&first.path)? == std::fs::read(&again)?, "packing is not deterministic");
        std::fs::write(&first.path, "kept")?;
        assert_eq!(was_image_in(folder.path(), &binary)?, first);
        assert_eq!(std::fs::read(&first.path)?, b"kept");
        std::fs::write(&binary, "other program")?;
        assert_ne!(was_image_in(folder.path(), &binary)?.path, first.path);
        Ok(())
    }

    #[test]
    fn a_bundle_finds_it() -> Outcome {
        let folder = tempfile::tempdir()?;
        let binary = folder.path().join("hearth");
        std::fs::write(&binary, "program")?;
        let image = was_image_in(folder.path(), &binary)?;
        assert_eq!(Bundle::open(folder.path())?.image(&image.reference)?, image.path);
        Ok(())
    }
}
