//! Runs a plan: whatever is ready, in parallel within limits, with retries, cancellation, a journal
//! and events. It knows no step by name.
//!
//! In: a plan, and an [`Actor`] that carries out its steps. Out: an [`Outcome`], and events on the way. The engine
//! itself touches only the journal; the actor touches everything else.
//!
//! [`run`] checks each step and applies it when needed; after a failure or a cancellation it starts nothing new and lets
//! running steps finish. Running it again resumes: satisfied steps are skipped. To undo a plan, it is taken back from its end,
//! and errors are collected instead of stopping. [`check_all`] only looks.
//!
//! Not supported: a step that passes a value to another one. Later steps read what they need from the live world.

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

/// What the steps of a kind do.
pub trait Actor<K>: Send + Sync + 'static {
    /// Looks at the live world; changes nothing.
    fn check(&self, kind: &K) -> impl Future<Output = Result<Check>> + Send;
    /// Brings the world to what the step promises; safe to repeat.
    fn apply(&self, kind: &K, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
    /// Takes back what `apply` did; safe to repeat, also if nothing was done.
    fn undo(&self, kind: &K, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
}
