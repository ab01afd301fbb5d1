//! Running a plan in front of a person: lock, journal, log, display, timing table.

use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::args::LogFormat;
use crate::engine::{self, Options, Outcome};
use crate::error::Result;
use crate::event::{Collector, Event, Events, LogSink, Sink, StepOutcome};
use crate::graph::Plan;
use crate::journal::Journal;
use crate::plan::StepKind;
use crate::state::{Lock, RunId};
use crate::steps::{Leases, Session, Steps};
use crate::ui::{Display, JsonLines, logging, timing_table};

/// Which way a plan is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Steps are applied.
    Up,
    /// Steps are undone.
    Down,
}

/// A run that holds the cluster's lock.
pub struct Run {
    lock: Lock,
    /// Its name.
    pub id: RunId,
    leases: Leases,
}

/// Does `work` with the cluster's lock, and on hosts with their leases, which are given back however it ends.
pub async fn exclusive<T>(
    context: &Context,
    session: &Session,
    wait: Option<Duration>,
    work: impl AsyncFnOnce(&Run) -> Result<T>,
) -> Result<(T, Lock)> {
    let running = begin(context, session, wait).await?;
    let done = work(&running).await;
    running.leases.release().await;
    Ok((done?, running.lock))
}

/// Takes the cluster's lock and starts the run's log.
async fn begin(context: &Context, session: &Session, wait: Option<Duration>) -> Result<Run> {
    let id = RunId::new();
    let lock = Lock::acquire(&session.state, &id, wait).await?;
    let dir = session.state.run(&id)?;
    logging::init(&dir.log(), context.printer.verbosity())?;
    let _already = context.log.set(dir.log());
    let leases = session.take_leases().await?;
    Ok(Run { lock, id, leases })
}

/// Runs a plan to its end, or until Ctrl-C or `timeout`.
pub async fn execute(
    context: &Context,
    session: &Arc<Session>,
    run: &Run,
    plan: &Plan<StepKind>,
    way: Way,
    parallel: usize,
    timeout: Duration,
) -> Result<Outcome> {
    let printer = context.printer.clone();
    let cancel = engine::interrupt::install(move || {
        printer.abandon_display();
        printer.error("stopped at once: run `hearth up` to go on, or `hearth down` to clean up");
    })
    .map_err(|source| super::UsageError::Write { path: "signal handler".into(), source })?;
    let (journal, _) = Journal::open(&session.state.journal())?;
    let collector = Collector::default();
    let display: Box<dyn Sink> = match context.output.log_format {
        LogFormat::Text => Box::new(Display::new(context.printer.clone())),
        LogFormat::Json => Box::new(JsonLines(context.printer.clone())),
    };
    let (events, sinks) = Events::open(run.id.as_str(), vec![display, Box::new(LogSink), Box::new(collector.clone())]);
    let options = Options { parallel, journal: Some(Arc::new(journal)), ..Options::default() };
    let actor = Arc::new(Steps(session.clone()));
    let late = cancel.clone();
    let (log, limit) = (events.clone(), timeout);
    let deadline = tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        log.log(format!("giving up: the run took longer than its --timeout of {limit:?}"));
        late.cancel();
    });
    let outcome = match way {
        Way::Up => engine::run(plan, &actor, &options, &events, &cancel).await,
        Way::Down => engine::undo(plan, &actor, &options, &events, &cancel).await,
    };
    deadline.abort();
    sinks.finish().await;
    let records = collector.records();
    if context.output.log_format == LogFormat::Text
        && let Some(table) = timing_table(&records, context.printer.width())
    {
        context.printer.err(table);
    }
    for record in &records {
        if let Event::StepFinished { id, outcome: StepOutcome::Applied, .. } = &record.event
            && id.as_str() == "gateway"
        {
            context.printer.err(format!("first 200 after {:.1} s", record.at));
        }
    }
    Ok(outcome)
}
