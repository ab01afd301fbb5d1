//! Sinks that show nothing: the memory of a run and its debug log.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Event, Record, Sink, StepOutcome};

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
        // a long load emits thousands of these, and nobody needs them afterwards
        if !matches!(record.event, Event::Load { .. }) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        }
    }
}

/// A sink that writes every event into the debug log.
pub struct LogSink;

impl Sink for LogSink {
    fn record(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { run_id, verb, name, .. } => tracing::info!(run_id, verb, name, "run started"),
            Event::RunFinished { outcome, seconds } => tracing::info!(?outcome, seconds, "run finished"),
            Event::Log { text } => tracing::info!("{text}"),
            Event::PlanStarted { direction, steps } => tracing::info!(?direction, steps = steps.len(), "plan started"),
            Event::StepStarted { id, waited } => tracing::debug!(step = %id, waited, "started"),
            Event::StepProgress { id, text } => tracing::debug!(step = %id, "{text}"),
            Event::StepRetry { id, attempt, error } => tracing::warn!(step = %id, attempt, error, "trying again"),
            Event::StepFinished { id, outcome: StepOutcome::Failed { error }, seconds } => {
                tracing::error!(step = %id, seconds, error, "failed");
            }
            Event::StepFinished { id, outcome, seconds } => tracing::info!(step = %id, seconds, ?outcome, "finished"),
            Event::PlanStopping { reason, running, .. } => tracing::warn!(reason, running, "stopping"),
            Event::PlanFinished { outcome, seconds } => tracing::info!(?outcome, seconds, "plan finished"),
            Event::Load { requests, failed } => tracing::trace!(requests, failed, "load"),
            Event::WindowEnded { number, of, requests, failed } => tracing::debug!(number, of, requests, failed, "window"),
            Event::ScenarioFinished { scenario, verdict } => tracing::info!(scenario, ?verdict, "scenario finished"),
            // all other events are written in full
            event => tracing::info!("{}", serde_json::to_string(event).unwrap_or_else(|error| error.to_string())),
        }
    }
}
