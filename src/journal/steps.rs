//! The journal of steps: a line before and after each mutation of a plan.

use serde::{Deserialize, Serialize};

use crate::graph::StepId;

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// About to change the world.
    Applying,
    /// Done.
    Applied,
    /// Given up; something may be there.
    Failed,
    /// About to be undone.
    Undoing,
    /// Undone.
    Undone,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEntry {
    /// The wall-clock time.
    pub at: jiff::Timestamp,
    /// The run's name.
    pub run: String,
    /// The step's name.
    pub step: StepId,
    /// What the step does, in the direction of its run.
    #[serde(default)]
    pub sentence: String,
    /// How far it has come.
    pub phase: Phase,
}

impl super::Entry for StepEntry {
    fn subject(&self) -> &str {
        self.step.as_str()
    }

    fn stands(&self) -> bool {
        self.phase != Phase::Undone
    }
}

/// The steps that a run was in the middle of when it was cut off, by a kill or a power cut; empty if the last run ended by
/// itself, well or not.
pub fn cut_off(entries: &[StepEntry]) -> Vec<&StepEntry> {
    let Some(last) = entries.last() else { return Vec::new() };
    let begun = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.run == last.run && matches!(entry.phase, Phase::Applying | Phase::Undoing));
    begun.filter(|(at, entry)| !entries[at + 1..].iter().any(|later| later.step == entry.step)).map(|(_, entry)| entry).collect()
}
