//! Ctrl-C: the first one asks the run to stop, the second one ends the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Family;

/// Watches SIGINT and SIGTERM from now on. The first of either cancels the token; at the next, `last_words`
/// are said and the process exits with code 130 at once. Needs a Tokio runtime.
///
/// # Errors
/// When the operating system refuses a signal handler.
pub fn install(last_words: impl FnOnce() + Send + 'static) -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        cancel.cancel();
        next().await;
        last_words();
        std::process::exit(Family::Interrupted.code().into());
    });
    Ok(token)
}
