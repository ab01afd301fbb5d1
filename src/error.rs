//! What every error of Hearth can tell: its exit-code family and the next thing to do.

use std::fmt::Write;

/// Exit-code families, one per kind of trouble; `hearth --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Family {
    /// The system under test failed a scenario or comparison.
    Scenario = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The profile or another input file is wrong.
    Profile = 10,
    /// The machine or environment cannot take what the profile asks for.
    Preflight = 20,
    /// The Docker engine is absent, too old, or failed.
    Docker = 30,
    /// An image or file could not be had.
    Artifact = 40,
    /// SSH failed.
    Ssh = 50,
    /// kubeadm or a program on a node failed.
    Kubeadm = 60,
    /// Something did not become ready in time.
    NotReady = 70,
    /// A component could not be installed.
    Component = 80,
    /// Clean-up left something behind.
    Leftover = 90,
    /// A mistake in Hearth itself.
    Internal = 101,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl Family {
    /// The process's exit code for this family.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// An error a user can act on: every error type of the crate implements this.
pub trait Explain: std::error::Error {
    /// Which exit code it leads to.
    fn family(&self) -> Family;
    /// The next thing to do, one sentence, if there is one better than reading the message.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Any [`Explain`] error, as it travels from a stage to the command line.
pub type BoxError = Box<dyn Explain + Send + Sync>;

/// `Result` with a [`BoxError`].
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

impl<E: Explain + Send + Sync + 'static> From<E> for BoxError {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}

/// The message with its chain of causes, one line each, without repeats.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let line = inner.to_string();
        if !text.contains(&line) {
            let _ = write!(text, "\n  caused by: {line}");
        }
        cause = inner.source();
    }
    text
}
