//! How a run ended, and what to report about it.

use std::fmt;
use std::time::Duration;

use super::stopped::Stopped;
use crate::error::{self, BoxError, Explain, Family};
use crate::graph::StepId;
use crate::journal::JournalError;

/// How a run ended.
#[must_use]
#[derive(Debug)]
pub enum Outcome {
    /// Every step is done.
    Completed {
        /// Number of steps that had something to do.
        applied: usize,
        /// Number of steps that had nothing to do.
        satisfied: usize,
    },
    /// At least one step failed.
    Failed {
        /// Every failure, in the order in which they happened.
        failures: Vec<StepFailure>,
    },
    /// The run was stopped before every step was done.
    Cancelled(Stopped),
}

impl Outcome {
    /// The outcome as a result for the command line.
    ///
    /// # Errors
    /// One error that lists every failure; for a run that was stopped, its family depends on the reason.
    pub fn into_result(self) -> error::Result<()> {
        match self {
            Outcome::Completed { .. } => Ok(()),
            Outcome::Failed { mut failures } if failures.len() == 1 => Err(failures.remove(0).into()),
            Outcome::Failed { failures } => Err(SeveralFailed { failures }.into()),
            Outcome::Cancelled(stopped) => Err(stopped.into()),
        }
    }
}

/// A step and its error.
#[derive(Debug)]
pub struct StepFailure {
    /// The step's name.
    pub id: StepId,
    /// What the step was doing.
    pub sentence: String,
    /// What went wrong.
    pub error: StepError,
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.sentence.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        write!(f, "failed to {}{}", first.map(String::from).unwrap_or_default(), letters.as_str())
    }
}

impl std::error::Error for StepFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.error {
            StepError::Actor(error) => Some(&**error),
            error => Some(error),
        }
    }
}

impl Explain for StepFailure {
    fn family(&self) -> Family {
        self.error.family()
    }
    fn hint(&self) -> Option<String> {
        self.error.hint()
    }
}

/// What can go wrong with one step.
#[derive(Debug)]
pub enum StepError {
    /// The step itself failed, at its last attempt.
    Actor(BoxError),
    /// The step panicked: a mistake in Hearth.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The deadline passed.
    Deadline {
        /// The deadline.
        after: Duration,
        /// The error of the last failed attempt.
        last: Option<BoxError>,
        /// The last thing the step reported.
        said: Option<String>,
    },
    /// The journal could not be written, so nothing was touched.
    Journal(JournalError),
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepError::Actor(error) => write!(f, "{error}"),
            StepError::Panicked { message } => write!(f, "a mistake in Hearth: {message}"),
            StepError::Deadline { after, last: None, said: Some(said) } => {
                write!(f, "not done within {after:?}; last seen: {said}")
            }
            StepError::Deadline { after, .. } => write!(f, "not done within {after:?}"),
            StepError::Journal(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StepError::Actor(error) => error.source(),
            StepError::Deadline { last: Some(error), .. } => Some(&**error),
            StepError::Journal(error) => error.source(),
            StepError::Panicked { .. } | StepError::Deadline { last: None, .. } => None,
        }
    }
}

impl Explain for StepError {
    fn family(&self) -> Family {
        match self {
            StepError::Actor(error) | StepError::Deadline { last: Some(error), .. } => error.family(),
            StepError::Deadline { last: None, .. } => Family::NotReady,
            StepError::Journal(error) => error.family(),
            StepError::Panicked { .. } => Family::Internal,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            StepError::Actor(error) | StepError::Deadline { last: Some(error), .. } => error.hint(),
            StepError::Journal(error) => error.hint(),
            StepError::Panicked { .. } | StepError::Deadline { last: None, .. } => None,
        }
    }
}

/// Several steps failed; the message lists each.
#[derive(Debug)]
struct SeveralFailed {
    failures: Vec<StepFailure>,
}

impl fmt::Display for SeveralFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps failed", self.failures.len())?;
        list(f, &self.failures)
    }
}

impl std::error::Error for SeveralFailed {}

impl Explain for SeveralFailed {
    fn family(&self) -> Family {
        self.failures.first().map_or(Family::Internal, Explain::family)
    }
    fn hint(&self) -> Option<String> {
        hints(&self.failures)
    }
}

/// Each failure with its causes, on separate lines.
pub(super) fn list(f: &mut fmt::Formatter<'_>, failures: &[StepFailure]) -> fmt::Result {
    for failure in failures {
        write!(f, "\n- {}", error::chain(failure).replace('\n', "\n  "))?;
    }
    Ok(())
}

/// The distinct hints, one after the other.
pub(super) fn hints(failures: &[StepFailure]) -> Option<String> {
    let mut hints: Vec<String> = failures.iter().filter_map(Explain::hint).collect();
    hints.dedup();
    (!hints.is_empty()).then(|| hints.join("\n"))
}
