//! Runs a plan: whatever is ready, in parallel within limits, with retries, cancellation, a journal
//! and events. It knows no step by name.
//!
//! Enters: a plan, and an [`Actor`] that knows what steps do. Leaves: an [`Outcome`], and events on the way. Only the journal is
//! touched here; everything else by the actor.
//!
//! [`run`] checks each step and applies it when needed; after a failure or a cancellation it starts nothing
//! new and lets what runs finish. Running it again resumes: satisfied steps are passed over. Undone, a plan is taken
//! back from its end, and errors are collected instead of stopping. [`check_all`] only looks.
//!
//! Not supported: a step that yields a value to another one. What a later step needs it reads from the live world.

mod attempt;
mod check;
mod executor;
pub mod interrupt;
mod outcome;
mod stopped;
#[cfg(test)]
mod tests;

use std::future::Future;

pub use check::check_all;
pub use executor::{Options, run};
pub use interrupt::{Cancel, Reason};
pub use outcome::{Outcome, StepError, StepFailure};
pub use stopped::Stopped;

pub use crate::graph::Check;

use crate::error::Result;
use crate::progress::Progress;

/// The behaviour behind a step kind.
pub trait Actor<K>: Send + Sync + 'static {
    /// Looks at the live world; changes nothing.
    fn check(&self, kind: &K) -> impl Future<Output = Result<Check>> + Send;
    /// Makes the world as the step wants it; safe to repeat.
    fn apply(&self, kind: &K, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
    /// Takes back what `apply` did; safe to repeat, and when nothing was done.
    fn undo(&self, kind: &K, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
}
