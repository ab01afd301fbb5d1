//! WAS, the sample application server that the same binary carries: a MySQL-backed API whose answers name the pod that
//! answered, with slowness and failures that can be switched on. `hearth was` runs it, in an image that contains nothing but
//! this binary; the cluster's readiness check uses its probes.
//!
//! In: environment variables and requests. Out: answers. Only its database is touched.

mod behaviour;
mod config;
mod items;
mod probe;
mod routes;

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Database};

use crate::error::{Explain, Family};

/// How long requests in flight may take once the server was told to stop.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// Why WAS did not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum WasError {
    /// The value of an environment variable is not valid.
    #[error("{name} is `{value}`, expected {expected}")]
    Setting {
        name: &'static str,
        value: String,
        /// What the value should be.
        expected: &'static str,
    },
    /// The password file cannot be read.
    #[error("cannot read the password file {path}")]
    PasswordFile {
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// The port cannot be opened, or the runtime cannot be set up.
    #[error("cannot serve on port {port}")]
    Listen {
        port: u16,
        #[source]
        source: std::io::Error,
    },
}

impl Explain for WasError {
    fn family(&self) -> Family {
        match self {
            WasError::Setting { .. } | WasError::PasswordFile { .. } => Family::Usage,
            WasError::Listen { .. } => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            WasError::Setting { name, .. } => Some(format!("set or unset {name}")),
            WasError::PasswordFile { .. } => Some("check MYSQL_PASSWORD_FILE and who may read the file".into()),
            WasError::Listen { .. } => Some("choose another port with PORT".into()),
        }
    }
}

/// `hearth was`: configuration from the environment, one thread, until SIGTERM or SIGINT.
pub fn run() -> Result<(), WasError> {
    let config = Config::from_env()?;
    let port = config.port;
    let listen = |source| WasError::Listen { port, source };
    // one thread is enough for a sample application and keeps it small
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build().map_err(listen)?;
    runtime.block_on(async {
        // signals have no default action for PID 1: both are handled, or nothing would end the process
        let mut terminate = signal(SignalKind::terminate()).map_err(listen)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(listen)?;
        let shutdown = async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        serve(config, shutdown).await
    })
}

/// Serves on the configured port until `shutdown` resolves, then drains: at once not ready, still accepting for
/// [`Config::drain`], then finishing requests in flight for at most 10 seconds.
pub async fn serve(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), WasError> {
    let port = config.port;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map_err(|source| WasError::Listen { port, source })?;
    serve_on(listener, config, shutdown).await
}

/// [`serve`] on an open socket.
async fn serve_on(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), WasError> {
    let (port, drain) = (config.port, config.drain);
    let (draining, stop) = (CancellationToken::new(), CancellationToken::new());
    tokio::spawn({
        let (draining, stop) = (draining.clone(), stop.clone());
        async move {
            shutdown.await;
            draining.cancel();
            // the cluster keeps sending requests until every node knows that this pod is leaving
            sleep(drain).await;
            stop.cancel();
        }
    });
    let listener = listener.tap_io(|connection| {
        // otherwise a small answer can wait for the acknowledgement of the previous one; a failure to set this costs only time
        let _ = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, routes::router(config, draining)).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        ended = server => ended.map_err(|source| WasError::Listen { port, source }),
        () = async { stop.cancelled().await; sleep(FINISH_LIMIT).await } => Ok(()),
    }
}

#[cfg(test)]
mod tests;
