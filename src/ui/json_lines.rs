//! Events as JSON lines on stderr, for `--log-format json`.

use super::Printer;
use crate::event::{Record, Sink};

/// A sink that writes each event as one line of JSON. Use it instead of [`super::Display`].
pub struct JsonLines(pub Printer);

impl Sink for JsonLines {
    fn record(&mut self, record: &Record) {
        match serde_json::to_string(record) {
            Ok(line) => self.0.error(line),
            Err(error) => tracing::error!(%error, "event is not plain data"),
        }
    }
}
