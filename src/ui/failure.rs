//! How a failure is shown: what, why, what next, and where to read more.

use std::fmt::Write;
use std::path::Path;

use super::Printer;
use super::style::{BAD, DIM, NAME, paint};
use crate::error::{BoxError, chain};

/// Prints an error with its causes, the next thing to do and the debug log if there is one.
pub fn failure(printer: &Printer, error: &BoxError, log: Option<&Path>) {
    printer.error(text(error, log));
}

fn text(error: &BoxError, log: Option<&Path>) -> String {
    let mut text = format!("{} {}", paint(BAD, "error:"), chain(&**error));
    for hint in error.hint().iter().flat_map(|hints| hints.lines()) {
        let _ = write!(text, "\n{} {hint}", paint(NAME, "hint:"));
    }
    if let Some(log) = log {
        let _ = write!(text, "\n{}", paint(DIM, &format!("debug log: {}", log.display())));
    }
    text
}
