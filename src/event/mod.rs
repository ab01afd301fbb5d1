//! What happens during a run, as values. They go through one channel; displays, logs and reports are sinks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::graph::StepId;
use crate::progress::{Progress, Said};

/// Which way a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Steps are applied, dependencies first.
    Apply,
    /// Steps are undone, dependents first.
    Undo,
}

/// What a sink needs to know of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Its name.
    pub id: StepId,
    /// What it does, in the run's direction.
    pub sentence: String,
    /// The node it works on.
    pub target: Option<String>,
    /// Steps it waits for, in the run's direction.
    pub after: Vec<StepId>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum StepOutcome {
    /// Done now.
    Applied,
    /// Nothing to do.
    Satisfied,
    /// Taken back.
    Undone,
    /// It failed.
    Failed {
        /// The message with its causes.
        error: String,
    },
    /// Never started.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Dropped while running.
    Cancelled,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every step is done.
    Completed,
    /// At least one step failed.
    Failed,
    /// The user stopped it.
    Cancelled,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// First event of a run.
    RunStarted {
        /// The run's name.
        run_id: String,
        /// The cluster's name.
        name: String,
        /// Which way it goes.
        direction: Direction,
        /// When, by the wall clock.
        started: jiff::Timestamp,
        /// All steps, in an order in which they can run.
        steps: Vec<StepInfo>,
    },
    /// A step began, with its check.
    StepStarted {
        /// Which.
        id: StepId,
        /// Seconds between the end of its last dependency and now: what the limits cost it.
        waited: f64,
    },
    /// A step says what it is doing.
    StepProgress {
        /// Which.
        id: StepId,
        /// A fragment such as "2 of 3 ready".
        text: String,
    },
    /// An attempt failed and another one follows.
    StepRetry {
        /// Which.
        id: StepId,
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// The message with its causes.
        error: String,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        id: StepId,
        /// How.
        outcome: StepOutcome,
        /// Seconds since it started; 0 when it never did.
        seconds: f64,
    },
    /// Nothing new is started from here on.
    RunStopping {
        /// Why, a fragment such as "step `x` failed".
        reason: String,
        /// Whether the user asked for it.
        interrupted: bool,
        /// Steps that still run.
        running: usize,
    },
    /// A message that belongs to no step.
    Log {
        /// The message.
        text: String,
    },
    /// Last event of a run.
    RunFinished {
        /// How.
        outcome: RunOutcome,
        /// Seconds since it started.
        seconds: f64,
    },
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since the channel was opened.
    pub at: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Where events go.
pub trait Sink: Send {
    /// Takes one event; called in order, never concurrently.
    fn record(&mut self, record: &Record);
    /// Called about ten times a second, for displays that show time passing.
    fn tick(&mut self) {}
}

enum Message {
    Record(Record),
    Close,
}

/// The sending end; cheap to clone, never blocks.
#[derive(Clone)]
pub struct Events {
    run_id: Arc<str>,
    opened: Instant,
    sender: mpsc::UnboundedSender<Message>,
}

/// The receiving end: a task that feeds the sinks.
#[must_use = "events are lost unless finished"]
pub struct Sinks {
    events: Events,
    task: JoinHandle<()>,
}

impl Events {
    /// Opens the channel and starts feeding `sinks`. Needs a Tokio runtime.
    pub fn open(run_id: &str, mut sinks: Vec<Box<dyn Sink>>) -> (Events, Sinks) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(100));
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    message = receiver.recv() => match message {
                        Some(Message::Record(record)) => sinks.iter_mut().for_each(|sink| sink.record(&record)),
                        Some(Message::Close) | None => return,
                    },
                    _ = clock.tick() => sinks.iter_mut().for_each(|sink| sink.tick()),
                }
            }
        });
        let events = Events { run_id: run_id.into(), opened: Instant::now(), sender };
        (events.clone(), Sinks { events, task })
    }

    /// The run's name.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Sends an event, stamped with the time since the channel was opened.
    pub fn emit(&self, event: Event) {
        let record = Record { at: seconds(self.opened.elapsed()), event };
        // Nobody listens after the sinks were finished: a dropped step may still speak, and is not missed.
        let _ = self.sender.send(Message::Record(record));
    }

    /// The voice of a step: what it says becomes an event.
    pub fn voice(&self, id: &StepId) -> Progress {
        let (id, events) = (id.clone(), self.clone());
        Progress::new(move |said| {
            events.emit(match said {
                Said::Doing(text) => Event::StepProgress { id: id.clone(), text },
                Said::Retrying { attempt, error } => Event::StepRetry { id: id.clone(), attempt, error },
            });
        })
    }

    /// Sends a message that belongs to no step.
    pub fn log(&self, text: impl Into<String>) {
        self.emit(Event::Log { text: text.into() });
    }
}

impl Sinks {
    /// Waits until every event sent so far has reached every sink, then ends them.
    pub async fn finish(self) {
        let _ = self.events.sender.send(Message::Close);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "an event sink failed");
        }
    }
}

/// Seconds with the precision worth keeping: a millisecond.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A sink that keeps everything, for the timing table and the report.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Vec<Record>>>);

impl Collector {
    /// Everything so far, in order.
    pub fn records(&self) -> Vec<Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Collector {
    fn record(&mut self, record: &Record) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
    }
}

/// A sink that writes every event into the debug log.
pub struct LogSink;

impl Sink for LogSink {
    fn record(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { run_id, name, direction, steps, .. } => {
                tracing::info!(run_id, name, ?direction, steps = steps.len(), "run started");
            }
            Event::StepStarted { id, waited } => tracing::debug!(step = %id, waited, "started"),
            Event::StepProgress { id, text } => tracing::debug!(step = %id, "{text}"),
            Event::StepRetry { id, attempt, error } => tracing::warn!(step = %id, attempt, error, "trying again"),
            Event::StepFinished { id, outcome: StepOutcome::Failed { error }, seconds } => {
                tracing::error!(step = %id, seconds, error, "failed");
            }
            Event::StepFinished { id, outcome, seconds } => tracing::info!(step = %id, seconds, ?outcome, "finished"),
            Event::RunStopping { reason, running, .. } => tracing::warn!(reason, running, "stopping"),
            Event::Log { text } => tracing::info!("{text}"),
            Event::RunFinished { outcome, seconds } => tracing::info!(?outcome, seconds, "run finished"),
        }
    }
}
