//! `hearth was`: the sample application server, which is the entrypoint of the WAS image.

use std::process::ExitCode;

use crate::error::{BoxError, Explain};
use crate::ui::{Printer, failure};

/// It has its own small runtime, so it runs instead of ours.
pub fn run(printer: &Printer) -> ExitCode {
    match crate::was::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.family().code();
            failure(printer, &BoxError::from(error), None);
            ExitCode::from(code)
        }
    }
}
