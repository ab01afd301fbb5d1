//! The glue: each step kind and the call that checks, applies or undoes it. With the command line the only
//! place that sees every stage.

mod access;
mod docker;
mod error;
mod hosts;
mod images;
mod programs;
mod session;
mod settled;
mod ssh;
mod steps;

pub use hosts::Leases;
pub use session::Session;
pub use steps::Steps;
use steps::gateway_answers;
