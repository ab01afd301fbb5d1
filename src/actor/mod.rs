//! The glue: each step kind and the call that checks, applies or undoes it. With the command line the only
//! place that sees every stage.

mod access;
mod docker;
mod images;
mod session;
mod settled;

pub use docker::{DockerActor, gateway_answers};
pub use session::Session;
