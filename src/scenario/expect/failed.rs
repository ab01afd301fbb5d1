//! `failed`: requests without a good answer.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::bound::{Bound, Finding, Measured};
use super::{Measure, Seen};
use crate::quantity::Requests;

/// The bound for the number of failed requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Failed(Bound<Requests>);

impl Measure for Failed {
    fn measure(&self, seen: &Seen<'_>) -> Measured {
        self.0.judge(Finding::Is(seen.ledger.failed() as f64))
    }
}
