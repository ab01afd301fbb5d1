//! Settings from the user's environment, with secrets that appear in no log, no command line and no debug text.

use std::fmt;
use std::path::{Path, PathBuf};

/// A password or passphrase. It cannot be printed by mistake.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, for sending it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is read from the process's environment, once.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`: for `~` in the identity file, and for the user's known_hosts.
    pub home: Option<PathBuf>,
    /// `SSH_AUTH_SOCK`: the agent's socket.
    pub agent: Option<PathBuf>,
    /// `HEARTH_SSH_PASSPHRASE`: for an encrypted identity file.
    pub passphrase: Option<Secret>,
    /// `HEARTH_SSH_PASSWORD`: the login user's password.
    pub password: Option<Secret>,
    /// `HEARTH_SUDO_PASSWORD`: the password that sudo asks the login user for.
    pub sudo_password: Option<Secret>,
}

impl Environment {
    /// The environment of this process. A variable that is set but empty counts as not set.
    pub fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let secret = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Secret);
        Environment {
            home: path("HOME"),
            agent: path("SSH_AUTH_SOCK"),
            passphrase: secret("HEARTH_SSH_PASSPHRASE"),
            password: secret("HEARTH_SSH_PASSWORD"),
            sudo_password: secret("HEARTH_SUDO_PASSWORD"),
        }
    }

    /// A path as the user wrote it, with a leading `~/` replaced.
    pub(super) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }

    /// The user's own known_hosts.
    pub(super) fn known_hosts(&self) -> PathBuf {
        self.home.as_deref().unwrap_or(Path::new("/")).join(".ssh/known_hosts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_printed() {
        let environment = Environment { sudo_password: Some(Secret::new("hunter2")), ..Environment::default() };
        let text = format!("{environment:?}");
        assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let environment = Environment { home: Some("/home/ada".into()), ..Environment::default() };
        assert_eq!(environment.expand("~/.ssh/id"), Path::new("/home/ada/.ssh/id"));
        assert_eq!(environment.expand("/etc/~/id"), Path::new("/etc/~/id"));
        assert_eq!(environment.known_hosts(), Path::new("/home/ada/.ssh/known_hosts"));
    }
}
