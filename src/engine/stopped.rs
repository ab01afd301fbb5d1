//! The error of a run that was stopped before its end.

use std::fmt;
use std::time::Duration;

use super::interrupt::Reason;
use super::outcome::{StepFailure, hints, list};
use crate::error::{Explain, Family};

/// A run was stopped before its end.
#[derive(Debug)]
pub struct Stopped {
    /// What stopped it.
    pub reason: Reason,
    /// Sentences of the steps that were dropped while running.
    pub unfinished: Vec<String>,
    /// Steps that failed before the stop.
    pub failures: Vec<StepFailure>,
}

impl Stopped {
    /// A run that was stopped before it had a plan.
    pub fn early(reason: Reason) -> Stopped {
        Stopped { reason, unfinished: Vec::new(), failures: Vec::new() }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Signal("SIGINT") => f.write_str("interrupted before everything was done")?,
            Reason::Signal(name) => write!(f, "ended by {name} before everything was done")?,
            Reason::Taken => f.write_str("stopped, as another run may work on the same hosts")?,
            Reason::Overtime(limit) => write!(f, "not done within {} (--timeout)", spelled(limit))?,
        }
        if let (Reason::Overtime(_), false) = (self.reason, self.unfinished.is_empty()) {
            write!(f, ": dropped while running")?;
            self.unfinished.iter().try_for_each(|sentence| write!(f, "\n- {sentence}"))?;
        }
        list(f, &self.failures)
    }
}

impl std::error::Error for Stopped {}

impl Explain for Stopped {
    fn family(&self) -> Family {
        match self.reason {
            Reason::Signal(_) => Family::Interrupted,
            Reason::Taken => Family::Preflight,
            Reason::Overtime(_) => Family::NotReady,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(hints(&self.failures).unwrap_or_else(|| match self.reason {
            Reason::Signal(_) | Reason::Taken => "run the same command again to go on from here".to_owned(),
            Reason::Overtime(_) => "run the same command again to go on from here, or give it a longer --timeout".to_owned(),
        }))
    }
}

/// As a user would type it: `90s`, `15min`.
fn spelled(limit: Duration) -> String {
    match limit.as_secs() {
        0 => format!("{limit:?}"),
        seconds if seconds % 60 == 0 => format!("{}min", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}
