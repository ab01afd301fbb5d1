//! Files over HTTPS: pinned ones, cached under their digest, and files that a published checksum vouches for.
//!
//! `HEARTH_MIRROR` names a server to use instead, over plain HTTP if need be: `https://dl.k8s.io/x` becomes
//! `$HEARTH_MIRROR/dl.k8s.io/x`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{ArtifactError, FilePin, hex, verify, write_whole};

/// Time to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Time for a whole download, of a pinned file and of a release.
const TOTAL_LIMIT: Duration = Duration::from_secs(120);
const RELEASE_LIMIT: Duration = Duration::from_secs(900);
/// Largest pinned file accepted, in bytes: ten times the largest one there is.
const SIZE_LIMIT: u64 = 10 << 20;

/// A pinned file's bytes from `cache`, else downloaded into it.
pub fn cached(pin: &FilePin, cache: &Path) -> Result<Vec<u8>, ArtifactError> {
    match std::fs::read(place(pin, cache)) {
        // a damaged file in the cache is no error: it is fetched again
        Ok(bytes) if verify(&bytes, pin.sha256, String::new).is_ok() => Ok(bytes),
        _ => {
            let bytes = fetch(pin, &address(pin.url), mirror().is_none(), SIZE_LIMIT)?;
            store(pin, cache, &bytes)?;
            Ok(bytes)
        }
    }
}

/// True when `cache` has the file, whole.
pub(super) fn is_cached(pin: &FilePin, cache: &Path) -> bool {
    std::fs::read(place(pin, cache)).is_ok_and(|bytes| verify(&bytes, pin.sha256, String::new).is_ok())
}

fn place(pin: &FilePin, cache: &Path) -> PathBuf {
    cache.join("files").join(pin.sha256)
}

pub(super) fn store(pin: &FilePin, cache: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    write_whole(&place(pin, cache), |file| file.write_all(bytes))
}

/// The server to use instead of the publishers', from `HEARTH_MIRROR`.
fn mirror() -> Option<String> {
    std::env::var("HEARTH_MIRROR").ok().filter(|mirror| !mirror.is_empty())
}

/// The URL to request a file from that is published at `url`: the mirror's, where there is one.
pub fn address(url: &str) -> String {
    match mirror() {
        Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), url.trim_start_matches("https://")),
        None => url.to_owned(),
    }
}

/// Host and port to connect to for a file published at `url`: the proxy's, where the environment names one for it.
pub fn server(url: &str) -> String {
    server_by(&address(url), ureq::Proxy::try_from_env())
}

fn server_by(address: &str, proxy: Option<ureq::Proxy>) -> String {
    let address = address.parse::<http::Uri>().unwrap_or_default();
    if let Some(proxy) = proxy.filter(|proxy| !proxy.is_no_proxy(&address)) {
        return format!("{}:{}", proxy.host(), proxy.port());
    }
    let port = address.port_u16().unwrap_or(if address.scheme_str() == Some("http") { 80 } else { 443 });
    format!("{}:{port}", address.host().unwrap_or_default())
}

fn get(address: &str, https_only: bool, limit: Duration) -> Result<ureq::Body, ArtifactError> {
    let config = ureq::Agent::config_builder()
        .https_only(https_only)
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_global(Some(limit))
        .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
        .build();
    let answer = config.new_agent().get(address).call();
    Ok(answer.map_err(|source| ArtifactError::Download { url: address.to_owned(), source: Box::new(source) })?.into_body())
}

/// Downloads a pinned file and verifies it.
fn fetch(pin: &FilePin, address: &str, https_only: bool, size_limit: u64) -> Result<Vec<u8>, ArtifactError> {
    let mut body = get(address, https_only, TOTAL_LIMIT)?;
    let bytes = body.with_config().limit(size_limit).read_to_vec();
    let bytes = bytes.map_err(|source| ArtifactError::Download { url: address.to_owned(), source: Box::new(source) })?;
    verify(&bytes, pin.sha256, || address.to_owned())?;
    Ok(bytes)
}

/// A short text published at `url`.
pub(super) fn text(url: &str) -> Result<String, ArtifactError> {
    let address = address(url);
    let text = get(&address, mirror().is_none(), TOTAL_LIMIT)?.with_config().limit(SIZE_LIMIT).read_to_string();
    text.map_err(|source| ArtifactError::Download { url: address, source: Box::new(source) })
}

/// Downloads what is published at `url` into a file, of any size, and returns its sha256.
pub(super) fn save(url: &str, path: &Path) -> Result<String, ArtifactError> {
    let address = address(url);
    let mut body = get(&address, mirror().is_none(), RELEASE_LIMIT)?.into_reader();
    let (mut hasher, mut cut) = (Sha256::new(), None);
    let written = write_whole(path, |file| {
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = body.read(&mut buffer).map_err(|error| {
                let kind = error.kind();
                cut = Some(error);
                std::io::Error::from(kind)
            })?;
            if read == 0 {
                return Ok(());
            }
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
        }
    });
    match cut {
        // the server's fault, not the file's
        Some(error) => Err(ArtifactError::Download { url: address, source: Box::new(ureq::Error::Io(error)) }),
        None => written.map(|()| hex(&hasher.finalize())),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::net::TcpListener;

    use super::*;
    use crate::artifact::sha256;

    const BODY: &[u8] = b"kind: List\n";

    /// Serves one request with `status` and `BODY`; returns the pin that points to it.
    fn published(status: &'static str, digest: &str) -> std::io::Result<FilePin> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/a.yaml", listener.local_addr()?);
        std::thread::spawn(move || -> std::io::Result<()> {
            let (mut connection, _) = listener.accept()?;
            let _ = connection.read(&mut [0; 4096])?;
            write!(connection, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", BODY.len())?;
            connection.write_all(BODY)
        });
        Ok(FilePin { name: "a.yaml", url: url.leak(), sha256: digest.to_owned().leak() })
    }

    fn taken(pin: &FilePin, https_only: bool, limit: u64) -> Result<Vec<u8>, ArtifactError> {
        fetch(pin, pin.url, https_only, limit)
    }

    #[test]
    fn a_server_is_asked_the_way_it_will_be_fetched_from() {
        let (url, mirror) = ("https://dl.k8s.io/x", "http://mirror.lan:8081/dl.k8s.io/x");
        assert_eq!([server_by(url, None), server_by(mirror, None)], ["dl.k8s.io:443", "mirror.lan:8081"]);
        let proxy = || ureq::Proxy::builder(ureq::ProxyProtocol::Http).host("proxy.lan").port(3128).no_proxy("mirror.lan");
        assert_eq!(server_by(url, proxy().build().ok()), "proxy.lan:3128");
        assert_eq!(server_by(mirror, proxy().build().ok()), "mirror.lan:8081");
    }

    #[test]
    fn a_download_is_verified() -> Result<(), Box<dyn Error>> {
        let digest = sha256(BODY);
        assert_eq!(taken(&published("200 OK", &digest)?, false, SIZE_LIMIT)?, BODY);
        let pin = published("200 OK", "0000")?;
        let refused = taken(&pin, false, SIZE_LIMIT).map_err(|error| error.to_string());
        assert_eq!(refused, Err(format!("{} has sha256 {digest}, expected 0000", pin.url)));
        Ok(())
    }

    #[test]
    fn errors_large_answers_and_plain_http_are_refused() -> Result<(), Box<dyn Error>> {
        let digest = sha256(BODY);
        for (pin, https_only, limit, expected) in [
            (published("404 Not Found", &digest)?, false, SIZE_LIMIT, "404"),
            (published("200 OK", &digest)?, false, 4, "limit"),
            (published("200 OK", &digest)?, true, SIZE_LIMIT, "https"),
        ] {
            let cause = taken(&pin, https_only, limit).err().and_then(|error| Some(error.source()?.to_string()));
            assert!(cause.as_ref().is_some_and(|cause| cause.contains(expected)), "{cause:?} tells nothing of {expected}");
        }
        Ok(())
    }

    #[test]
    fn a_damaged_file_in_the_cache_is_fetched_again() -> Result<(), Box<dyn Error>> {
        let cache = tempfile::tempdir()?;
        let pin = FilePin { name: "a.yaml", url: "https://127.0.0.1:1/a.yaml", sha256: sha256(BODY).leak() };
        store(&pin, cache.path(), BODY)?;
        assert_eq!(cached(&pin, cache.path())?, BODY);
        store(&pin, cache.path(), b"damaged")?;
        assert!(matches!(cached(&pin, cache.path()), Err(ArtifactError::Download { .. })));
        Ok(())
    }
}
