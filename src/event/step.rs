//! Steps as events describe them.

use serde::{Deserialize, Serialize};

use crate::graph::StepId;

/// Which way a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Steps are applied, dependencies first.
    Apply,
    /// Steps are undone, dependents first.
    Undo,
}

/// What a sink needs to know about a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInfo {
    /// The step's name.
    pub id: StepId,
    /// What the step does, in the plan's direction.
    pub sentence: String,
    /// The heading it is listed under.
    pub stage: String,
    /// The node it works on.
    pub target: Option<String>,
    /// Steps that have to finish before it, in the plan's direction.
    pub after: Vec<StepId>,
    /// What users are waiting for and have once it is applied, as a fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum StepOutcome {
    /// It changed something, and succeeded.
    Applied,
    /// There was nothing to do.
    Satisfied,
    /// It was taken back.
    Undone,
    /// It failed.
    Failed {
        /// The message with its causes.
        error: String,
    },
    /// It never started.
    Skipped {
        /// Why it did not start.
        reason: String,
    },
    /// It was dropped while running.
    Cancelled,
}
