//! Whether the application answers through the gateway: the first 200 is what a bring-up is for.

use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::ComponentError;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// No proxy stands between this machine and the gateway, whatever the environment says of others.
static CLIENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
    ureq::Agent::config_builder().proxy(None).max_idle_connections(0).timeout_global(Some(PATIENCE)).build().new_agent()
});

/// True when the application answers 200 at the gateway's address.
pub async fn is_given(vip: Ipv4Addr) -> bool {
    // a status other than those of success is an error
    let ask = move || CLIENT.get(url(vip)).call().is_ok_and(|answer| answer.status() == 200);
    spawn_blocking(ask).await.unwrap_or(false)
}

/// Waits for a 200. Nothing gives notice of the address's first answer, so it is asked, ten times a second.
///
/// # Errors
/// [`ComponentError::NoAnswer`] when `limit` passes.
pub async fn wait(vip: Ipv4Addr, limit: Duration) -> Result<(), ComponentError> {
    let start = Instant::now();
    while !is_given(vip).await {
        if start.elapsed() > limit {
            return Err(ComponentError::NoAnswer { url: url(vip), limit });
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// What is asked: a path that web passes on to WAS.
pub fn url(vip: Ipv4Addr) -> String {
    format!("http://{vip}/api/whoami")
}
