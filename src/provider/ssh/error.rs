//! What can go wrong between here and a host, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::error::{Explain, Family, chain};

/// A host, as it appears in errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Node name, or `jump host`.
    pub node: String,
    /// Address and port.
    pub address: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.node, self.address)
    }
}

/// SSH failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields say what the messages say
pub enum SshError {
    /// The profile has no such host.
    #[error("no host is named `{node}`")]
    Unknown { node: String, known: Vec<String> },
    /// The host accepted no TCP connection.
    #[error("cannot connect to {at}")]
    Connect { at: At, source: io::Error },
    /// An earlier failure is remembered, and the host was not contacted again.
    #[error("{reason}")]
    Away { reason: String },
    /// The two sides did not agree on a protocol, or the host hung up.
    #[error("{at} does not complete the SSH handshake")]
    Handshake { at: At, source: ssh2::Error },
    /// The host's key differs from the known one: nothing was sent to it.
    #[error(
        "the host key of {at} is not the one that is known; this may be an attack, nothing was sent to the host\n  \
         expected  {}\n  offered   {offered}", expected.join("\n            ")
    )]
    HostKeyChanged { at: At, expected: Vec<String>, offered: String, accept: String },
    /// The host's key is marked as revoked: nothing was sent to it.
    #[error("the host key of {at} is marked as revoked in {}, line {line}; nothing was sent to the host\n  offered   {offered}", known_hosts.display())]
    HostKeyRevoked { at: At, offered: String, known_hosts: PathBuf, line: usize },
    /// The host is not in the user's known_hosts.
    #[error("the host key of {at} is not in {}\n  offered   {offered}", known_hosts.display())]
    HostKeyUnknown { at: At, known_hosts: PathBuf, offered: String, accept: String },
    /// A known_hosts file could not be read or written.
    #[error("cannot use {}", path.display())]
    KnownHosts { path: PathBuf, source: io::Error },
    /// The identity file does not exist.
    #[error("identity file {} does not exist", path.display())]
    IdentityMissing { path: PathBuf },
    /// The identity file cannot be read.
    #[error("cannot read identity file {}", path.display())]
    IdentityUnreadable { path: PathBuf, source: io::Error },
    /// The identity file asks for a passphrase that was not given.
    #[error("identity file {} is encrypted", path.display())]
    IdentityEncrypted { path: PathBuf },
    /// The passphrase does not open the identity file.
    #[error("the passphrase does not open identity file {}", path.display())]
    IdentityPassphrase { path: PathBuf },
    /// The identity file holds no usable private key.
    #[error("identity file {} holds no usable private key", path.display())]
    IdentityUnusable { path: PathBuf, source: ssh2::Error },
    /// The host refused the identity file.
    #[error("{at} refuses identity file {} for user {user}", path.display())]
    IdentityRefused { at: At, user: String, path: PathBuf },
    /// The agent did not answer.
    #[error("the SSH agent at {} does not answer", path.display())]
    Agent { path: PathBuf, source: ssh2::Error },
    /// The host refused every key that the agent has.
    #[error("{at} refuses all {keys} keys of the SSH agent for user {user}")]
    AgentRefused { at: At, user: String, keys: usize },
    /// The host refused the password.
    #[error("{at} refuses the password of HEARTH_SSH_PASSWORD for user {user}")]
    PasswordRefused { at: At, user: String },
    /// There is nothing to log in with.
    #[error("there is nothing to log in to {at} with: no identity file, no SSH agent, no password")]
    NoCredentials { at: At },
    /// Something else went wrong while logging in.
    #[error("logging in to {at} as {user} failed")]
    Login { at: At, user: String, source: ssh2::Error },
    /// The jump host could not be reached or logged in to.
    #[error("{at} is reached through a jump host, which failed")]
    Jump { at: At, source: Box<SshError> },
    /// The jump host did not connect to the host.
    #[error("the jump host does not connect to {at}")]
    Tunnel { at: At, source: ssh2::Error },
    /// An established connection broke.
    #[error("the connection to {at} is lost: {reason}")]
    Lost { at: At, reason: String },
    /// The host has no session left for a command, or refused to start it.
    #[error("{at} refuses to run a command")]
    Refused { at: At, source: ssh2::Error },
    /// The login shell ended before the command began.
    #[error("the login shell of {at} does not run commands; it printed: {output}")]
    NotRun { at: At, output: String },
    /// The login user cannot become root.
    #[error("{user} cannot become root on {at}: {output}")]
    Sudo { at: At, user: String, output: String },
    /// An argument that cannot be passed to a shell.
    #[error("an argument holds a NUL byte")]
    Argument,
    /// The local side failed: no thread, no terminal.
    #[error("{action} failed")]
    Local { action: &'static str, source: io::Error },
}

impl Explain for SshError {
    fn family(&self) -> Family {
        Family::Ssh
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            SshError::Unknown { known, .. } => format!("the profile's hosts are {}", known.join(", ")),
            SshError::Connect { .. } | SshError::Away { .. } => {
                "is the machine on, does sshd listen there, does a firewall stand between?".into()
            }
            SshError::HostKeyChanged { accept, .. } => format!("if you reinstalled the host, accept its new key: {accept}"),
            SshError::HostKeyUnknown { accept, .. } => format!("compare it with the host's, then connect once: {accept}"),
            SshError::HostKeyRevoked { .. } => {
                "give the host a new key: others may have this one. rm /etc/ssh/ssh_host_*; ssh-keygen -A; restart sshd".into()
            }
            SshError::KnownHosts { .. } => "look at its permissions".into(),
            SshError::IdentityMissing { .. } => "correct spec.provider.ssh.identityFile, or make one with ssh-keygen".into(),
            SshError::IdentityUnreadable { path, .. } => format!("chmod 600 {}, as its owner", path.display()),
            SshError::IdentityEncrypted { .. } => {
                "set HEARTH_SSH_PASSPHRASE, or ssh-add it and leave spec.provider.ssh.identityFile out".into()
            }
            SshError::IdentityPassphrase { .. } => "correct HEARTH_SSH_PASSPHRASE".into(),
            SshError::IdentityUnusable { path, .. } => {
                format!("see what it is with ssh-keygen -lf {}; it has to be the private key", path.display())
            }
            SshError::IdentityRefused { at, user, path } => format!("ssh-copy-id -i {} {}", path.display(), login(at, user)),
            SshError::Agent { .. } => "start one: eval $(ssh-agent); ssh-add".into(),
            SshError::AgentRefused { at, user, .. } => {
                format!("ssh-add the right key, or ssh-copy-id {}; ssh-add -l lists those in use", login(at, user))
            }
            SshError::PasswordRefused { .. } => "correct it, and see whether sshd takes passwords: PasswordAuthentication".into(),
            SshError::NoCredentials { .. } => {
                "write spec.provider.ssh.identityFile, start an SSH agent, or set HEARTH_SSH_PASSWORD".into()
            }
            SshError::Jump { source, .. } => return source.hint(),
            SshError::Tunnel { .. } => {
                "does the jump host reach that address, and does its sshd allow it (AllowTcpForwarding)?".into()
            }
            SshError::Lost { .. } => "run the command again: finished steps are skipped, uploads resume".into(),
            SshError::Refused { .. } => "raise MaxSessions in the host's sshd_config to 10, its default".into(),
            SshError::NotRun { .. } => {
                "`ssh HOST true` shows the same; look at the user's shell and its files (.bashrc, .profile) on the host".into()
            }
            SshError::Sudo { user, .. } => {
                format!("allow it without a password (`{user} ALL=(ALL) NOPASSWD: ALL`), or set HEARTH_SUDO_PASSWORD")
            }
            SshError::Handshake { .. } | SshError::Login { .. } => "look at sshd's log on the host: journalctl -u ssh".into(),
            SshError::Argument | SshError::Local { .. } => return None,
        })
    }
}

/// `-p PORT USER@ADDRESS`, as OpenSSH's programs take it.
fn login(at: &At, user: &str) -> String {
    match at.address.rsplit_once(':') {
        Some((address, "22")) => format!("{user}@{address}"),
        Some((address, port)) => format!("-p {port} {user}@{address}"),
        None => format!("{user}@{}", at.address),
    }
}

/// Several hosts failed, each with its own error.
#[derive(Debug)]
pub struct SshErrors(pub Vec<SshError>);

impl fmt::Display for SshErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { "\n" }, chain(error))?;
        }
        Ok(())
    }
}

impl std::error::Error for SshErrors {}

impl Explain for SshErrors {
    fn family(&self) -> Family {
        Family::Ssh
    }

    /// The distinct hints of all errors.
    fn hint(&self) -> Option<String> {
        let mut hints: Vec<String> = Vec::new();
        for hint in self.0.iter().filter_map(Explain::hint) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        if hints.is_empty() { None } else { Some(hints.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> At {
        At { node: "n1".into(), address: "10.0.0.7:2222".into() }
    }

    #[test]
    fn a_changed_host_key_shows_both_and_the_command() {
        let error = SshError::HostKeyChanged {
            at: at(),
            expected: vec!["SHA256:aaa".into()],
            offered: "ssh-ed25519 SHA256:bbb".into(),
            accept: "ssh-keygen -R '[10.0.0.7]:2222'".into(),
        };
        let text = error.to_string();
        for part in ["n1 (10.0.0.7:2222)", "may be an attack", "SHA256:aaa", "ssh-ed25519 SHA256:bbb"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(error.hint().is_some_and(|hint| hint.ends_with("ssh-keygen -R '[10.0.0.7]:2222'")));
        assert_eq!(error.family(), Family::Ssh);
    }

    #[test]
    fn all_failures_are_told_and_a_common_hint_once() {
        let refused = || SshError::IdentityRefused { at: at(), user: "ada".into(), path: "/k".into() };
        let errors = SshErrors(vec![refused(), refused(), SshError::NoCredentials { at: at() }]);
        assert_eq!(errors.to_string().lines().count(), 3);
        let hint = errors.hint().unwrap_or_default();
        assert_eq!(hint.lines().collect::<Vec<_>>()[0], "ssh-copy-id -i /k -p 2222 ada@10.0.0.7");
        assert_eq!(hint.lines().count(), 2);
    }
}
