//! What a run tells while it goes on. The run never prints: whoever shows something is a [`Sink`].

use serde::Serialize;

use super::record::Verdict;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum ProgressEvent {
    /// A change that an earlier run had left was taken back.
    Healed {
        /// What was changed.
        object: String,
    },
    /// How good the generator is on this machine is measured.
    Calibrating,
    /// A trial begins.
    Trial {
        /// What kind.
        trial: Trial,
    },
    /// An object gets changed, or changed back.
    Changing {
        /// Which.
        object: String,
        /// True when a change is taken back.
        back: bool,
    },
    /// A part of a trial begins.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// The load so far, some times a second.
    Load {
        /// Requests with a known fate.
        requests: u64,
        /// Of them, failed ones.
        failed: u64,
    },
    /// A pod gets killed.
    Kill {
        /// The victim.
        pod: String,
        /// Its node.
        node: String,
        /// Which kill this is, from 1.
        number: u32,
        /// How many there will be.
        of: u32,
    },
    /// As many pods are ready as before.
    Replaced {
        /// Milliseconds since the kill.
        after_ms: f64,
    },
    /// The steady state holds.
    Steady {
        /// Milliseconds since the load began, or since the last fault.
        after_ms: f64,
    },
    /// It is over.
    Finished {
        /// How it ended.
        verdict: Verdict,
    },
}

/// The two trials of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trial {
    /// As the scenario is written.
    Claim,
    /// With what the claim rests on taken away.
    Control,
}

/// Parts of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Waiting for the steady state.
    Before,
    /// Faults.
    Faults,
    /// Waiting for the steady state to come back.
    After,
    /// Waiting for requests in flight.
    Drain,
}

/// Takes what a run tells; must not block.
pub trait Sink: Send + Sync {
    /// Something happened.
    fn event(&self, event: ProgressEvent);
}

impl<F: Fn(ProgressEvent) + Send + Sync> Sink for F {
    fn event(&self, event: ProgressEvent) {
        self(event);
    }
}
