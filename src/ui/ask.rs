//! The question before a change.

use std::io::IsTerminal;

use super::Printer;
use crate::error::{Explain, Family};

/// Asks on the terminal whether to continue.
///
/// # Errors
/// The answer is not yes, or there is nobody to ask, which never counts as yes.
pub fn confirm(printer: &Printer, question: &str) -> Result<(), AskError> {
    if !std::io::stdin().is_terminal() {
        return Err(AskError::NotATerminal);
    }
    printer.prompt(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(AskError::Stdin)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(AskError::No),
    }
}

/// The user did not say yes.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Standard input is not a terminal.
    #[error("nobody is there to say yes")]
    NotATerminal,
    /// The answer was not yes.
    #[error("not confirmed: nothing was changed")]
    No,
    /// The answer cannot be read.
    #[error("cannot read standard input")]
    Stdin(#[source] std::io::Error),
}

impl Explain for AskError {
    fn family(&self) -> Family {
        Family::Usage
    }

    fn hint(&self) -> Option<String> {
        matches!(self, AskError::NotATerminal).then(|| "pass --yes".into())
    }
}
