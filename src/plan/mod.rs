//! The plan: a graph of steps, a plain serialisable value. [`build`](self) turns a profile into one,
//! the engine runs it, `hearth plan` prints it: all three see the same value.

pub mod graph;

use serde::Serialize;

pub use graph::{Plan, PlanError, Step, StepId};

/// What the engine and the renderers need to know of a step's content.
pub trait Kind: Clone + Send + Sync + Serialize + 'static {
    /// What the step will do, one sentence in the imperative without a full stop: "Create node `demo-worker`".
    fn sentence(&self) -> String;
    /// The node it works on, if it works on one; steps are limited per target.
    fn target(&self) -> Option<&str>;
    /// How much it disturbs what already runs.
    fn class(&self) -> Class;
}

/// How much a step disturbs what already runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Changes things in place; nothing notices.
    InPlace,
    /// Something restarts.
    Restart,
    /// Something is made anew.
    Recreate,
    /// Something is removed.
    Destroy,
}
