//! Trials, their phases, and the verdicts of scenarios, as events describe them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The two trials of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trial {
    /// As the scenario is written.
    Claim,
    /// With what the claim depends on taken away.
    Control,
}

/// Parts of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Waiting for the steady state.
    Before,
    /// While faults are injected.
    Faults,
    /// Waiting for the steady state to come back.
    After,
    /// Waiting for the requests still in flight.
    Drain,
}

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every assertion holds, and the control failed as it must.
    Pass,
    /// The system under test broke an assertion or did not recover.
    Fail,
    /// The cluster lacks what the scenario needs.
    Skipped,
    /// The measurement does not count: no steady state to start from, or a generator that could not keep up.
    Invalid,
    /// The assertions hold, but they also hold without what the claim depends on: the test proves nothing.
    Inconclusive,
    /// The run itself went wrong or was interrupted.
    Error,
}

impl Verdict {
    /// The verdict as reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Skipped => "SKIPPED",
            Verdict::Invalid => "INVALID",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Error => "ERROR",
        }
    }
}
