//! Progress reports of running work: a leaf that everything may hold and that depends on neither steps nor events.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error;

/// What running work reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What it is doing now, as a fragment such as "2 of 3 nodes ready".
    Doing(String),
    /// Something that users should know although the work goes on, as a sentence.
    Warning(String),
    /// An attempt failed and another one follows.
    Retrying {
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// The message with its causes.
        error: String,
    },
}

/// Handed to running work so that it can report what it is doing. Cheap to clone.
#[derive(Clone)]
pub struct Progress {
    listener: Option<Arc<dyn Fn(Said) + Send + Sync>>,
    last: Arc<Mutex<Option<String>>>,
}

impl Progress {
    /// Reports go to `listener`.
    pub fn new(listener: impl Fn(Said) + Send + Sync + 'static) -> Self {
        Progress { listener: Some(Arc::new(listener)), last: Arc::default() }
    }

    /// Reports go nowhere, for calls outside a run.
    pub fn silent() -> Self {
        Progress { listener: None, last: Arc::default() }
    }

    /// Reports what is being done now: a short fragment such as "2 of 3 nodes ready". Repeating the same text is free, so a
    /// polling loop can call this every time.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if self.remember(&text)
            && let Some(listener) = &self.listener
        {
            listener(Said::Doing(text));
        }
    }

    /// Reports something that users should know although the work goes on.
    pub fn warn(&self, text: impl Into<String>) {
        if let Some(listener) = &self.listener {
            listener(Said::Warning(text.into()));
        }
    }

    /// Reports that attempt number `attempt`, counted from 1, failed and another one follows.
    pub fn retrying(&self, attempt: u32, error: &(dyn std::error::Error + 'static)) {
        let error = error::chain(error);
        self.remember(&error);
        if let Some(listener) = &self.listener {
            listener(Said::Retrying { attempt, error });
        }
    }

    /// The last report: the best explanation when a deadline passes.
    pub fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps `text`; true if it is new.
    fn remember(&self, text: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let news = last.as_deref() != Some(text);
        if news {
            *last = Some(text.to_owned());
        }
        news
    }
}
