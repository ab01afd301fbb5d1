//! `recovery`: time from the last fault to the steady state.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::bound::{Bound, Finding, Measured};
use super::{Measure, Seen};
use crate::quantity::Span;

/// The bound for that time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Recovery(Bound<Span>);

impl Measure for Recovery {
    fn measure(&self, seen: &Seen<'_>) -> Measured {
        self.0.judge(seen.marks.recovery_ms().map_or(Finding::Never, Finding::Is))
    }
}
