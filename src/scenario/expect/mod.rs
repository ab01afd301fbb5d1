//! Expectations: what is measured in a trial, and its bound. Each expectation is one file with its format and its measurement.
//! To add one, write its file and its line below.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bound::Measured;
use super::observe::Observed;
use super::parts::Marks;
use super::record::WindowRecord;
use super::schema::Spec;
use crate::load::Ledger;

/// Everything observed in a trial.
pub(super) struct Seen<'a> {
    /// All requests.
    pub ledger: &'a Ledger,
    /// When the parts began.
    pub marks: &'a Marks,
    /// Every second of the load, including the ones that the generator spoilt.
    pub windows: &'a [WindowRecord],
    /// What was read besides the client's own view.
    pub observed: &'a Observed,
    /// The latency that failed requests count as, in microseconds.
    pub timeout: u32,
}

/// The interface of every expectation.
pub(super) trait Measure {
    /// Measures its number in what was seen, and compares it with its bound.
    fn measure(&self, seen: &Seen<'_>) -> Measured;

    /// Problems that a schema cannot express: the path below it, and a sentence.
    fn problems(&self, _spec: &Spec) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

macro_rules! expectations {
    ($($(#[$doc:meta])+ $name:literal => $variant:ident in $module:ident,)+) => {
        $(mod $module;)+

        /// What is measured, and its bound.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum Expectation {
            $($(#[$doc])+ #[serde(rename = $name)] $variant($module::$variant),)+
        }

        impl Expectation {
            /// The expectation's name in files.
            pub fn name(&self) -> &'static str {
                match self { $(Expectation::$variant(_) => $name,)+ }
            }

            fn inner(&self) -> &dyn Measure {
                match self { $(Expectation::$variant(one) => one,)+ }
            }
        }
    };
}

expectations! {
    /// Requests without a good answer, over the whole run; unanswered ones are among them.
    "failed" => Failed in failed,
    /// How much an Envoy counter grew.
    "proxies" => Proxies in proxies,
    /// Latency from the moment each request was due; a failed request counts as slow as the timeout.
    "latency" => Latency in latency,
    /// Time from the last fault to the steady state.
    "recovery" => Recovery in recovery,
}

impl Expectation {
    /// Measures it in what was seen, and compares with the bound.
    pub(super) fn measure(&self, seen: &Seen<'_>) -> Measured {
        self.inner().measure(seen)
    }

    /// Problems that a schema cannot express: the path below the assertion's `expect`, and a sentence.
    pub(super) fn problems(&self, spec: &Spec) -> Vec<(String, String)> {
        let below = |(path, message)| (format!("{}.{path}", self.name()), message);
        self.inner().problems(spec).into_iter().map(below).collect()
    }
}
