//! `latency`: a quantile during a part of the run.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::bound::{Bound, Finding, Measured};
use super::super::parts::{Part, valid};
use super::{Measure, Seen};
use crate::load::Distribution;
use crate::quantity::{Share, Span};

/// A latency quantile during a part of the run, and its bound.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Latency {
    /// For example `99 %`.
    pub quantile: Share,
    /// Which part of the run.
    #[serde(default)]
    pub during: Part,
    /// The bound for it.
    pub is: Bound<Span>,
}

impl Measure for Latency {
    fn measure(&self, seen: &Seen<'_>) -> Measured {
        let part = self.during.name();
        let Some((from, to)) = seen.marks.range(self.during) else {
            return self.is.judge(Finding::Unknown(format!("there was no part `{part}`")));
        };
        let times = Distribution::of(valid(seen.ledger, seen.windows, from, to).map(|entry| entry.latency(seen.timeout)));
        self.is.judge(match times.is_empty() {
            true => Finding::Unknown(format!("no request counts in part `{part}`")),
            false => Finding::Is(times.quantile_ms(self.quantile.0)),
        })
    }
}
