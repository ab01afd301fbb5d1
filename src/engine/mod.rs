//! Runs a plan: whatever is ready, in parallel within limits, with retries, cancellation, a journal
//! and events. It knows no step by name.

use std::future::Future;

use crate::error::Result;

/// stub
pub struct Progress;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "why")]
pub enum Check {
    /// The live world is already as the step wants it.
    Satisfied,
    /// The step has to run; the reason.
    Needed(String),
}

/// The behaviour behind a step kind.
pub trait Actor<K>: Send + Sync + 'static {
    /// Looks at the live world; changes nothing.
    fn check(&self, kind: &K) -> impl Future<Output = Result<Check>> + Send;
    /// Makes the world as the step wants it; safe to repeat.
    fn apply(&self, kind: &K, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
    /// Takes back what `apply` did; safe to repeat, and when nothing was done.
    fn undo(&self, kind: &K, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
}
