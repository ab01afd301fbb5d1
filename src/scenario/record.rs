//! The record of a run: plain values with their units in their names. Reports are made from it alone. Times within a trial are
//! milliseconds after the load began.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::facts::{Amount, Fact, Facts};
pub use super::parts::Part;
use super::schema::{Arrivals, Validity};
use super::timeline::Timeline;
use crate::error::Family;
pub use crate::event::Verdict;
use crate::load::Calibration;

/// One run of one scenario.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// The scenario's name.
    pub scenario: String,
    /// Its claim.
    pub title: String,
    /// The file it was read from.
    pub file: String,
    /// The run's name.
    pub run: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended, clean-up included.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// The reasons for the verdict, one sentence each; empty for a pass.
    pub reasons: Vec<String>,
    /// The exit-code family of an error; none otherwise.
    #[serde(skip)]
    pub family: Option<Family>,
    /// Where it ran.
    pub environment: Environment,
    /// How it was measured.
    pub method: Method,
    /// The generator's calibration on this machine, just before; none if the run did not get that far.
    pub calibration: Option<Calibration>,
    /// The trial as the scenario is written; none if the run did not get that far.
    pub trial: Option<TrialRecord>,
    /// The trial without what the claim depends on; none if there is no control or the run did not get that far.
    pub control: Option<ControlRecord>,
    /// What happened to changes of the cluster.
    pub cleanup: Cleanup,
}

impl RunRecord {
    /// The exit-code family; none for success. Only a failure of the system under test is [`Family::Scenario`].
    pub fn exit_family(&self) -> Option<Family> {
        match self.verdict {
            Verdict::Pass | Verdict::Skipped => None,
            Verdict::Fail => Some(Family::Scenario),
            Verdict::Invalid | Verdict::Inconclusive => Some(Family::Preflight),
            Verdict::Error => Some(self.family.unwrap_or(Family::NotReady)),
        }
    }
}

/// Where it ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Hearth's version.
    pub hearth: String,
    /// The profile's name.
    pub profile: Option<String>,
    /// Kernel of the machine that the load came from.
    pub kernel: String,
    /// Its processors.
    pub cpus: u32,
    /// The API server's version.
    pub kubernetes: Option<String>,
    /// Images of the required deployments and observed proxies, sorted.
    pub images: Vec<String>,
}

/// How it was measured.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// Address, host and path.
    pub target: String,
    /// Offered load, an open loop.
    pub rate_per_second: f64,
    /// When requests were due.
    pub arrivals: Arrivals,
    /// Connections kept open, one request at a time on each.
    pub connections: u32,
    /// A request without a whole answer this long after it was due has failed.
    pub timeout_ms: f64,
    /// How often the client sends a request again: never.
    pub client_retries: u32,
    /// When the measurement counts.
    pub validity: Validity,
}

/// One trial: load, faults, and what became of the requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrialRecord {
    /// Requests that were due; each is counted below.
    pub requests: u64,
    /// Number of requests without a good answer.
    pub failed: u64,
    /// Upper end of the 95 % interval of the failure rate, when none failed.
    pub failure_rate_upper95: Option<f64>,
    /// Number of requests by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Number of responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that reached a server only after a retry, according to the response's headers.
    pub repeated: u64,
    /// The parts of the trial.
    pub parts: Vec<PartRecord>,
    /// Time from the last fault to the steady state; none when it did not come back.
    pub recovery_ms: Option<f64>,
    /// Why the steady state did not come back.
    pub unrecovered: Option<String>,
    /// The faults that were injected.
    pub faults: Vec<FaultRecord>,
    /// What was read besides the client's own view.
    pub observations: Vec<ObservationRecord>,
    /// Anything odd about the trial.
    pub notes: Vec<String>,
    /// Assertions and what was measured.
    pub assertions: Vec<AssertionRecord>,
    /// Share of due requests that were sent.
    pub offered_share: f64,
    /// Every second of the load.
    pub windows: Vec<WindowRecord>,
    /// Why the trial does not count; empty if it does.
    pub invalid: Vec<String>,
    /// The first failed requests.
    pub failures: Vec<FailureRecord>,
    /// Every request, small enough to be drawn; none in reports of earlier versions.
    #[serde(default)]
    pub timeline: Option<Timeline>,
    /// The file with all requests, in the run's directory.
    pub ledger: String,
}

/// A part of a trial.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartRecord {
    /// Which part.
    pub part: Part,
    /// When it began.
    pub from_ms: f64,
    /// When it ended.
    pub to_ms: f64,
    /// Requests that were due in it.
    pub requests: u64,
    /// Number of requests without a good answer.
    pub failed: u64,
    /// Times from the moment each was due; failed ones count as slow as the timeout. Void seconds are left out.
    pub latency: Quantiles,
    /// Times from the moment each was sent.
    pub service: Quantiles,
}

/// Quantiles of a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quantiles {
    /// Number of times.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// The largest time.
    pub max_ms: f64,
}

/// An injected fault, and its effects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultRecord {
    /// The index of its moment in the timeline.
    #[serde(skip)]
    pub moment: usize,
    /// Its name in files.
    pub fault: String,
    /// What it hit.
    pub target: String,
    /// Words for it in sentences.
    pub words: FaultWords,
    /// When it came.
    pub at_ms: f64,
    /// When it was in full effect, or over; none if it did not get that far.
    pub done_ms: Option<f64>,
    /// When what it took away was back; none if that was not waited for, or never happened.
    pub recovered_ms: Option<f64>,
    /// Whether it hit requests: a fault that did not proves nothing.
    pub bit: bool,
    /// Other facts about it.
    pub facts: Facts,
}

/// Words for a fault in sentences: "two WAS pods were killed", "no request is lost when WAS pods die".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultWords {
    /// One of its kind: `kill`.
    pub noun: String,
    /// What it hits, in the singular: `was pod`.
    pub subject: String,
    /// What was done to that: `killed`.
    pub done: String,
    /// What that did: `died`.
    pub did: String,
    /// What one of them does: `dies`.
    pub does: String,
    /// What many of them do: `die`.
    pub do_many: String,
    /// What the target is when it is over: `replaced`.
    pub healed: String,
}

/// What was read besides the client's own view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservationRecord {
    /// Its name in files.
    pub observation: String,
    /// Its heading in reports.
    pub title: String,
    /// Totals, a line each.
    pub totals: Vec<Facts>,
    /// Details, a line each.
    pub rows: Vec<Facts>,
    /// Anything odd about it, or unknown.
    pub notes: Vec<String>,
}

/// An assertion and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssertionRecord {
    /// Its id.
    pub id: String,
    /// The claim it makes.
    pub title: String,
    /// The measured value; none if the event never happened, or it is unknown.
    pub measured: Option<Amount>,
    /// Why nothing is known: then it neither holds nor is broken.
    #[serde(default)]
    pub unknown: Option<String>,
    /// The bound's comparison: `==`, `>=` or `<=`.
    pub comparison: String,
    /// The bound's value.
    pub bound: Amount,
    /// Whether it holds.
    pub holds: bool,
    /// Broken only by requests that the generator did not send, or not in time: that says nothing about the system.
    #[serde(default)]
    pub by_generator: bool,
}

/// One second of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowRecord {
    /// When it began.
    pub from_ms: f64,
    /// Requests that were due in it.
    pub requests: u64,
    /// Number of requests without a good answer.
    pub failed: u64,
    /// Median latency.
    pub latency_p50_ms: f64,
    /// 99th percentile of latency.
    pub latency_p99_ms: f64,
    /// How late the generator was, 99th percentile.
    pub release_error_p99_ms: f64,
    /// The generator was too late: its latencies do not count. Its failures do.
    pub void: bool,
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureRecord {
    /// Its `x-request-id`.
    pub request_id: String,
    /// When it was due.
    pub scheduled_ms: f64,
    /// When its outcome was known.
    pub done_ms: f64,
    /// Its outcome.
    pub outcome: String,
    /// The response's status, if there was one.
    pub status: Option<u16>,
}

/// The negative control.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlRecord {
    /// What was taken away.
    pub title: String,
    /// Assertions that had to fail.
    pub must_fail: Vec<String>,
    /// The ones among them that did not fail.
    pub held: Vec<String>,
    /// The trial.
    pub trial: TrialRecord,
}

/// What happened to the changes made to the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cleanup {
    /// Changes of earlier runs that were taken back first.
    pub healed: Vec<String>,
    /// Changes of this run that were taken back.
    pub undone: Vec<String>,
    /// What could not be taken back, and why.
    pub left: Vec<String>,
}
