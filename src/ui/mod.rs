//! The only writer to the terminal.
//!
//! In: events, results and questions. Out: data on stdout, messages on stderr, and the user's answer. Only the terminal and the
//! debug log are touched.

mod ask;
mod board;
mod failure;
mod json_lines;
pub mod logging;
mod printer;
mod progress;
mod region;
mod scenario;
mod style;
mod terminal;
#[cfg(test)]
mod tests;
mod timing;
mod visible;

pub use ask::{AskError, confirm};
pub use failure::failure;
pub use json_lines::JsonLines;
pub use printer::{OutputError, Printer, Verbosity};
pub use progress::Display;
pub use timing::{milestones, timing_table};
