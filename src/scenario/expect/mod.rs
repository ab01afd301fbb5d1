//! Expectations: what is measured of a trial, and what it may be. An expectation is one file: what is written of it, and
//! how it is measured. To add one, write its file and its line below.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bound::Measured;
use super::observe::Observed;
use super::parts::Marks;
use super::record::WindowRecord;
use super::schema::Spec;
use crate::load::Ledger;

/// All that was seen in a trial.
pub(super) struct Seen<'a> {
    /// The requests.
    pub ledger: &'a Ledger,
    /// When the parts began.
    pub marks: &'a Marks,
    /// Every second of the load, with those that the generator spoiled.
    pub windows: &'a [WindowRecord],
    /// What was read besides the client's own view.
    pub observed: &'a Observed,
    /// As slow as a failed request counts, in microseconds.
    pub timeout: u32,
}

/// What every expectation can do.
pub(super) trait Measure {
    /// Looks for its number in what was seen, and holds it against its bound.
    fn measure(&self, seen: &Seen<'_>) -> Measured;

    /// What is wrong with it that a schema cannot say: the path below it, and the sentence.
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
            /// Its name in files.
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
    /// Held against what was seen.
    pub(super) fn measure(&self, seen: &Seen<'_>) -> Measured {
        self.inner().measure(seen)
    }

    /// What is wrong with it that a schema cannot say: the path below the assertion's `expect`, and the sentence.
    pub(super) fn problems(&self, spec: &Spec) -> Vec<(String, String)> {
        let below = |(path, message)| (format!("{}.{path}", self.name()), message);
        self.inner().problems(spec).into_iter().map(below).collect()
    }
}
