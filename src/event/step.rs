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

/// What a sink needs to know of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Its name.
    pub id: StepId,
    /// What it does, in the plan's direction.
    pub sentence: String,
    /// The heading it stands under.
    pub stage: String,
    /// The node it works on.
    pub target: Option<String>,
    /// Steps it waits for, in the plan's direction.
    pub after: Vec<StepId>,
    /// What people wait for and have once it is applied, a fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum StepOutcome {
    /// Done now.
    Applied,
    /// Nothing to do.
    Satisfied,
    /// Taken back.
    Undone,
    /// It failed.
    Failed {
        /// The message with its causes.
        error: String,
    },
    /// It never started.
    Skipped {
        /// What kept it from starting.
        reason: String,
    },
    /// Dropped while running.
    Cancelled,
}
