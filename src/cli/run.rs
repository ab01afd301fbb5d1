//! The one place where a run is opened, for every verb: signals, lock, debug log, journal, events with their sinks, leases on
//! hosts; and where it is closed again, however it ends.

use std::sync::Arc;
use std::time::Duration;

use super::args::LogFormat;
use super::{Context, UsageError};
use crate::engine::{self, Cancel, Options, Outcome, Reason, Stopped, interrupt};
use crate::error::{Family, Result, chain};
use crate::event::{Collector, Direction, Event, Events, LogSink, RunOutcome, Sink};
use crate::graph::Plan;
use crate::journal::Journal;
use crate::journal::steps::{Phase, StepEntry, cut_off};
use crate::provider::Leases;
use crate::provider::machine::MachineError;
use crate::state::{Lock, RunId, StateError};
use crate::steps::{Session, StepKind, Steps};
use crate::ui::{Display, JsonLines, Verbosity, logging, milestones, timing_table};

/// A run that holds the cluster's lock.
pub struct Run {
    /// The run's name.
    pub id: RunId,
    /// Where all its events go.
    pub events: Events,
    /// Stops the run.
    pub cancel: Cancel,
    journal: Arc<Journal<StepEntry>>,
}

/// How a run is opened.
pub struct Opening {
    /// The run's name.
    pub id: RunId,
    /// The verb that was typed.
    pub verb: &'static str,
    /// How long to wait for another run's lock.
    pub wait: Option<Duration>,
    /// What a second Ctrl-C leaves behind, and what to do about it.
    pub last_words: &'static str,
}

/// Does `work` while holding the cluster's lock, and the leases of its hosts, which are released however it ends.
pub async fn open<T>(
    context: &Context,
    session: &Session,
    opening: Opening,
    work: impl AsyncFnOnce(&Run) -> Result<T>,
) -> Result<(T, Lock)> {
    let Opening { id, verb, wait, last_words } = opening;
    let printer = context.printer.clone();
    let cancel = interrupt::install(move || {
        printer.abandon_display();
        printer.error(format!("stopped at once: {last_words}"));
    })
    .map_err(UsageError::Signals)?;
    let lock = lock(context, session, &id, wait, &cancel).await?;
    let dir = session.state.run(&id)?;
    logging::init(&dir.log(), context.printer.verbosity())?;
    let _already = context.log.set(dir.log());
    let (journal, entries) = Journal::open(&session.state.journal())?;
    let collector = Collector::default();
    let (events, sinks) = Events::open(id.as_str(), vec![display(context), Box::new(LogSink), Box::new(collector.clone())]);
    let name = session.profile.name.clone();
    events.emit(Event::RunStarted { run_id: id.to_string(), verb: verb.into(), name, started: jiff::Timestamp::now() });
    let run = Run { id, events, cancel, journal: Arc::new(journal) };
    let done = async {
        run.go_on_from(&entries).await?;
        with_leases(session, &run, work).await
    }
    .await;
    run.events.emit(Event::RunFinished { outcome: outcome(&done), seconds: run.events.elapsed() });
    sinks.finish().await;
    summary(context, &collector);
    match done {
        Ok(done) => Ok((done, lock)),
        Err(refused) => {
            // a run that was refused before its first change leaves no trace where there was nothing before
            if !session.state.profile().exists() && Journal::<StepEntry>::read(&session.state.journal())?.is_empty() {
                session.state.remove(lock)?;
            }
            Err(refused)
        }
    }
}

/// The sink that shows events as the user wants them.
pub fn display(context: &Context) -> Box<dyn Sink> {
    match context.output.log_format {
        LogFormat::Text => Box::new(Display::new(context.printer.clone())),
        LogFormat::Json => Box::new(JsonLines(context.printer.clone())),
    }
}

/// Takes the cluster's lock; while it waits, it prints who holds the lock.
async fn lock(context: &Context, session: &Session, id: &RunId, wait: Option<Duration>, cancel: &Cancel) -> Result<Lock> {
    match (Lock::acquire(&session.state, id, None).await, wait) {
        (Err(held @ StateError::Held { .. }), Some(_)) => {
            context.say(format!("{held}\nwaiting for it"));
            Ok(unless_stopped(cancel, Lock::acquire(&session.state, id, wait)).await??)
        }
        (lock, _) => Ok(lock?),
    }
}

impl Run {
    /// Names the steps that a killed run was in the middle of, and records that they were named.
    async fn go_on_from(&self, entries: &[StepEntry]) -> Result<()> {
        for entry in cut_off(entries) {
            self.events.log(format!("run {} was cut off during: {}", entry.run, entry.sentence));
            let known = StepEntry { at: jiff::Timestamp::now(), run: self.id.to_string(), phase: Phase::Failed, ..entry.clone() };
            self.journal.append(&known).await?;
        }
        Ok(())
    }

    /// Runs a plan to its end, or until it is stopped or `timeout` has passed.
    pub async fn execute(
        &self,
        session: &Arc<Session>,
        plan: &Plan<StepKind>,
        direction: Direction,
        parallel: usize,
        timeout: Duration,
    ) -> Outcome {
        let options = Options { parallel, timeout, journal: Some(self.journal.clone()), ..Options::default() };
        let actor = Arc::new(Steps(session.clone()));
        let late = self.cancel.clone();
        let deadline = tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            late.cancel(Reason::Overtime(timeout));
        });
        let outcome = engine::run(plan, direction, &actor, &options, &self.events, &self.cancel).await;
        deadline.abort();
        outcome
    }

    /// Waits for work that changes nothing or may be interrupted anywhere, unless the run is stopped before it is done.
    ///
    /// # Errors
    /// [`Stopped`] when the run was.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        unless_stopped(&self.cancel, work).await
    }
}

async fn unless_stopped<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Result<T> {
    tokio::select! {
        done = work => Ok(done),
        () = cancel.cancelled() => Err(stopped(cancel)),
    }
}

fn stopped(cancel: &Cancel) -> crate::error::BoxError {
    Stopped::early(cancel.reason().unwrap_or(Reason::Signal("SIGINT"))).into()
}

async fn with_leases<T>(session: &Session, run: &Run, work: impl AsyncFnOnce(&Run) -> Result<T>) -> Result<T> {
    let leases: Leases = session.take_leases().await?;
    let (lost, cancel) = (leases.watch(), run.cancel.clone());
    let watch = tokio::spawn(async move {
        let lost = lost.await;
        cancel.cancel(Reason::Taken);
        lost
    });
    let done = if run.cancel.is_cancelled() { Err(stopped(&run.cancel)) } else { work(run).await };
    let done = match (done, run.cancel.reason()) {
        (Err(stopped), Some(Reason::Taken)) => Err(watch.await.map_or(stopped, |lost| MachineError::from(lost).into())),
        (done, _) => {
            watch.abort();
            done
        }
    };
    leases.release().await;
    done
}

fn outcome<T>(done: &Result<T>) -> RunOutcome {
    match done {
        Ok(_) => RunOutcome::Completed,
        Err(error) if error.family() == Family::Interrupted => RunOutcome::Cancelled,
        Err(error) => {
            tracing::error!(error = chain(&**error), "run failed");
            RunOutcome::Failed
        }
    }
}

/// Prints the timing table, and when each milestone was reached.
fn summary(context: &Context, collector: &Collector) {
    let records = collector.records();
    if context.output.log_format == LogFormat::Text
        && let Some(table) = timing_table(&records, context.printer.width(), context.printer.verbosity() == Verbosity::Verbose)
    {
        context.printer.err(table);
    }
    for line in milestones(&records) {
        context.printer.err(line);
    }
}
