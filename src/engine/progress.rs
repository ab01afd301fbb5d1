//! The voice of a running step.

use std::sync::{Arc, Mutex, PoisonError};

use super::event::{Event, Events};
use crate::error;
use crate::plan::StepId;

/// Handed to a step while it runs, so that it can tell what it is doing. Cheap to clone.
#[derive(Clone)]
pub struct Progress {
    channel: Option<(StepId, Events)>,
    last: Arc<Mutex<Option<String>>>,
}

impl Progress {
    pub(super) fn new(id: StepId, events: Events) -> Self {
        Progress { channel: Some((id, events)), last: Arc::default() }
    }

    /// A voice nobody hears, for calls outside a run.
    pub fn silent() -> Self {
        Progress { channel: None, last: Arc::default() }
    }

    /// Tells what the step is doing now: a short fragment such as "2 of 3 nodes ready". Saying the same
    /// thing again is free, so a polling loop can say it every time.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if self.remember(&text)
            && let Some((id, events)) = &self.channel
        {
            events.emit(Event::StepProgress { id: id.clone(), text });
        }
    }

    /// Tells that attempt number `attempt`, counted from 1, failed and another one follows.
    pub fn retrying(&self, attempt: u32, error: &(dyn std::error::Error + 'static)) {
        let error = error::chain(error);
        self.remember(&error);
        if let Some((id, events)) = &self.channel {
            events.emit(Event::StepRetry { id: id.clone(), attempt, error });
        }
    }

    /// What was said last: the best explanation when the deadline passes.
    pub(super) fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps `text` and tells whether it is news.
    fn remember(&self, text: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let news = last.as_deref() != Some(text);
        if news {
            *last = Some(text.to_owned());
        }
        news
    }
}
