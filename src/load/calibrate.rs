//! How good the generator is on this machine, measured before every run: the same schedule against a server that does nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::loopback::{Misbehaviour, Server};
use super::{Arrivals, Distribution, LoadError, LoadPlan, Order, Priority, Target, start};

/// Connections used for calibrating.
const CONNECTIONS: u32 = 4;

/// The generator measured against a server that does nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// Number of requests sent.
    pub requests: u64,
    /// Number of requests without a good answer; unless this is 0, nothing can be measured on this machine.
    pub failed: u64,
    /// Share of the due requests that were sent.
    pub offered_share: f64,
    /// How the generator's thread was scheduled.
    pub priority: Priority,
    /// How late requests were sent, median.
    pub release_error_p50_ms: f64,
    /// How late requests were sent, 99th percentile.
    pub release_error_p99_ms: f64,
    /// Median latency: smaller latencies cannot be distinguished.
    pub latency_p50_ms: f64,
    /// Latency, 99th percentile.
    pub latency_p99_ms: f64,
}

/// Runs `arrivals` for `lasts` against a server in this process.
///
/// # Errors
/// Neither the server nor the generator could be set up.
pub async fn calibrate(arrivals: Arrivals, lasts: Duration) -> Result<Calibration, LoadError> {
    let server = Server::start(Misbehaviour::default())
        .map_err(|source| LoadError::System { action: "start the calibration's server", source })?;
    let running = start(LoadPlan {
        targets: vec![Target::get(server.address, "loopback", "/")],
        order: Order::Single,
        body: None,
        arrivals,
        connections: CONNECTIONS,
        timeout: Duration::from_secs(5),
        drain: Duration::from_secs(5),
        run: "calibration".into(),
        capture: Vec::new(),
    })
    .await?;
    let priority = running.priority;
    tokio::time::sleep(lasts).await;
    let lasted = running.started.elapsed().as_nanos() as u64;
    let ledger = running.finish().await;
    let release = Distribution::of(ledger.entries.iter().map(super::Entry::release_error));
    let latency = Distribution::of(ledger.entries.iter().map(|entry| entry.latency(0)));
    let due = (0..).take_while(|sequence| arrivals.due(*sequence) <= lasted).count();
    let sent = ledger.entries.iter().filter(|entry| entry.outcome != super::Outcome::NotSent).count();
    Ok(Calibration {
        offered_share: if due > 0 { (sent as f64 / due as f64).min(1.0) } else { 1.0 },
        requests: ledger.entries.len() as u64,
        failed: ledger.failed(),
        priority,
        release_error_p50_ms: release.quantile_ms(0.5),
        release_error_p99_ms: release.quantile_ms(0.99),
        latency_p50_ms: latency.quantile_ms(0.5),
        latency_p99_ms: latency.quantile_ms(0.99),
    })
}
