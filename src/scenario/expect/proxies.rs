//! `proxies`: how much an Envoy counter grew.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::bound::{Bound, Finding, Measured};
use super::super::observe::Counter;
use super::super::schema::Spec;
use super::{Measure, Seen};
use crate::quantity::Requests;

/// How much an Envoy counter grew.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxies {
    /// The counter.
    pub counter: Counter,
    /// Summed over the pods of this group of `observe.proxies`; default: of all groups.
    pub of: Option<String>,
    /// The bound for its growth.
    pub is: Bound<Requests>,
}

impl Measure for Proxies {
    fn measure(&self, seen: &Seen<'_>) -> Measured {
        // a counter that was not read is not 0
        let growth = seen.observed.proxies.of(self.counter, self.of.as_deref());
        self.is.judge(growth.map_or_else(Finding::Unknown, |count| Finding::Is(count as f64)))
    }

    fn problems(&self, spec: &Spec) -> Vec<(&'static str, String)> {
        let groups = &spec.observe.proxies;
        match &self.of {
            None if groups.is_empty() => vec![("counter", "there are no groups in spec.observe.proxies".to_owned())],
            Some(of) if groups.iter().all(|group| group.name != *of) => {
                vec![("of", format!("there is no group `{of}` in spec.observe.proxies"))]
            }
            _ => Vec::new(),
        }
    }
}
