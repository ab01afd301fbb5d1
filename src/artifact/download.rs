//! Pinned files over HTTPS, kept in the cache under their digest.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ArtifactError, FilePin, verify, write_whole};

/// Time to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Time for a whole download.
const TOTAL_LIMIT: Duration = Duration::from_secs(120);
/// Largest file that is taken, in bytes: ten times the largest that is pinned.
const SIZE_LIMIT: u64 = 10 << 20;

/// A pinned file's bytes out of `cache`, else from its URL into `cache`.
pub fn cached(pin: &FilePin, cache: &Path) -> Result<Vec<u8>, ArtifactError> {
    match std::fs::read(place(pin, cache)) {
        // a damaged file in the cache is nobody's mistake: it is fetched again
        Ok(bytes) if verify(&bytes, pin.sha256, String::new).is_ok() => Ok(bytes),
        _ => {
            let bytes = fetch(pin, true, SIZE_LIMIT)?;
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

/// Puts a file into the cache.
pub(super) fn store(pin: &FilePin, cache: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    write_whole(&place(pin, cache), |file| file.write_all(bytes))
}

/// Downloads a pinned file and verifies it.
fn fetch(pin: &FilePin, https_only: bool, size_limit: u64) -> Result<Vec<u8>, ArtifactError> {
    let failed = |source| ArtifactError::Download { url: pin.url.to_owned(), source: Box::new(source) };
    let config = ureq::Agent::config_builder()
        .https_only(https_only)
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_global(Some(TOTAL_LIMIT))
        .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut response = config.new_agent().get(pin.url).call().map_err(failed)?;
    let bytes = response.body_mut().with_config().limit(size_limit).read_to_vec().map_err(failed)?;
    verify(&bytes, pin.sha256, || pin.url.to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::artifact::sha256;

    const BODY: &[u8] = b"kind: List\n";

    /// Answers one request with `status` and `BODY`; the pin that leads to it.
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

    #[test]
    fn a_download_is_verified() -> Result<(), Box<dyn Error>> {
        let digest = sha256(BODY);
        assert_eq!(fetch(&published("200 OK", &digest)?, false, SIZE_LIMIT)?, BODY);
        let pin = published("200 OK", "0000")?;
        let refused = fetch(&pin, false, SIZE_LIMIT).map_err(|error| error.to_string());
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
            let cause = fetch(&pin, https_only, limit).err().and_then(|error| Some(error.source()?.to_string()));
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
