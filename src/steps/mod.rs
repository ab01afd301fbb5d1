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
#[allow(clippy::module_inception)] // the room is named after what it holds; this file is the list of them
mod steps;

pub use hosts::Leases;
pub use session::Session;
pub use steps::Steps;
use steps::gateway_answers;
