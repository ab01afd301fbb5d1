//! The voice of running work: a leaf that everything may hold and that knows neither steps nor events.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error;

/// What running work has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What it is doing now, a fragment such as "2 of 3 nodes ready".
    Doing(String),
    /// An attempt failed and another one follows.
    Retrying {
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// The message with its causes.
        error: String,
    },
}

/// Handed to work while it runs, so that it can tell what it is doing. Cheap to clone.
#[derive(Clone)]
pub struct Progress {
    listener: Option<Arc<dyn Fn(Said) + Send + Sync>>,
    last: Arc<Mutex<Option<String>>>,
}

impl Progress {
    /// A voice that `listener` hears.
    pub fn new(listener: impl Fn(Said) + Send + Sync + 'static) -> Self {
        Progress { listener: Some(Arc::new(listener)), last: Arc::default() }
    }

    /// A voice nobody hears, for calls outside a run.
    pub fn silent() -> Self {
        Progress { listener: None, last: Arc::default() }
    }

    /// Tells what is being done now: a short fragment such as "2 of 3 nodes ready". Saying the same thing again is free,
    /// so a polling loop can say it every time.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if self.remember(&text)
            && let Some(listener) = &self.listener
        {
            listener(Said::Doing(text));
        }
    }

    /// Tells that attempt number `attempt`, counted from 1, failed and another one follows.
    pub fn retrying(&self, attempt: u32, error: &(dyn std::error::Error + 'static)) {
        let error = error::chain(error);
        self.remember(&error);
        if let Some(listener) = &self.listener {
            listener(Said::Retrying { attempt, error });
        }
    }

    /// What was said last: the best explanation when a deadline passes.
    pub fn last(&self) -> Option<String> {
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
