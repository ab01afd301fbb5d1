//! Ctrl-C: the first one asks the run to stop, the second one ends the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Family;

/// Watches SIGINT and SIGTERM from now on. The first of either cancels the token; the next exits with
/// code 130 at once. Needs a Tokio runtime.
///
/// # Errors
/// When the operating system refuses a signal handler.
pub fn install() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(Family::Interrupted.code().into());
            }
            cancel.cancel();
        }
    });
    Ok(token)
}
