//! The result of a comparison, as plain values with their units in their names: reports are made from it alone.
//!
//! `a` is the first arm, `b` the second; every difference is b less a, so below zero the second arm is faster. A number that is
//! null is not available: an end of an interval that the data do not bound, or a quantile that falls on a failed request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::ClaimRecord;
use super::metric::Metric;
use super::plan::Seal;
use super::resources::ResourcesRecord;
use super::verdict::Verdict;
use crate::load::Calibration;

/// The result of one comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Hearth comparison result", extend("$id" = "https://hearth.dev/schema/v1alpha1/comparison-result.json"))]
pub struct Comparison {
    /// Version of this format.
    pub api_version: ResultVersion,
    /// The comparison's name.
    pub name: String,
    /// The run's name, which is the prefix of its requests' ids.
    pub run: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// The verdict on the primary metric.
    pub verdict: Verdict,
    /// Why the measurement does not count, one sentence each; empty unless the verdict is INVALID.
    pub reasons: Vec<String>,
    /// What the verdict leaves open, and what this run could not find out.
    pub notes: Vec<String>,
    /// Stopped before its end: it contains what there was until then.
    pub incomplete: bool,
    /// The primary metric's difference with its interval; none if there is nothing to estimate from.
    pub estimate: Option<Estimate>,
    /// Whether a difference that was found exceeds the margin; none if that is open.
    pub exceeds_margin: Option<bool>,
    /// What was declared before the first request.
    pub declaration: Seal,
    /// The two arms.
    pub arms: Vec<ArmRecord>,
    /// The machine that sent the load.
    pub machine: Machine,
    /// The generator's calibration on this machine, just before; none if the run did not get that far.
    pub calibration: Option<Calibration>,
    /// What was discarded before the measurement.
    pub warm_up: Option<WarmUp>,
    /// The result for each metric, the primary first.
    pub metrics: Vec<MetricRecord>,
    /// Differences at p5 to p99 of the duet.
    pub shift: Vec<ShiftRecord>,
    /// Chance that a request to b is slower than one to a, less the chance that it is faster (Cliff's delta), by windows.
    pub dominance: Option<Estimate>,
    /// Both arms' latencies in the duet.
    pub distribution: Option<Distribution>,
    /// The windows of the duet, including void ones.
    pub windows: Vec<WindowRecord>,
    /// How many of them are void, by gate.
    pub void: Void,
    /// The same question asked about one arm twice.
    pub same_arm: Option<PhaseRecord>,
    /// The same question asked in blocks in which one arm has the load alone.
    pub blocks: Option<PhaseRecord>,
    /// The same question asked as `curl` in a loop would.
    pub visits: Option<VisitsRecord>,
    /// What each arm costs in pods and memory; none when no claim asks for it, or the run ended before.
    #[serde(default)]
    pub resources: Option<ResourcesRecord>,
    /// Figures of others, held against what was measured; in the order in which they were claimed.
    #[serde(default)]
    pub claim: Vec<ClaimRecord>,
    /// The checks of the measurement.
    pub checks: Vec<CheckRecord>,
}

impl Comparison {
    /// A result without findings yet.
    pub(super) fn begun(name: &str, run: &str, declaration: Seal) -> Self {
        Comparison {
            api_version: ResultVersion::V1alpha1,
            name: name.into(),
            run: run.into(),
            started: declaration.sealed,
            finished: declaration.sealed,
            verdict: Verdict::Invalid,
            reasons: Vec::new(),
            notes: Vec::new(),
            incomplete: false,
            estimate: None,
            exceeds_margin: None,
            declaration,
            arms: Vec::new(),
            machine: Machine::here(),
            calibration: None,
            warm_up: None,
            metrics: Vec::new(),
            shift: Vec::new(),
            dominance: None,
            distribution: None,
            windows: Vec::new(),
            void: Void::default(),
            same_arm: None,
            blocks: None,
            visits: None,
            resources: None,
            claim: Vec::new(),
            checks: Vec::new(),
        }
    }
}

/// Version of the result's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResultVersion {
    /// The first one.
    #[serde(rename = "hearth.dev/comparison/v1alpha1")]
    V1alpha1,
}

/// Rounds away the digits below a nanosecond (or a millionth) that arithmetic leaves behind.
pub(super) fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// An estimate and its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The quantity: a metric's name, `cliffs-delta`, or what a claim is about.
    pub of: String,
    /// The estimated value.
    pub value: f64,
    /// Its unit: `ms`, `pods`, `Mi`, or empty for a pure number.
    pub unit: String,
    /// Lower end; null when the data do not bound it.
    pub low: Option<f64>,
    /// Upper end; null when the data do not bound it.
    pub high: Option<f64>,
    /// The chance with which such an interval covers the truth.
    pub level: f64,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmRecord {
    /// Its name.
    pub name: String,
    /// Its URL, as given or as found for the service.
    pub url: String,
    /// The service, as NAMESPACE/NAME; none when a URL was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Its address, resolved once.
    pub address: String,
    /// CRC-32 of its body in hexadecimal; none if the body changes.
    pub body_crc32: Option<String>,
    /// Requests sent to it, in all phases.
    pub requests: u64,
    /// Number of requests without a good answer.
    pub failed: u64,
    /// Lower end of the 95 % interval (Clopper-Pearson) of the share that fails.
    pub failed_share_low: f64,
    /// Upper end of that interval.
    pub failed_share_high: f64,
    /// Number of requests by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Latencies in the valid windows of the duet, merged; HdrHistogram V2, deflated, base64, in microseconds. Failed ones are
    /// counted at the timeout.
    pub hdr: Option<String>,
}

/// The machine that sent the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Kernel release.
    pub kernel: String,
    /// Number of processors.
    pub cpus: u32,
}

impl Machine {
    fn here() -> Self {
        let name = rustix::system::uname();
        Machine {
            kernel: format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
            cpus: std::thread::available_parallelism().map_or(0, |count| count.get() as u32),
        }
    }
}

/// What was discarded before the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WarmUp {
    /// How long it took.
    pub lasted_ms: f64,
    /// Whether the medians of both arms had no trend in the end (Mann-Kendall, 10 %).
    pub stationary: bool,
    /// The primary metric in its last windows, first arm.
    pub a_ms: Option<f64>,
    /// The same, second arm.
    pub b_ms: Option<f64>,
}

/// One metric of the duet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricRecord {
    /// Which metric.
    pub metric: Metric,
    /// Whether it is the one that decides.
    pub primary: bool,
    /// Why it is not judged, as in `600 of 3688 requests a window`; none if it is.
    pub not_judged: Option<String>,
    /// Median over the windows, first arm; null if it falls on failed requests.
    pub a_ms: Option<f64>,
    /// Median over the windows, second arm.
    pub b_ms: Option<f64>,
    /// Hodges-Lehmann estimate of the difference, and the interval by inverting the sign-flip test, widened if neighbouring
    /// units are correlated.
    pub estimate: Option<Estimate>,
    /// The estimate with the interval that is compared with the margin (two one-sided tests).
    pub equivalence: Option<Estimate>,
    /// The estimate with the interval of the nested bootstrap, which treats units as independent: the second opinion.
    pub bootstrap: Option<Estimate>,
    /// The difference as a share of the first arm's value.
    pub relative: Option<f64>,
    /// The margin in milliseconds.
    pub margin_ms: Option<f64>,
    /// Chance of such a difference if there is none (sign-flip test).
    pub p_difference: Option<f64>,
    /// Chance of such a small difference if the true one is as large as the margin.
    pub p_equivalence: Option<f64>,
    /// The first of the two, adjusted for the number of secondary metrics (Holm); none for the primary.
    pub p_difference_holm: Option<f64>,
    /// The second of the two, adjusted likewise.
    pub p_equivalence_holm: Option<f64>,
    /// Number of units in the estimate: valid windows, or batches of them.
    pub units: u64,
    /// Correlation of the difference of one unit with that of the next.
    pub autocorrelation: f64,
    /// How many independent units would contain as much information; the interval is wider by the root of the ratio.
    pub effective_units: f64,
    /// The smallest difference that a run like this detects in 4 of 5 cases.
    pub detectable_ms: Option<f64>,
    /// How many windows would detect a difference as large as the margin in 4 of 5 cases.
    pub windows_needed: Option<u64>,
    /// The verdict; for secondary metrics from the adjusted chances. None if it is not judged, or the measurement does not
    /// count.
    pub verdict: Option<Verdict>,
}

/// The difference at one quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShiftRecord {
    /// For example 0.05.
    pub quantile: f64,
    /// Median over the windows, first arm; null if it falls on failed requests.
    pub a_ms: Option<f64>,
    /// The difference; its interval is not adjusted for the number of quantiles.
    pub estimate: Estimate,
}

/// Both arms' latencies in bins of equal ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// Ends of the bins, one more than there are bins, ascending.
    pub edges_ms: Vec<f64>,
    /// The first arm's latencies.
    pub a: ArmDistribution,
    /// The second arm's latencies.
    pub b: ArmDistribution,
}

/// One arm's latencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmDistribution {
    /// Good answers in each bin.
    pub counts: Vec<u64>,
    /// Number of requests without a good answer: slower than everything.
    pub failed: u64,
    /// Share of requests slower than each edge.
    pub slower: Vec<f64>,
    /// Lower end of the 95 % band, from the spread between windows.
    pub slower_low: Vec<f64>,
    /// Upper end of that band.
    pub slower_high: Vec<f64>,
}

/// One window: the same number of requests to both arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowRecord {
    /// When it began, in milliseconds after the phase began.
    pub from_ms: f64,
    /// When it ended, likewise.
    pub to_ms: f64,
    /// The deployment of the arms that it belongs to, from 0.
    pub deployment: u32,
    /// Why it does not count, for both arms; empty if it does.
    pub void: Vec<String>,
    /// How late the generator was, 99th percentile.
    pub release_error_p99_ms: f64,
    /// The first arm's requests.
    pub a: ArmWindow,
    /// The second arm's requests.
    pub b: ArmWindow,
}

/// One arm in one window. Quantiles are exact; null if they fall on failed requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmWindow {
    /// Number of requests that were due.
    pub requests: u64,
    /// Number of requests without a good answer.
    pub failed: u64,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// 99.9th percentile.
    pub p999_ms: Option<f64>,
    /// The mean; failed ones count as slow as the timeout.
    pub mean_ms: Option<f64>,
    /// All latencies; HdrHistogram V2, deflated, base64, in microseconds. Failed ones are counted at the timeout.
    pub hdr: String,
}

/// How many windows are void.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Void {
    /// Number of windows that were measured.
    pub of: u64,
    /// Number of void windows among them.
    pub windows: u64,
    /// How often each gate was the reason; a window may have several.
    pub gates: BTreeMap<String, u64>,
}

/// The same question asked in another way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseRecord {
    /// Number of windows that were measured; in blocks, of pairs of neighbouring blocks.
    pub windows: u64,
    /// Number of void windows among them.
    pub void: u64,
    /// The primary metric's difference; none if there are too few requests or windows.
    pub estimate: Option<Estimate>,
    /// The difference of each valid window.
    pub differences_ms: Vec<f64>,
}

/// Requests one after the other, each on a new connection: a closed loop, handshakes included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VisitsRecord {
    /// The first arm's requests.
    pub a: ArmVisits,
    /// The second arm's requests.
    pub b: ArmVisits,
}

/// One arm's requests one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmVisits {
    /// Requests sent.
    pub requests: u64,
    /// Number of requests without a good answer.
    pub failed: u64,
    /// Mean of the good ones; null if there are none.
    pub mean_ms: Option<f64>,
    /// Median of the good ones.
    pub p50_ms: Option<f64>,
    /// Time of each good one, in order.
    pub times_ms: Vec<f64>,
}

/// A check of the measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRecord {
    /// Short name.
    pub id: String,
    /// What is required.
    pub title: String,
    /// What was measured.
    pub measured: String,
    /// The allowed values.
    pub limit: String,
    /// Whether it holds; null if that is not known.
    pub holds: Option<bool>,
    /// Whether the measurement counts only if this holds.
    pub decides: bool,
}
