//! The plan: a graph of steps, a plain serialisable value. [`build`](self) turns a profile into one,
//! the engine runs it, `hearth plan` prints it: all three see the same value.

pub mod build;
mod step;

pub use step::StepKind;
