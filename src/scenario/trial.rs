//! One trial: load, steady state, faults, steady state, and what became of it all.

use tokio::time::{Instant, sleep_until};

use super::envoy;
use super::fault::pod_kill;
use super::record::TrialRecord;
use super::schema::Fault;
use super::steady::reach;
use super::verdict::{Marks, judge};
use super::{Context, Scenario, ScenarioError};
use crate::event::{Event, Phase, Trial};
use crate::load::{Arrivals, Entry, Ledger, LoadPlan, Order, Running, Target, micros, start};

/// Header in which a server names its pod.
pub(super) const POD: &str = "x-pod";
/// Headers in which a server counts the attempts that its request took, one for each hop that retries.
const ATTEMPTS: [&str; 2] = ["x-attempt", "x-gateway-attempt"];

/// Which attempt reached a server, by the headers of its answer; 0 if unknown.
pub(super) fn attempt(ledger: &Ledger, entry: &Entry) -> u8 {
    ATTEMPTS.iter().filter_map(|name| ledger.header(entry, name)?.parse().ok()).max().unwrap_or(0)
}

/// Where requests go.
pub(super) fn target(context: &Context, scenario: &Scenario) -> Target {
    let target = &scenario.spec.target;
    let host = target.host.clone().unwrap_or_else(|| context.gateway.ip().to_string());
    Target { accept: vec![target.status], ..Target::get(context.gateway, host, target.path.clone()) }
}

/// What the load is, as the scenario says.
fn load_plan(context: &Context, scenario: &Scenario, run: String) -> LoadPlan {
    let load = &scenario.spec.load;
    LoadPlan {
        targets: vec![target(context, scenario)],
        order: Order::Single,
        body: None,
        arrivals: Arrivals::new(load.rate.0, load.arrivals.jitter.0, load.arrivals.seed),
        connections: load.connections,
        timeout: load.timeout.0,
        drain: load.drain.0,
        run,
        capture: ATTEMPTS.iter().chain([&POD]).map(|&name| name.to_owned()).collect(),
    }
}

/// Runs one trial; the cluster must be set up already. When it is interrupted the load still ends in order.
pub(super) async fn run(context: &Context, scenario: &Scenario, trial: Trial) -> Result<TrialRecord, ScenarioError> {
    let proxies = &scenario.spec.observe.proxies;
    let name = match trial {
        Trial::Claim => format!("{}-a", context.run),
        Trial::Control => format!("{}-b", context.run),
    };
    let before = envoy::snapshot(&context.client, proxies).await?;
    let mut running = start(load_plan(context, scenario, name.clone())).await?;
    let mut record = TrialRecord::default();
    let outcome = tokio::select! {
        outcome = under_load(context, scenario, &mut running, &mut record) => outcome,
        () = context.cancel.cancelled() => Err(ScenarioError::Cancelled),
    };
    context.events.emit(Event::PhaseStarted { phase: Phase::Drain });
    let end = running.now();
    let ledger = running.finish().await;
    record.ledger = write_ledger(context, scenario, &ledger, &name)?;
    let marks = Marks { end, ..outcome? };
    let after = envoy::snapshot(&context.client, proxies).await?;
    (record.proxies, record.proxy_notes) = envoy::growth(&before, &after);
    if !proxies.is_empty() && !after.tells() {
        let why = "no observed proxy tells retry counters: the mesh's proxyStatsMatcher must include .*upstream_rq_retry.*";
        record.invalid.push(why.to_owned());
    }
    judge(&mut record, &scenario.spec, &ledger, &name, &marks);
    Ok(record)
}

/// Everything that happens while requests flow.
async fn under_load(
    context: &Context,
    scenario: &Scenario,
    running: &mut Running,
    record: &mut TrialRecord,
) -> Result<Marks, ScenarioError> {
    let (spec, events) = (&scenario.spec, &context.events);
    let conditions = (spec.steady_state.conditions.as_slice(), micros(spec.load.timeout.0));
    let mut marks = Marks::default();
    let mut broken = None;
    events.emit(Event::PhaseStarted { phase: Phase::Before });
    let before = &spec.steady_state.before;
    let Some(steady) = reach(&context.client, events, running, conditions, before, 0, &mut broken).await else {
        record.invalid.push(not_steady("did not begin", before.within, broken));
        return Ok(marks);
    };
    events.emit(Event::Steady { after_ms: f64::from(steady) / 1e3 });
    marks.steady = steady;
    events.emit(Event::PhaseStarted { phase: Phase::Faults });
    for moment in &spec.timeline {
        sleep_until(Instant::now() + moment.at.0).await;
        marks.faults.get_or_insert(running.now());
        let Fault::PodKill(kill) = &moment.fault;
        match pod_kill(context, kill, &spec.observe.proxies, running.started, &mut record.kills).await {
            // what does not come back is the system's failure: it shows in the steady state after
            Err(error @ ScenarioError::NotReplaced { .. }) => record.proxy_notes.push(error.to_string()),
            result => result?,
        }
        marks.faults_end = running.now();
    }
    events.emit(Event::PhaseStarted { phase: Phase::After });
    let after = &spec.steady_state.after;
    let mut broken = None;
    // recovery counts from the last kill; the steady state cannot have begun before its replacement was there
    let mut from = marks.faults_end;
    if let Some(last) = record.kills.last() {
        marks.faults_end = (last.at_ms * 1e3) as u32;
        from = (last.replaced_ms.unwrap_or(last.done_ms) * 1e3) as u32;
    }
    marks.recovered = reach(&context.client, events, running, conditions, after, from, &mut broken).await;
    match marks.recovered {
        Some(at) => events.emit(Event::Steady { after_ms: f64::from(at - marks.faults_end) / 1e3 }),
        None => record.unrecovered = Some(not_steady("did not come back", after.within, broken)),
    }
    Ok(marks)
}

fn not_steady(what: &str, within: crate::quantity::Span, broken: Option<String>) -> String {
    let why = broken.map(|why| format!("; last broken {why}")).unwrap_or_default();
    format!("the steady state {what} within {within}{why}")
}

/// Keeps every request as evidence; the file's name.
fn write_ledger(context: &Context, scenario: &Scenario, ledger: &Ledger, run: &str) -> Result<String, ScenarioError> {
    let name = format!("{}-{run}.csv", scenario.metadata.name);
    let path = context.run_dir.join(&name);
    let written = std::fs::write(&path, ledger.to_csv(run));
    written.map_err(|source| ScenarioError::File { action: "write", path, source })?;
    Ok(name)
}
