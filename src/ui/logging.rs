//! The debug log: one file per run, always in detail, whatever the terminal shows.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Verbosity;
use crate::error::{Explain, Family};

/// Starts logging to `path`: Hearth's own messages from level debug, those of libraries from info; one level finer if verbose.
///
/// # Errors
/// The file cannot be created, or logging was started before.
pub fn init(path: &Path, verbosity: Verbosity) -> Result<(), LoggingError> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(path);
    let file = file.map_err(|source| LoggingError::Open { path: path.to_owned(), source })?;
    let verbose = verbosity == Verbosity::Verbose;
    let (ours, others) = if verbose { (LevelFilter::TRACE, LevelFilter::DEBUG) } else { (LevelFilter::DEBUG, LevelFilter::INFO) };
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
    let filter = Targets::new().with_target("hearth", ours).with_default(others);
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|_| LoggingError::Twice)
}

/// Why there is no debug log.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum LoggingError {
    /// The file cannot be created.
    #[error("cannot write the debug log {path}", path = .path.display())]
    Open {
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Logging was already started.
    #[error("the debug log is open already")]
    Twice,
}

impl Explain for LoggingError {
    fn family(&self) -> Family {
        match self {
            LoggingError::Open { .. } => Family::Preflight,
            LoggingError::Twice => Family::Internal,
        }
    }
}
