//! Stopping a run before its end: by Ctrl-C and other signals, or because its time is up.

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
    /// The run took longer than it was allowed to.
    Overtime(Duration),
    /// Another run has taken over what this one works on.
    Taken,
}

/// A request to stop, with its reason; cheap to clone, and all clones share it.
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

    /// Whether a stop was requested.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns once a stop is requested.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// The reason; none while no stop is requested.
    pub fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    /// The bare token, for work that has no use for the reason.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// Watches SIGINT, SIGTERM and SIGHUP from now on. The first one requests a stop; at the second, `last_words` are printed and
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
