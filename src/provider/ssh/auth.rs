//! Logging in: the profile's identity file, else the agent's keys, else a password.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh2::{ErrorCode, KeyboardInteractivePrompt, Prompt, Session};

use super::error::SshError;
use super::secret::Secret;
use super::session::Target;

/// libssh2.h: `LIBSSH2_ERROR_AUTHENTICATION_FAILED` and `_PUBLICKEY_UNVERIFIED`, with which a host refuses.
const REFUSED: [i32; 2] = [-18, -19];

/// Logs in. The host's key has already been verified.
pub(super) fn login(session: &Session, target: &Target) -> Result<(), SshError> {
    if let Some(path) = &target.identity {
        return identity(session, target, path);
    }
    let mut refused = None;
    if let Some(path) = &target.environment.agent {
        match agent(session, target, path) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => refused = Some(error),
        }
    }
    if let Some(secret) = &target.environment.password {
        return password(session, target, secret);
    }
    Err(refused.unwrap_or_else(|| SshError::NoCredentials { at: target.at.clone() }))
}

fn identity(session: &Session, target: &Target, path: &Path) -> Result<(), SshError> {
    let owned = || path.to_owned();
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SshError::IdentityMissing { path: owned() },
        _ => SshError::IdentityUnreadable { path: owned(), source },
    })?;
    let passphrase = target.environment.passphrase.as_ref();
    let encrypted = is_encrypted(&text);
    if encrypted && passphrase.is_none() {
        return Err(SshError::IdentityEncrypted { path: owned() });
    }
    let passphrase = passphrase.filter(|_| encrypted).map(Secret::reveal);
    session.userauth_pubkey_memory(&target.user, None, &text, passphrase).map_err(|source| {
        if is_refusal(&source) {
            SshError::IdentityRefused { at: target.at.clone(), user: target.user.clone(), path: owned() }
        } else if is_transport(&source) {
            SshError::Login { at: target.at.clone(), user: target.user.clone(), source }
        } else if encrypted {
            SshError::IdentityPassphrase { path: owned() }
        } else {
            SshError::IdentityUnusable { path: owned(), source }
        }
    })
}

/// True for a key that is protected by a passphrase: OpenSSH's own format names its cipher after a magic word (PROTOCOL.key),
/// PEM states it in words.
fn is_encrypted(text: &str) -> bool {
    let Some(body) = text.trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----") else {
        return text.contains("ENCRYPTED");
    };
    let body: String = body.lines().take_while(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(body).unwrap_or_default();
    bytes.strip_prefix(b"openssh-key-v1\0").is_some_and(|rest| !rest.starts_with(b"\0\0\0\x04none"))
}

/// Tries the agent's keys one after the other; false if it has none.
fn agent(session: &Session, target: &Target, path: &Path) -> Result<bool, SshError> {
    let silent = |source| SshError::Agent { path: path.to_owned(), source };
    let mut agent = session.agent().map_err(silent)?;
    agent.set_identity_path(path).map_err(silent)?;
    agent.connect().map_err(silent)?;
    agent.list_identities().map_err(silent)?;
    let keys = agent.identities().map_err(silent)?;
    for key in &keys {
        match agent.userauth(&target.user, key) {
            Ok(()) => return Ok(true),
            Err(source) if is_transport(&source) => {
                return Err(SshError::Login { at: target.at.clone(), user: target.user.clone(), source });
            }
            Err(_refused) => {}
        }
    }
    if keys.is_empty() {
        return Ok(false);
    }
    Err(SshError::AgentRefused { at: target.at.clone(), user: target.user.clone(), keys: keys.len() })
}

/// Answers every question with the password: hosts ask for it in various words.
struct Answer<'a>(&'a Secret);

impl KeyboardInteractivePrompt for Answer<'_> {
    fn prompt<'a>(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'a>]) -> Vec<String> {
        prompts.iter().map(|_| self.0.reveal().to_owned()).collect()
    }
}

fn password(session: &Session, target: &Target, secret: &Secret) -> Result<(), SshError> {
    let failed = |source| SshError::Login { at: target.at.clone(), user: target.user.clone(), source };
    let methods = session.auth_methods(&target.user).map_err(failed)?.to_owned();
    if session.authenticated() {
        return Ok(());
    }
    let mut outcome = None;
    for method in methods.split(',') {
        let tried = match method {
            "password" => session.userauth_password(&target.user, secret.reveal()),
            "keyboard-interactive" => session.userauth_keyboard_interactive(&target.user, &mut Answer(secret)),
            _ => continue,
        };
        match tried {
            Ok(()) => return Ok(()),
            Err(source) if is_transport(&source) => return Err(failed(source)),
            Err(source) => outcome = Some(source),
        }
    }
    let _refusal = outcome; // a host that takes no passwords refuses it just as well
    Err(SshError::PasswordRefused { at: target.at.clone(), user: target.user.clone() })
}

fn is_refusal(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(code) if REFUSED.contains(&code))
}

/// libssh2.h: errors of the socket, a timeout, a broken protocol.
fn is_transport(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-7 | -9 | -13 | -14 | -30 | -43))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generate(folder: &Path, name: &str, arguments: &[&str]) -> String {
        let path = folder.join(name);
        let made = std::process::Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(arguments).output();
        assert!(made.expect("ssh-keygen").status.success());
        std::fs::read_to_string(path).expect("a key")
    }

    #[test]
    fn encrypted_keys_are_told_from_plain_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, arguments, encrypted) in [
            ("plain", ["-t", "ed25519", "-N", ""].as_slice(), false),
            ("encrypted", &["-t", "ed25519", "-N", "open sesame"], true),
            ("pem", &["-t", "ecdsa", "-m", "PEM", "-N", ""], false),
            ("pem-encrypted", &["-t", "ecdsa", "-m", "PEM", "-N", "open sesame"], true),
        ] {
            assert_eq!(is_encrypted(&generate(folder.path(), name, arguments)), encrypted, "{name}");
        }
    }
}
