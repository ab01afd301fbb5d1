//! The connection to a cluster's API server.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{ClusterError, pki::Pki};
use crate::progress::Progress;

/// A client of the API server at `server`, a URL, with full rights: its certificate is signed here, so it works from the
/// API server's first second.
pub async fn client(pki: &Pki, server: &str) -> Result<Client, ClusterError> {
    let connect = |error: &dyn std::error::Error| ClusterError::Connect { reason: crate::error::chain(error) };
    let kubeconfig = pki.kubeconfig("hearth", server, "hearth", "system:masters")?;
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| connect(&error))?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(|error| connect(&error))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // a control plane that lost its power answers nothing, and TCP would wait a quarter of an hour for it; a watch that is cut
    // off starts over
    config.read_timeout = Some(Duration::from_secs(30));
    config.reset_reader_on_write = true;
    config.proxy_url = None;
    Client::try_from(config).map_err(|error| connect(&error))
}

/// Why the API server is not ready to serve; none when it is.
pub async fn trouble(client: &Client) -> Option<String> {
    let request = http::Request::get("/readyz").body(Vec::new()).ok()?;
    match client.request_text(request).await {
        Ok(text) if text == "ok" => None,
        Ok(text) => Some(format!("its /readyz says {text}")),
        Err(kube::Error::Api(status)) => Some(format!("its /readyz says {}", status.message)),
        Err(error) => Some(match innermost(&error).as_str() {
            elapsed if elapsed.contains("elapsed") || elapsed.contains("timed out") => {
                "nothing comes back: it hangs, or a firewall is in the way".to_owned()
            }
            other => other.to_owned(),
        }),
    }
}

/// The innermost cause, which is what happened; the outer ones only pass it on.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Waits until the API server is ready to serve, and reports why it is not. There is nothing to watch before it answers, so it
/// is polled every 50 ms; a refused connection costs next to nothing.
pub async fn wait_ready(client: &Client, limit: Duration, progress: &Progress) -> Result<(), ClusterError> {
    let ready = async {
        while let Some(trouble) = trouble(client).await {
            progress.say(trouble);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, ready).await.map_err(|_| ClusterError::NotReady {
        what: "the API server".into(),
        limit,
        state: progress.last().unwrap_or_else(|| "its /readyz does not say ok".into()),
    })
}
