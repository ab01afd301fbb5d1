//! From the question to the declaration: every default filled in, every contradiction refused, and all of it sealed by a digest
//! before the first request.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::arm;
use super::claim::{self, Claim};
use super::margin::Margin;
use super::metric::Metric;
use super::schema::{Arm, Expect, Load, Spec};
use crate::load::LONGEST;

/// Length of the duet of a quick comparison, in seconds; with the other phases half a minute.
const QUICK_DUET: f64 = 13.0;
/// Length of the A/A run of a quick comparison, in seconds: eight windows of one second, the fewest that bound it.
const QUICK_SAME_ARM: f64 = 8.0;
/// Number of turns while the kubelets are asked: A B B A, or B A A B.
const TURNS: u32 = 4;
/// Resamples of the bootstrap.
const DRAWS: u32 = 10_000;

/// What is declared before the first request. The digest is computed from its compact JSON, with the fields in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Declaration {
    /// The expected result, in words.
    pub hypothesis: String,
    /// The arms; every difference is the second less the first.
    pub arms: Vec<Arm>,
    /// Figures that are held against what is measured; older declarations have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim: Vec<Claim>,
    /// The metric that decides.
    pub metric: Metric,
    /// The largest difference that does not matter.
    pub margin: Margin,
    /// Chance of a wrong better or worse if the arms are alike; the level of the interval is 1 - alpha, and that of the
    /// equivalence interval 1 - 2 alpha.
    pub alpha: f64,
    /// The requests.
    pub load: Load,
    /// What a good answer is.
    pub expect: Expect,
    /// Whether it takes half a minute instead of several.
    pub quick: bool,
    /// Length of a window, the unit of all statistics.
    pub window_ms: f64,
    /// Requests to each arm in a window.
    pub requests_per_window: u32,
    /// Number of windows of the duet, which is also the maximum.
    pub windows: u32,
    /// Number of windows of the A/A run.
    pub same_arm_windows: u32,
    /// Number of blocks in which one arm has the load alone.
    pub blocks: u32,
    /// Number of requests to each arm one after the other, each on a new connection.
    pub visits: u32,
    /// Turns in which one arm has the load alone and the kubelets are asked what its pods use.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turns: u32,
    /// Seed of everything that is random.
    pub seed: u64,
    /// Number of resamples of the bootstrap.
    pub draws: u32,
    /// Conditions for a measurement to count.
    pub validity: Validity,
    /// Hearth's version.
    pub hearth: String,
}

/// Conditions for a measurement to count. No bound depends on which arm is which, except that of failures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// This many times the generator's release error, 99th percentile, must not exceed the primary metric of the faster arm:
    /// before the run, and in every window.
    pub release_error_times: f64,
    /// Least share of a window's due requests that must have been sent.
    pub offered_share: f64,
    /// Largest share of a window's processor time that the hypervisor took away.
    pub steal_share: f64,
    /// Largest share of one processor that the generator used in a window.
    pub generator_share: f64,
    /// Largest share of a window's TCP segments that were sent again.
    pub retransmitted_share: f64,
    /// Largest share of void windows.
    pub void_share: f64,
    /// Largest share of an arm's requests that failed.
    pub failed_share: f64,
}

impl Default for Validity {
    fn default() -> Self {
        Validity {
            release_error_times: 10.0,
            offered_share: 0.995,
            steal_share: 0.05,
            generator_share: 0.9,
            retransmitted_share: 0.01,
            void_share: 0.2,
            failed_share: 0.01,
        }
    }
}

/// A declaration that cannot be changed unnoticed any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seal {
    /// When it was sealed, which is before the first request.
    #[schemars(with = "String")]
    pub sealed: Timestamp,
    /// SHA-256 of the declaration's compact JSON.
    pub sha256: String,
    /// The declaration itself.
    pub content: Declaration,
}

/// One flaw in the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Its place in a file, for example `spec.arms[0].url`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Seal {
    /// Seals a declaration, with the current time.
    pub fn now(content: Declaration) -> Self {
        Seal { sealed: Timestamp::now(), sha256: digest(&content), content }
    }

    /// True while the content is what was sealed.
    pub fn holds(&self) -> bool {
        self.sha256 == digest(&self.content)
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn digest(content: &Declaration) -> String {
    // plain fields with names as keys: JSON can represent them all
    let json = serde_json::to_vec(content).unwrap_or_default();
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Declaration {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// All flaws at once.
    pub fn of(spec: &Spec) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        arm::check(&spec.arms, &mut flaws);
        claim::check(spec, &mut flaws);
        check_numbers(spec, &mut flaws);
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let (design, rate, metric) = (&spec.design, spec.load.rate.0, spec.primary.metric);
        let quick = design.quick;
        let least = if quick { 1.0 } else { 3.0 };
        // in half seconds: lengths that are easy to say
        let enough = (2.0 * metric.needs() as f64 / rate).ceil() / 2.0;
        let window = design.window.map_or(f64::max(least, enough), |span| span.0.as_secs_f64());
        let fitting = |time: f64| (time / window) as u32;
        let declaration = Declaration {
            hypothesis: spec
                .hypothesis
                .clone()
                .unwrap_or_else(|| format!("{} of `{}` differs from that of `{}`", metric, spec.arms[1].name, spec.arms[0].name)),
            arms: spec.arms.clone(),
            claim: spec.claim.clone(),
            metric,
            margin: spec.primary.margin,
            alpha: spec.alpha.0,
            load: spec.load,
            expect: spec.expect,
            quick,
            window_ms: window * 1e3,
            requests_per_window: (rate * window).round() as u32,
            windows: design.windows.unwrap_or(if quick { fitting(QUICK_DUET) } else { 40 }),
            same_arm_windows: design.same_arm_windows.unwrap_or(if quick { fitting(QUICK_SAME_ARM) } else { 10 }),
            blocks: design.blocks.unwrap_or(if quick { 0 } else { 12 }),
            visits: design.visits.or(claim::visits(&spec.claim)).unwrap_or(if quick { 0 } else { 100 }),
            turns: if claim::needs_turns(&spec.claim) && !quick { TURNS } else { 0 },
            seed: design.seed,
            draws: DRAWS,
            validity: Validity::default(),
            hearth: env!("CARGO_PKG_VERSION").into(),
        };
        declaration.check_sizes(&mut flaws);
        if flaws.is_empty() { Ok(declaration) } else { Err(flaws) }
    }

    /// Length of a window.
    pub fn window(&self) -> Duration {
        Duration::from_secs_f64(self.window_ms / 1e3)
    }

    /// Least number of windows for which an interval of this level is bounded: 2 · 2^-n must not exceed alpha.
    pub fn least_windows(&self) -> u32 {
        (2.0 / self.alpha).log2().ceil() as u32
    }

    fn check_sizes(&self, flaws: &mut Vec<Flaw>) {
        let Declaration { metric, requests_per_window: requests, .. } = self;
        let (needed, rate) = (metric.needs(), self.load.rate.0);
        let window = self.window_ms / 1e3;
        if u64::from(*requests) < needed {
            let hint = format!("a window of {}s would do", (2.0 * needed as f64 / rate).ceil() / 2.0);
            let message = format!("{metric} needs {needed} requests in each window and arm, there are {requests}");
            flaws.push(flaw("spec.design.window", message, Some(hint)));
        }
        let least = self.least_windows();
        if self.windows < least {
            let message = format!("{} windows cannot decide anything at this level, {least} are the fewest", self.windows);
            let hint = self.quick.then(|| {
                format!("raise the rate to {:.0} req/s, or leave out quick", needed as f64 * f64::from(least) / QUICK_DUET)
            });
            flaws.push(flaw("spec.design.windows", message, hint));
        }
        let longest = f64::from(self.windows.max(self.blocks).max(self.same_arm_windows)) * window;
        if longest > LONGEST.as_secs_f64() - 60.0 {
            let message = format!("{longest} s of load at a stretch are too long");
            flaws.push(flaw("spec.design.windows", message, Some("an hour is the longest".into())));
        }
    }
}

/// A flaw of the value at this path.
pub(super) fn flaw(path: &str, message: impl Into<String>, hint: Option<String>) -> Flaw {
    Flaw { path: path.into(), message: message.into(), hint }
}

fn check_numbers(spec: &Spec, flaws: &mut Vec<Flaw>) {
    if spec.primary.margin.is_zero() {
        flaws.push(flaw("spec.primary.margin", "with no margin nothing can be equivalent", Some("for example 2 %".into())));
    }
    if !(1e-6..=0.2).contains(&spec.alpha.0) {
        flaws.push(flaw("spec.alpha", format!("{} is not a level", spec.alpha), Some("5 % is usual".into())));
    }
    if spec.load.jitter.0 > 0.5 {
        flaws.push(flaw("spec.load.jitter", "more than 50 % would change the order of requests", None));
    }
    if !(Duration::from_millis(1)..Duration::from_secs(600)).contains(&spec.load.timeout.0) {
        flaws.push(flaw("spec.load.timeout", "not between 1ms and 10min", None));
    }
    if spec.design.window.is_some_and(|window| window.0 < Duration::from_millis(100)) {
        flaws.push(flaw("spec.design.window", "shorter than 100ms", None));
    }
    if spec.load.rate.0 > 50_000.0 {
        flaws.push(flaw("spec.load.rate", "more than the generator can send", Some("50000 req/s is the most".into())));
    }
    if !spec.design.blocks.unwrap_or(0).is_multiple_of(4) {
        flaws.push(flaw("spec.design.blocks", "not a multiple of four", Some("blocks come as A B B A".into())));
    }
}
