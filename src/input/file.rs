//! The text of a file that a user named.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Explain, Family};

/// Reads a file; `what` it is supposed to be, such as `profile`, is for messages.
///
/// # Errors
/// It is missing, or no text.
pub fn read_file(what: &'static str, path: &Path) -> Result<String, Unreadable> {
    std::fs::read_to_string(path).map_err(|source| Unreadable { what, path: path.to_owned(), source })
}

/// A file that the user named cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what} {}", path.display())]
pub struct Unreadable {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Explain for Unreadable {
    fn family(&self) -> Family {
        Family::Profile
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.source.kind() {
            ErrorKind::IsADirectory => "that is a folder: name a file in it",
            ErrorKind::InvalidData => "that is not text: is it the file you mean? A YAML file in UTF-8 is expected",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
