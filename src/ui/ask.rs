//! The question before a change.

use std::io::IsTerminal;

use super::Printer;
use crate::error::{Explain, Family};

/// Asks whether to go on, on the terminal.
///
/// # Errors
/// The answer is not yes, or there is nobody to ask: that is an error, never a yes.
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

/// There was no yes.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Standard input is no terminal.
    #[error("nobody is there to say yes")]
    NotATerminal,
    /// Any other answer.
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
