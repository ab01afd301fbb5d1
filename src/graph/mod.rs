//! Plans as graphs of steps, whatever the steps are: what the engine runs, the names that events and the journal use for steps,
//! and how a plan is printed.
//!
//! In: steps, each with the steps before it. Out: a plan in an order in which it can run, or the reason why there is
//! none. Nothing is touched.

mod plan;
pub mod render;

use std::time::Duration;

use serde::Serialize;

pub use plan::{Plan, PlanBuilder, PlanError, Step, StepId};

/// What the engine and the renderers need to know about the content of a step.
pub trait Kind: Clone + Send + Sync + Serialize + 'static {
    /// What the step will do, one sentence in the imperative without a full stop: "Create node `demo-worker`".
    fn sentence(&self) -> String;
    /// What undoing it will do, in the same form.
    fn undo_sentence(&self) -> String {
        let sentence = self.sentence();
        let mut letters = sentence.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        format!("Undo: {}{}", first.map(String::from).unwrap_or_default(), letters.as_str())
    }
    /// The heading it is listed under in a printed plan, for example "Nodes".
    fn stage(&self) -> &'static str {
        ""
    }
    /// The node it works on, if it works on one; steps are limited per target.
    fn target(&self) -> Option<&str>;
    /// How much it disturbs what already runs.
    fn class(&self) -> Class;
    /// How long and how often it is tried.
    fn limits(&self) -> StepLimits {
        StepLimits::default()
    }
    /// Whether it only waits. Such a step takes no slot of the limits, and is dropped as soon as the run is cancelled.
    fn interruptible(&self) -> bool {
        false
    }
    /// What users are waiting for and have once it is done, for example "first 200"; printed with its time at the end of the
    /// run.
    fn milestone(&self) -> Option<&'static str> {
        None
    }
}

/// How long and how often a step is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepLimits {
    /// Time for the whole step: check, all attempts and the pauses between them.
    pub deadline: Duration,
    /// Whether it may take as long as the whole run if that is longer: nothing but the network decides how long it takes.
    pub patient: bool,
    /// Time for one look at the live world.
    pub check: Duration,
    /// Attempts in all; 1 means no retry.
    pub attempts: u32,
    /// Pause before the second attempt; doubled for each further one, up to 15 s.
    pub pause: Duration,
}

impl StepLimits {
    /// Five minutes, and no second try.
    pub const USUAL: StepLimits = StepLimits {
        deadline: Duration::from_secs(300),
        patient: false,
        check: Duration::from_secs(20),
        attempts: 1,
        pause: Duration::from_secs(1),
    };

    /// The same limits with another deadline, in seconds.
    pub const fn within(self, seconds: u64) -> Self {
        StepLimits { deadline: Duration::from_secs(seconds), ..self }
    }

    /// The same limits for a step that may take as long as the run.
    pub const fn patient(self) -> Self {
        StepLimits { patient: true, ..self }
    }

    /// The deadline in a run that may take so long itself.
    pub fn deadline_in(&self, run: Duration) -> Duration {
        if self.patient { self.deadline.max(run) } else { self.deadline }
    }

    /// The same limits with more attempts: for what may be refused once and work a moment later, and where a second try does no
    /// harm.
    pub const fn attempts(self, attempts: u32) -> Self {
        StepLimits { attempts, ..self }
    }
}

impl Default for StepLimits {
    fn default() -> Self {
        StepLimits::USUAL
    }
}

/// How much a step disturbs what already runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Changes things in place; nothing notices.
    InPlace,
    /// Something restarts.
    Restart,
    /// Something is removed.
    Destroy,
}

/// What a look at the live world found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "why")]
pub enum Check {
    /// The live world is already as the step wants it.
    Satisfied,
    /// The step has to run, for this reason.
    Needed(String),
}
