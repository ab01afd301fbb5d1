//! Where one run gets artifacts from: the bundle, else the cache, else their publishers. Expensive work is done once, for
//! whichever caller is first: packing the WAS image, hashing a file, downloading a release.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use super::oci::{self, Packed, WAS_REPOSITORY};
use super::programs::{Release, release};
use super::{ArtifactError, Bundle, FilePin, cache_dir, download, file, is_at_hand, vouched};
use crate::progress::Progress;

/// How long a server may take to accept a connection.
const ANSWERS_WITHIN: std::time::Duration = std::time::Duration::from_secs(3);

/// Artifacts on this machine.
#[derive(Default)]
pub struct Store {
    bundle: Option<Bundle>,
    was: OnceCell<Packed>,
    digests: Mutex<HashMap<PathBuf, String>>,
    releases: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
}

impl Store {
    /// A store that uses `bundle`, if one was named.
    pub fn new(bundle: Option<Bundle>) -> Self {
        Store { bundle, ..Store::default() }
    }

    /// The WAS image, packed from this program on first use.
    pub async fn was(&self) -> Result<&Packed, ArtifactError> {
        self.was
            .get_or_try_init(|| async {
                let binary = std::env::current_exe().map_err(ArtifactError::OwnProgram)?;
                blocking(move || oci::was_image(&binary)).await
            })
            .await
    }

    /// The full reference of an image that a plan names: the WAS image gets its tag.
    pub async fn reference<'a>(&'a self, image: &'a str) -> Result<&'a str, ArtifactError> {
        Ok(if image == WAS_REPOSITORY { &self.was().await?.reference } else { image })
    }

    /// The archive of an image on this machine; none if only its registry has it.
    pub async fn archive(&self, reference: &str) -> Result<Option<PathBuf>, ArtifactError> {
        let was = self.was().await?;
        if reference != was.reference {
            return Ok(self.bundled(reference));
        }
        if !self.is_whole(&was.path).await? {
            let binary = std::env::current_exe().map_err(ArtifactError::OwnProgram)?;
            blocking(move || oci::pack_anew(&binary)).await?;
        }
        Ok(Some(was.path.clone()))
    }

    /// The archive of an image, if the bundle has one that can be read.
    pub fn bundled(&self, reference: &str) -> Option<PathBuf> {
        self.bundle.as_ref()?.image(reference).ok()
    }

    /// Archives of the bundle that cannot be read, so that it is not known which images they hold.
    pub fn unreadable(&self) -> Vec<ArtifactError> {
        self.bundle.as_ref().and_then(|bundle| bundle.images().ok()).map(|contents| contents.unreadable).unwrap_or_default()
    }

    /// A pinned file's bytes, verified.
    pub async fn file(&self, pin: FilePin) -> Result<Vec<u8>, ArtifactError> {
        let bundle = self.bundle.clone();
        blocking(move || file(&pin, bundle.as_ref())).await
    }

    /// True when a pinned file need not be downloaded.
    pub fn has_file(&self, pin: &FilePin) -> bool {
        is_at_hand(pin, self.bundle.as_ref())
    }

    /// A program's file on this machine, if the bundle or the cache has it. `kubernetes` is the version of Kubernetes' own
    /// programs.
    pub fn program_at_hand(&self, name: &'static str, kubernetes: &str) -> Option<PathBuf> {
        let bundled = self.bundle.as_ref().and_then(|bundle| bundle.program(name));
        bundled.or_else(|| release(name, kubernetes).cached(name, &cache_dir().ok()?))
    }

    /// A program's file on this machine, downloaded with its release if need be.
    pub async fn program(&self, name: &'static str, kubernetes: &str, progress: &Progress) -> Result<PathBuf, ArtifactError> {
        if let Some(path) = self.bundle.as_ref().and_then(|bundle| bundle.program(name)) {
            return Ok(path);
        }
        let (published, cache) = (release(name, kubernetes), cache_dir()?);
        if let Some(path) = published.cached(name, &cache)
            && self.is_whole(&path).await?
        {
            return Ok(path);
        }
        self.fetch(&published, progress).await?;
        published.cached(name, &cache).ok_or(ArtifactError::NoProgram { program: name, url: published.url })
    }

    /// True when a cache file still is what was stored. A damaged one is no error: it is made or fetched again.
    async fn is_whole(&self, path: &Path) -> Result<bool, ArtifactError> {
        let whole = vouched(path) == Some(self.digest(path).await?);
        if !whole {
            self.digests.lock().await.remove(path);
        }
        Ok(whole)
    }

    /// Downloads a release once.
    async fn fetch(&self, release: &Release, progress: &Progress) -> Result<(), ArtifactError> {
        let fetched = self.releases.lock().await.entry(release.url.clone()).or_default().clone();
        let fetch = async {
            progress.say(format!("downloading {}", download::address(&release.url)));
            let (release, cache) = (release.clone(), cache_dir()?);
            blocking(move || release.fetch(&cache)).await
        };
        fetched.get_or_try_init(|| fetch).await.map(drop)
    }

    /// A file's sha256, computed once.
    pub async fn digest(&self, path: &Path) -> Result<String, ArtifactError> {
        if let Some(digest) = self.digests.lock().await.get(path) {
            return Ok(digest.clone());
        }
        let file = path.to_owned();
        let digest = blocking(move || super::digest(&file)).await?;
        self.digests.lock().await.insert(path.to_owned(), digest.clone());
        Ok(digest)
    }
}

/// True when a host accepts connections, on port 443 unless it names another.
pub async fn answers(host: &str) -> bool {
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
    timeout(ANSWERS_WITHIN, TcpStream::connect(address)).await.is_ok_and(|connected| connected.is_ok())
}

/// Work that blocks, off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ArtifactError::Interrupted)?
}
