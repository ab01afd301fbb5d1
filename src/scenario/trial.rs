//! One trial: load, steady state, faults, steady state, and the outcome of it all.

use tokio::time::{Instant, sleep_until};

use super::fault::Stage;
use super::parts::Marks;
use super::record::TrialRecord;
use super::steady::reach;
use super::undo::Changes;
use super::verdict::{Trialled, judge};
use super::{Context, Scenario, ScenarioError};
use crate::event::{Event, Phase, Trial};
use crate::load::{Arrivals, Ledger, LoadPlan, Order, Running, Target, micros, start};

/// Where requests go.
pub(super) fn target(context: &Context, scenario: &Scenario) -> Target {
    let target = &scenario.spec.target;
    let host = target.host.clone().unwrap_or_else(|| context.host.clone());
    Target { accept: vec![target.status], ..Target::get(context.gateway, host, target.path.clone()) }
}

/// The load that the scenario describes.
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
        capture: scenario.spec.observe.answers.captured(),
    }
}

/// Runs one trial; the cluster must already be set up. If it is interrupted, the load still ends in an orderly way. Lasting
/// changes of faults are in `changes` if it ends early.
pub(super) async fn run(
    context: &Context,
    scenario: &Scenario,
    trial: Trial,
    changes: &mut Changes,
) -> Result<TrialRecord, ScenarioError> {
    let observe = &scenario.spec.observe;
    let name = match trial {
        Trial::Claim => format!("{}-a", context.run),
        Trial::Control => format!("{}-b", context.run),
    };
    let before = observe.before(&context.client).await?;
    let mut running = start(load_plan(context, scenario, name.clone())).await?;
    let mut record = TrialRecord::default();
    let outcome = tokio::select! {
        outcome = under_load(context, scenario, &mut running, &mut record, changes) => outcome,
        () = context.cancel.cancelled() => Err(ScenarioError::Cancelled),
    };
    context.events.emit(Event::PhaseStarted { phase: Phase::Drain });
    let end = running.now();
    let ledger = running.finish().await;
    record.ledger = write_ledger(context, scenario, &ledger, &name)?;
    let marks = Marks { end, ..outcome? };
    let observed = observe.after(&context.client, &before, &ledger).await?;
    judge(&mut record, &scenario.spec, &Trialled { ledger: &ledger, marks: &marks, observed: &observed, run: &name });
    record.observations = observed.records;
    Ok(record)
}

/// Everything that happens while requests flow.
async fn under_load(
    context: &Context,
    scenario: &Scenario,
    running: &mut Running,
    record: &mut TrialRecord,
    changes: &mut Changes,
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
    marks.last_fault = steady;
    events.emit(Event::PhaseStarted { phase: Phase::Faults });
    let from = faults(context, scenario, running, record, changes, &mut marks).await?;
    events.emit(Event::PhaseStarted { phase: Phase::After });
    let after = &spec.steady_state.after;
    let mut broken = None;
    marks.recovered = reach(&context.client, events, running, conditions, after, from, &mut broken).await;
    match marks.recovered {
        Some(at) => events.emit(Event::Steady { after_ms: f64::from(at.saturating_sub(marks.last_fault)) / 1e3 }),
        None => record.unrecovered = Some(not_steady("did not come back", after.within, broken)),
    }
    Ok(marks)
}

/// Injects the faults of the timeline one after the other. Returns the earliest time at which the steady state can be back:
/// recovery counts from the beginning of the last fault, and is not possible before what it took away is back.
async fn faults(
    context: &Context,
    scenario: &Scenario,
    running: &mut Running,
    record: &mut TrialRecord,
    changes: &mut Changes,
    marks: &mut Marks,
) -> Result<u32, ScenarioError> {
    let mut from = running.now();
    for (moment, planned) in scenario.spec.timeline.iter().enumerate() {
        sleep_until(Instant::now() + planned.at.0).await;
        marks.faults.get_or_insert(running.now());
        marks.last_fault = running.now();
        let (proxies, clock) = (scenario.spec.observe.proxies.as_slice(), running.started);
        let standing = changes.standing();
        let mut stage = Stage { context, changes, records: &mut record.faults, proxies, clock, moment, standing, counted: None };
        for result in [planned.fault.inject(&mut stage).await, planned.fault.heal(&mut stage).await] {
            match result {
                // not coming back is the system's failure: it shows in the steady state after the faults
                Err(error @ ScenarioError::NotRecovered { .. }) => record.notes.push(error.to_string()),
                result => result?,
            }
        }
        from = running.now();
    }
    if let Some(last) = record.faults.last() {
        marks.last_fault = (last.at_ms * 1e3) as u32;
        from = (last.recovered_ms.or(last.done_ms).unwrap_or(last.at_ms) * 1e3) as u32;
    }
    Ok(from)
}

fn not_steady(what: &str, within: crate::quantity::Span, broken: Option<String>) -> String {
    let why = broken.map(|why| format!("; last broken {why}")).unwrap_or_default();
    format!("the steady state {what} within {within}{why}")
}

/// Writes all requests to a file as evidence; returns the file's name.
fn write_ledger(context: &Context, scenario: &Scenario, ledger: &Ledger, run: &str) -> Result<String, ScenarioError> {
    let name = format!("{}-{run}.csv", scenario.metadata.name);
    let path = context.run_dir.join(&name);
    let written = std::fs::write(&path, ledger.to_csv(run));
    written.map_err(|source| ScenarioError::File { action: "write", path, source })?;
    Ok(name)
}
