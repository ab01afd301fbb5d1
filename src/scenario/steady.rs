//! The steady state: conditions that have to hold in every second, for some time.

use std::time::Duration;

use kube::Client;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::bound::Bound;
use super::error::ScenarioError;
use super::objects;
use crate::event::{Event, Events};
use crate::load::{Distribution, Ledger, Running, micros};
use crate::quantity::{Requests, Share, Span};

/// What normal means.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SteadyState {
    /// All of these, in every second.
    #[schemars(length(min = 1))]
    pub conditions: Vec<Condition>,
    /// Before the first fault.
    pub before: Hold,
    /// After the last fault.
    pub after: Hold,
}

/// How long the steady state has to hold.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hold {
    /// Without interruption.
    pub hold: Span,
    /// It has to begin within this time.
    #[serde(default = "Hold::within")]
    pub within: Span,
}

impl Hold {
    fn within() -> Span {
        Span::secs(60)
    }
}

/// One condition of the steady state.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// Failed requests of each second.
    Failed(Bound<Requests>),
    /// Latency of each second.
    Latency(QuantileBound),
    /// All wanted pods of a deployment are ready.
    Available(DeploymentName),
}

/// A deployment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A latency quantile and its bound.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuantileBound {
    /// For example `99 %`.
    pub quantile: Share,
    /// What it may be.
    pub is: Bound<Span>,
}

/// Width of the windows in which conditions are checked, in microseconds.
pub(super) const WINDOW: u32 = 1_000_000;
/// How often new answers are evaluated.
const LOOK: Duration = Duration::from_millis(200);
/// How many evaluations there are between two requests to the API server.
const LOOKS_PER_QUESTION: u32 = 5;

/// When the steady state began, in microseconds since the load began, once it has held; none if it did not begin in time.
/// Nothing before `from` counts. The reason why it last did not hold is put into `broken`.
pub(super) async fn reach(
    client: &Client,
    events: &Events,
    running: &mut Running,
    (conditions, timeout): (&[Condition], u32),
    hold: &Hold,
    from: u32,
    broken: &mut Option<String>,
) -> Option<u32> {
    let (length, within) = (micros(hold.hold.0), micros(hold.within.0));
    let mut since = from;
    let mut checked = from;
    let mut looks = 0;
    loop {
        running.catch_up();
        let ledger = &running.ledger;
        events.emit(Event::Load { requests: ledger.entries.len() as u64, failed: ledger.failed() });
        while ledger.settled >= checked.saturating_add(WINDOW) {
            let end = checked + WINDOW;
            if let Some(reason) = conditions.iter().find_map(|condition| violated(ledger, condition, checked, end, timeout)) {
                since = end;
                *broken = Some(format!("at {:.0} s: {reason}", f64::from(checked) / 1e6));
            }
            checked = end;
        }
        if looks % LOOKS_PER_QUESTION == 0 {
            for condition in conditions {
                // if the API server does not answer for a moment, the condition is not known to hold
                let reason = unavailable(client, condition).await.unwrap_or_else(|error| Some(error.to_string()));
                if let Some(reason) = reason {
                    since = running.now();
                    *broken = Some(format!("at {:.0} s: {reason}", f64::from(since) / 1e6));
                }
            }
        }
        looks += 1;
        // both views must have reached the end of the hold
        if checked >= since.saturating_add(length) && running.now() >= since.saturating_add(length) {
            return Some(since);
        }
        let latest = from.saturating_add(within);
        if since > latest || running.now() > latest.saturating_add(length).saturating_add(timeout) {
            return None;
        }
        sleep(LOOK).await;
    }
}

/// Why a condition on requests does not hold in a window.
fn violated(ledger: &Ledger, condition: &Condition, from: u32, to: u32, timeout: u32) -> Option<String> {
    match condition {
        Condition::Failed(bound) => {
            let failed = ledger.between(from, to).filter(|entry| entry.outcome.failed()).count() as u64;
            (!bound.holds(failed as f64)).then(|| format!("{} failed within a second", Requests(failed)))
        }
        Condition::Latency(latency) => {
            let times = Distribution::of(ledger.between(from, to).map(|entry| entry.latency(timeout)));
            let measured = times.quantile_ms(latency.quantile.0);
            (!latency.is.holds(measured)).then(|| format!("latency at {} was {measured:.1} ms", latency.quantile))
        }
        Condition::Available(_) => None,
    }
}

/// Why a condition on the cluster does not hold now.
async fn unavailable(client: &Client, condition: &Condition) -> Result<Option<String>, ScenarioError> {
    let Condition::Available(deployment) = condition else { return Ok(None) };
    let (namespace, name) = (&deployment.namespace, &deployment.name);
    Ok(match objects::availability(client, namespace, name).await? {
        Some((ready, wanted)) if ready >= wanted => None,
        Some((ready, wanted)) => Some(format!("{ready} of {wanted} pods of deployment {namespace}/{name} were ready")),
        None => Some(format!("there was no deployment {namespace}/{name}")),
    })
}
