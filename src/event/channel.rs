//! The channel that events go through, and the sinks at its other end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Event;
use crate::graph::StepId;
use crate::progress::{Progress, Said};

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

    /// Seconds since the channel was opened.
    pub fn elapsed(&self) -> f64 {
        seconds(self.opened.elapsed())
    }

    /// Sends an event, stamped with the time since the channel was opened.
    pub fn emit(&self, event: Event) {
        let record = Record { at: self.elapsed(), event };
        // Nobody listens once the sinks are finished: a dropped step may still report, and is not missed.
        let _ = self.sender.send(Message::Record(record));
    }

    /// The progress of a step: each report becomes an event.
    pub fn voice(&self, id: &StepId) -> Progress {
        let (id, events) = (id.clone(), self.clone());
        Progress::new(move |said| {
            events.emit(match said {
                Said::Doing(text) => Event::StepProgress { id: id.clone(), text },
                Said::Warning(text) => Event::Log { text },
                Said::Retrying { attempt, error } => Event::StepRetry { id: id.clone(), attempt, error },
            });
        })
    }

    /// Emits a message that belongs to no step.
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
