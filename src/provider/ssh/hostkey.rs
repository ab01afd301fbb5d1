//! Host keys: a host is identified before anything is sent to it. Formats are OpenSSH's (sshd(8), SSH_KNOWN_HOSTS).

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use ssh2::{CheckResult, KnownHostFileKind, KnownHosts, MethodType, Session};

use super::error::{At, SshError};
use crate::file::{self, Readers};

/// Signature methods, best first; the first one that a host has a key for is used.
const METHODS: [&str; 6] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256"];

/// The machine's known_hosts. (ssh_config(5), GlobalKnownHostsFile)
const GLOBAL: &str = "/etc/ssh/ssh_known_hosts";

/// How one host's key is verified.
#[derive(Debug, Clone)]
pub(super) enum Policy {
    /// By the fingerprint in the profile, at the path `field`.
    Pinned { fingerprint: String, field: String },
    /// By the user's known_hosts, which is only read.
    Strict(PathBuf),
    /// By our own known_hosts, to which the key of an unknown host is added.
    Tofu(TofuFile),
}

/// Our own known_hosts; the lock keeps hosts that are added at the same time from losing each other's line.
#[derive(Debug, Clone)]
pub(super) struct TofuFile {
    pub path: PathBuf,
    pub lock: Arc<Mutex<()>>,
}

/// Prefers those types of key by which the host is known. To be called before the handshake.
pub(super) fn prefer(session: &Session, policy: &Policy, host: Ipv4Addr, port: u16) -> Result<(), SshError> {
    let known = match policy {
        Policy::Pinned { .. } => Vec::new(),
        Policy::Strict(path) | Policy::Tofu(TofuFile { path, .. }) => known_keys(session, path, &known_name(host, port))?,
    };
    let types: Vec<String> = known.iter().map(|key| key_type(key)).collect();
    // the library skips methods that it does not support; it supports at least one
    let _kept = session.method_pref(MethodType::HostKey, &order(&types));
    Ok(())
}

/// All methods, those for the known types of key first.
fn order(known: &[String]) -> String {
    let of = |method: &str| if method.starts_with("rsa-") { "ssh-rsa".to_owned() } else { method.to_owned() };
    let (first, rest): (Vec<&str>, Vec<&str>) = METHODS.iter().partition(|method| known.contains(&of(method)));
    [first, rest].concat().join(",")
}

/// Verifies the key that the host proved to have, after the handshake and before the login. A key that is marked as revoked in
/// the user's own known_hosts or the machine's is refused under any policy.
pub(super) fn verify(
    session: &Session,
    policy: &Policy,
    users: &Path,
    at: &At,
    host: Ipv4Addr,
    port: u16,
) -> Result<(), SshError> {
    // a handshake without a host key fails
    let key = session.host_key().map(|(key, _)| key.to_vec()).unwrap_or_default();
    let offered = format!("{} {}", key_type(&key), fingerprint(&key));
    for path in [users, Path::new(GLOBAL)] {
        if let Some(line) = revoked(path, &key)? {
            return Err(SshError::HostKeyRevoked { at: at.clone(), offered, known_hosts: path.to_owned(), line });
        }
    }
    let name = known_name(host, port);
    let changed = |expected: Vec<String>, accept: String| {
        Err(SshError::HostKeyChanged { at: at.clone(), expected, offered: offered.clone(), accept })
    };
    match policy {
        Policy::Pinned { fingerprint: expected, .. } if *expected == fingerprint(&key) => Ok(()),
        Policy::Pinned { fingerprint: expected, field } => {
            changed(vec![expected.clone()], format!("hearth up ... --set {field}={}", fingerprint(&key)))
        }
        Policy::Strict(path) => match check(session, path, &name, &key)? {
            Known::Same => Ok(()),
            Known::Other(expected) => changed(expected, format!("ssh-keygen -R {} && ssh -p {port} {host} true", quoted(&name))),
            Known::Not => {
                let accept = format!("ssh -p {port} {host} true");
                Err(SshError::HostKeyUnknown { at: at.clone(), known_hosts: path.clone(), offered, accept })
            }
        },
        Policy::Tofu(file) => {
            let _one_at_a_time = file.lock.lock().unwrap_or_else(PoisonError::into_inner);
            match check(session, &file.path, &name, &key)? {
                Known::Same => Ok(()),
                Known::Other(expected) => {
                    changed(expected, format!("ssh-keygen -R {} -f {}", quoted(&name), file.path.display()))
                }
                Known::Not => {
                    let line = format!("{name} {} {}\n", key_type(&key), STANDARD.encode(&key));
                    append(&file.path, &line).map_err(|source| SshError::KnownHosts { path: file.path.clone(), source })
                }
            }
        }
    }
}

/// `SHA256:` and the digest in base64, as `ssh-keygen -l` prints it.
fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The type of a key, with which it starts: a length in four bytes, then the name (RFC 4253, 6.6).
fn key_type(key: &[u8]) -> String {
    let length = key.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    String::from_utf8_lossy(key.get(4..4 + length).unwrap_or_default()).into_owned()
}

/// The name of a host in known_hosts: it includes the port unless that is 22.
fn known_name(host: Ipv4Addr, port: u16) -> String {
    if port == 22 { host.to_string() } else { format!("[{host}]:{port}") }
}

/// Quotes a name with brackets, which a shell would take for a pattern.
fn quoted(name: &str) -> String {
    if name.starts_with('[') { format!("'{name}'") } else { name.to_owned() }
}

enum Known {
    Same,
    Other(Vec<String>),
    Not,
}

fn check(session: &Session, path: &Path, name: &str, key: &[u8]) -> Result<Known, SshError> {
    let hosts = read(session, path)?;
    Ok(match hosts.check(name, key) {
        CheckResult::Match => Known::Same,
        CheckResult::Mismatch => Known::Other(
            known_keys(session, path, name)?.iter().map(|key| format!("{} {}", key_type(key), fingerprint(key))).collect(),
        ),
        CheckResult::NotFound | CheckResult::Failure => Known::Not,
    })
}

/// The keys by which a host is known. Names may be hashed, so each line is tested instead of read.
fn known_keys(session: &Session, path: &Path, name: &str) -> Result<Vec<Vec<u8>>, SshError> {
    let hosts = read(session, path)?;
    let library = |source: ssh2::Error| SshError::KnownHosts { path: path.to_owned(), source: source.into() };
    let mut keys: Vec<Vec<u8>> =
        hosts.hosts().map_err(library)?.iter().filter_map(|host| STANDARD.decode(host.key()).ok()).collect();
    keys.retain(|key| matches!(hosts.check(name, key), CheckResult::Match));
    keys.dedup();
    Ok(keys)
}

/// The line that marks a key as revoked, counted from 1. It counts for any host: a key that others have identifies nobody.
fn revoked(path: &Path, key: &[u8]) -> Result<Option<usize>, SshError> {
    let key = STANDARD.encode(key);
    let text = text(path)?;
    let marks = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("@revoked") && words.nth(2) == Some(&*key)
    };
    Ok(text.lines().position(marks).map(|index| index + 1))
}

/// A known_hosts file's text; empty if the file does not exist.
fn text(path: &Path) -> Result<String, SshError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(SshError::KnownHosts { path: path.to_owned(), source }),
    }
}

/// Reads a known_hosts file line by line, so that one line the library cannot parse does not hide the others. Lines with a
/// marker (`@cert-authority`, `@revoked`) are skipped: they hold no key of a host.
fn read(session: &Session, path: &Path) -> Result<KnownHosts, SshError> {
    let unusable = |source: ssh2::Error| SshError::KnownHosts { path: path.to_owned(), source: source.into() };
    let text = text(path)?;
    let mut hosts = session.known_hosts().map_err(unusable)?;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '@'])) {
        let _understood = hosts.read_str(line, KnownHostFileKind::OpenSSH);
    }
    Ok(hosts)
}

/// Adds a line to a file that only its owner can read; other readers see the old file or the new one.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut text = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    file::replace(path, Readers::Owner, |file| file.write_all(&text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIKHEChRMtHyvCxgBcZwBWYn8gkrEGhhlYTkGpyf6VRVL";

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let key = STANDARD.decode(KEY).expect("base64");
        assert_eq!(key_type(&key), "ssh-ed25519");
        assert!(fingerprint(&key).starts_with("SHA256:") && fingerprint(&key).len() == 50);
        assert_eq!(key_type(b"\0\0\xff\xffx"), "", "a broken key has no type");
    }

    #[test]
    fn known_types_are_asked_for_first() {
        assert!(order(&[]).starts_with("ssh-ed25519,"));
        assert!(order(&["ssh-rsa".into()]).starts_with("rsa-sha2-512,rsa-sha2-256,ssh-ed25519,"));
    }

    #[test]
    fn hosts_are_found_by_plain_hashed_and_bracketed_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("known_hosts");
        let text = format!("# mine\n@revoked 10.0.0.1 ssh-ed25519 {KEY}\n10.0.0.1 ssh-ed25519 {KEY}\n");
        std::fs::write(&path, text).expect("written");
        append(&path, &format!("[10.0.0.1]:2222 ssh-ed25519 {KEY}\n")).expect("written");
        let hashed = std::process::Command::new("ssh-keygen").arg("-Hf").arg(&path).output().expect("ssh-keygen");
        assert!(hashed.status.success(), "{hashed:?}");
        append(&path, "nonsense\n").expect("written");
        let session = Session::new().expect("a session");
        let key = STANDARD.decode(KEY).expect("base64");
        let mut other = key.clone();
        *other.last_mut().expect("bytes") ^= 1;
        for name in ["10.0.0.1", "[10.0.0.1]:2222"] {
            assert!(matches!(check(&session, &path, name, &key), Ok(Known::Same)), "{name}");
            assert_eq!(known_keys(&session, &path, name).expect("readable"), std::slice::from_ref(&key));
            assert!(matches!(check(&session, &path, name, &other), Ok(Known::Other(keys)) if keys.len() == 1), "{name}");
        }
        assert!(matches!(check(&session, &path, "10.0.0.2", &key), Ok(Known::Not)));
        assert_eq!(revoked(&path, &key).expect("readable"), Some(2));
        assert_eq!(revoked(&path, &other).expect("readable"), None);
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
}
