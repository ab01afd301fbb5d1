//! What a comparison found, as plain values with their units in their names: reports are made of it and of nothing else.
//!
//! `a` is the first arm, `b` the second; every difference is b less a, so below zero the second arm is faster. A number that
//! is null could not be had: an end of an interval that the data do not bound, or a quantile that falls on a failed request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::plan::Seal;
use super::verdict::Verdict;
use crate::load::Calibration;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Hearth comparison result", extend("$id" = "https://hearth.dev/schema/v1alpha1/comparison-result.json"))]
pub struct Comparison {
    /// Version of this format.
    pub api_version: ResultVersion,
    /// The comparison's name.
    pub name: String,
    /// The run's name; ids of its requests begin with it.
    pub run: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// What was found on the primary metric.
    pub verdict: Verdict,
    /// Why the measurement does not count, one sentence each; empty unless the verdict is INVALID.
    pub reasons: Vec<String>,
    /// What the verdict leaves open, and what this run could not tell.
    pub notes: Vec<String>,
    /// Stopped before its end: what is here is what there was until then.
    pub incomplete: bool,
    /// The primary metric's difference with its interval; none when there is nothing to estimate from.
    pub estimate: Option<Estimate>,
    /// Whether a difference that was found exceeds the margin; none when that is open.
    pub exceeds_margin: Option<bool>,
    /// What was declared before the first request.
    pub declaration: Seal,
    /// What the arms were.
    pub arms: Vec<ArmRecord>,
    /// The machine that the load came from.
    pub machine: Machine,
    /// The generator on this machine, just before; none when the run did not get so far.
    pub calibration: Option<Calibration>,
    /// What was thrown away before the measurement.
    pub warm_up: Option<WarmUp>,
    /// Each metric, the primary first.
    pub metrics: Vec<MetricRecord>,
    /// Differences at p5 to p99 of the duet.
    pub shift: Vec<ShiftRecord>,
    /// Chance that a request to b is slower than one to a, less the chance that it is faster (Cliff's delta), by windows.
    pub dominance: Option<Estimate>,
    /// Both arms' latencies in the duet.
    pub distribution: Option<Distribution>,
    /// The windows of the duet, void ones too.
    pub windows: Vec<WindowRecord>,
    /// How many of them are void, by gate.
    pub void: Void,
    /// The same question asked of one arm twice.
    pub same_arm: Option<PhaseRecord>,
    /// The same question asked in blocks in which one arm has the load alone.
    pub blocks: Option<PhaseRecord>,
    /// The same question asked as `curl` in a loop would.
    pub visits: Option<VisitsRecord>,
    /// What the measurement was held against.
    pub checks: Vec<CheckRecord>,
}

impl Comparison {
    /// A result in which nothing was found yet.
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

/// Without the digits below a nanosecond (or a millionth) that arithmetic leaves behind.
pub(super) fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// An estimate and its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// What it is of: a metric's name, or `cliffs-delta`.
    pub of: String,
    /// The estimate.
    pub value: f64,
    /// Its unit: `ms`, or nothing for a pure number.
    pub unit: String,
    /// Lower end; null when the data do not bound it.
    pub low: Option<f64>,
    /// Upper end; null when the data do not bound it.
    pub high: Option<f64>,
    /// With which chance such an interval covers the truth.
    pub level: f64,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmRecord {
    /// Its name.
    pub name: String,
    /// As it was asked for.
    pub url: String,
    /// The address it was looked up as, once.
    pub address: String,
    /// CRC-32 of its body in hexadecimal; none when the body changes.
    pub body_crc32: Option<String>,
    /// Requests sent to it, in all phases.
    pub requests: u64,
    /// Those without a good answer.
    pub failed: u64,
    /// The 95 % interval (Clopper-Pearson) of the share that fails.
    pub failed_share_low: f64,
    /// Its upper end.
    pub failed_share_high: f64,
    /// Number of requests by what became of them.
    pub outcomes: BTreeMap<String, u64>,
    /// Latencies in the valid windows of the duet, merged; HdrHistogram V2, deflated, base64, in microseconds. Failed ones
    /// stand at the timeout.
    pub hdr: Option<String>,
}

/// The machine that the load came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Its kernel.
    pub kernel: String,
    /// Its processors.
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

/// What was thrown away before the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WarmUp {
    /// How long it took.
    pub lasted_ms: f64,
    /// Whether the medians of both arms went nowhere in the end (Mann-Kendall, 10 %).
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
    /// Which.
    pub metric: Metric,
    /// Whether it decides.
    pub primary: bool,
    /// Why it is not judged, as in `600 of 3688 requests a window`; none when it is.
    pub not_judged: Option<String>,
    /// Median over the windows, first arm; null when it falls on failed requests.
    pub a_ms: Option<f64>,
    /// Median over the windows, second arm.
    pub b_ms: Option<f64>,
    /// Hodges-Lehmann estimate of the difference, and the interval by inverting the sign-flip test, wider as far as
    /// neighbouring units resemble each other.
    pub estimate: Option<Estimate>,
    /// The estimate with the interval that is held against the margin (two one-sided tests).
    pub equivalence: Option<Estimate>,
    /// The estimate with the interval of the nested bootstrap, which takes units for independent: the second opinion.
    pub bootstrap: Option<Estimate>,
    /// The difference as a share of the first arm's value.
    pub relative: Option<f64>,
    /// The margin.
    pub margin_ms: Option<f64>,
    /// Chance of such a difference when there is none (sign-flip test).
    pub p_difference: Option<f64>,
    /// Chance of such a closeness when the difference is as large as the margin.
    pub p_equivalence: Option<f64>,
    /// The first of the two adjusted for the number of secondary metrics (Holm); none for the primary.
    pub p_difference_holm: Option<f64>,
    /// The second of the two, likewise.
    pub p_equivalence_holm: Option<f64>,
    /// Units that the estimate is of: valid windows, or batches of them.
    pub units: u64,
    /// Correlation of the difference of one unit with the next.
    pub autocorrelation: f64,
    /// How many independent units tell as much; the interval is wider by the root of what is missing.
    pub effective_units: f64,
    /// The smallest difference that a run like this finds in 4 of 5 cases.
    pub detectable_ms: Option<f64>,
    /// How many windows would find a difference as large as the margin in 4 of 5 cases.
    pub windows_needed: Option<u64>,
    /// What was found; for secondary metrics from the adjusted chances. None when it is not judged, or the
    /// measurement does not count.
    pub verdict: Option<Verdict>,
}

/// The difference at one quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShiftRecord {
    /// For example 0.05.
    pub quantile: f64,
    /// Median over the windows, first arm; null when it falls on failed requests.
    pub a_ms: Option<f64>,
    /// The difference, its interval not adjusted for the number of quantiles.
    pub estimate: Estimate,
}

/// Both arms' latencies in bins of equal ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// Ends of the bins, one more than there are bins, ascending.
    pub edges_ms: Vec<f64>,
    /// First arm.
    pub a: ArmDistribution,
    /// Second arm.
    pub b: ArmDistribution,
}

/// One arm's latencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmDistribution {
    /// Good answers in each bin.
    pub counts: Vec<u64>,
    /// Requests without a good answer: slower than everything.
    pub failed: u64,
    /// Share of requests slower than each edge.
    pub slower: Vec<f64>,
    /// Lower end of its 95 % band, from the spread between windows.
    pub slower_low: Vec<f64>,
    /// Upper end of it.
    pub slower_high: Vec<f64>,
}

/// One window: the same number of requests to both arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowRecord {
    /// Its begin, in milliseconds after the phase began.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
    /// Which deployment of the arms it belongs to, from 0.
    pub deployment: u32,
    /// Why it does not count, for both arms; empty when it does.
    pub void: Vec<String>,
    /// How late the generator was, 99th percentile.
    pub release_error_p99_ms: f64,
    /// First arm.
    pub a: ArmWindow,
    /// Second arm.
    pub b: ArmWindow,
}

/// One arm in one window. Quantiles are exact; null when they fall on failed requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmWindow {
    /// Requests that were due.
    pub requests: u64,
    /// Those without a good answer.
    pub failed: u64,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// 99.9th percentile.
    pub p999_ms: Option<f64>,
    /// Mean; failed ones as slow as the timeout.
    pub mean_ms: Option<f64>,
    /// All latencies; HdrHistogram V2, deflated, base64, in microseconds. Failed ones stand at the timeout.
    pub hdr: String,
}

/// Void windows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Void {
    /// Windows that were measured.
    pub of: u64,
    /// Of them, void.
    pub windows: u64,
    /// How often each gate was the reason; a window may have several.
    pub gates: BTreeMap<String, u64>,
}

/// The same question asked in another way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseRecord {
    /// Windows that were measured; in blocks, pairs of neighbouring blocks.
    pub windows: u64,
    /// Of them, void.
    pub void: u64,
    /// The primary metric's difference; none with too few requests or windows.
    pub estimate: Option<Estimate>,
    /// The difference of each valid window.
    pub differences_ms: Vec<f64>,
}

/// Requests one after the other, each on a new connection: a closed loop, handshakes included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VisitsRecord {
    /// First arm.
    pub a: ArmVisits,
    /// Second arm.
    pub b: ArmVisits,
}

/// One arm's requests one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmVisits {
    /// Requests sent.
    pub requests: u64,
    /// Those without a good answer.
    pub failed: u64,
    /// Mean of the good ones; null without any.
    pub mean_ms: Option<f64>,
    /// Median of the good ones.
    pub p50_ms: Option<f64>,
    /// Each good one, in order.
    pub times_ms: Vec<f64>,
}

/// Something the measurement was held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRecord {
    /// Short name.
    pub id: String,
    /// What is asked for.
    pub title: String,
    /// What was measured.
    pub measured: String,
    /// What may be.
    pub limit: String,
    /// Whether it holds; null when it could not be told.
    pub holds: Option<bool>,
    /// Whether the measurement counts only if it holds.
    pub decides: bool,
}
