//! The connection to a cluster's API server.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{ClusterError, pki::Pki};

/// A client of the API server at `server`, a URL, with full rights: its certificate is signed here, so it works from the
/// API server's first second.
pub async fn client(pki: &Pki, server: &str) -> Result<Client, ClusterError> {
    let connect = |error: &dyn std::error::Error| ClusterError::Connect { reason: crate::error::chain(error) };
    let kubeconfig = pki.kubeconfig("hearth", server, "hearth", "system:masters")?;
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| connect(&error))?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(|error| connect(&error))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // a control plane that lost its power answers nothing, and TCP would wait for it for a quarter of an hour; a watch that is
    // cut off begins again
    config.read_timeout = Some(Duration::from_secs(30));
    config.reset_reader_on_write = true;
    config.proxy_url = None;
    Client::try_from(config).map_err(|error| connect(&error))
}

/// True when the API server says it is ready to serve.
pub async fn is_ready(client: &Client) -> bool {
    let request = http::Request::get("/readyz").body(Vec::new());
    match request {
        Ok(request) => client.request_text(request).await.is_ok_and(|text| text == "ok"),
        Err(_) => false,
    }
}

/// Waits until the API server is ready to serve. There is nothing to watch before it answers, so it is asked
/// every 50 ms; a refused connection costs next to nothing.
pub async fn wait_ready(client: &Client, limit: Duration) -> Result<(), ClusterError> {
    let ready = async {
        while !is_ready(client).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, ready).await.map_err(|_| ClusterError::NotReady {
        what: "the API server".into(),
        limit,
        state: "its /readyz does not say ok".into(),
    })
}
