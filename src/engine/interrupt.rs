//! Stopping a run before its end: by Ctrl-C and other signals, or because its time is over.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Family;

/// What stopped a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A signal, for example `SIGINT`.
    Signal(&'static str),
    /// It took longer than it was allowed to.
    Overtime(Duration),
    /// What it works on is not its own any more.
    Taken,
}

/// A request to stop, with its reason; cheap to clone, and all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
}

impl Cancel {
    /// Asks to stop. Only the first reason counts.
    pub fn cancel(&self, reason: Reason) {
        let _later = self.reason.set(reason);
        self.token.cancel();
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns once somebody has asked.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Why; none while nobody has asked.
    pub fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    /// For work that has no use for the reason.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// Watches SIGINT, SIGTERM and SIGHUP from now on. The first one asks to stop; at the next, `last_words` are said and
/// the process exits with code 130 at once. Needs a Tokio runtime.
///
/// # Errors
/// When the operating system refuses a signal handler.
pub fn install(last_words: impl FnOnce() + Send + 'static) -> io::Result<Cancel> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let asked = Cancel::default();
    let cancel = asked.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
                _ = hang_up.recv() => "SIGHUP",
            }
        };
        cancel.cancel(Reason::Signal(next().await));
        next().await;
        last_words();
        std::process::exit(Family::Interrupted.code().into());
    });
    Ok(asked)
}
