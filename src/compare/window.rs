//! Windows: the unit of all statistics. A window has the same number of requests to each arm, so nothing is ever unpaired.

use crate::load::{Distribution, Entry, Ledger};
use crate::statistics::quantile;

use super::machine::{Sample, Strain, strain};
use super::metric::Metric;
use super::plan::{Declaration, Validity};

/// Requests to one arm in one window.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    /// Latencies of good answers in milliseconds, ascending.
    pub good: Vec<f64>,
    /// Number of requests without a good answer.
    pub failed: usize,
}

/// One window; in a run by blocks each of the two arms has its own block.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// When it begins and ends, in microseconds after the start of the load.
    pub from: u32,
    pub to: u32,
    /// The requests to each arm.
    pub arms: [Sent; 2],
    /// How late the generator was, 99th percentile in milliseconds.
    pub release_p99_ms: f64,
    /// Share of its due requests that were sent.
    pub offered: f64,
    /// What the machine was doing.
    pub strain: Strain,
    /// Why it does not count, for both arms; empty if it does.
    pub void: Vec<Void>,
}

/// Why a window does not count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Void {
    /// The gate that it did not pass.
    pub gate: Gate,
    /// The measured value and its limit, in words.
    pub why: String,
}

/// The checks of a window; none of them depends on which arm is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gate {
    ReleaseError,
    Offered,
    Steal,
    Generator,
    Retransmitted,
    Unpaired,
}

impl Gate {
    pub fn name(self) -> &'static str {
        match self {
            Gate::ReleaseError => "release-error",
            Gate::Offered => "offered-rate",
            Gate::Steal => "steal",
            Gate::Generator => "generator-cpu",
            Gate::Retransmitted => "retransmits",
            Gate::Unpaired => "unpaired",
        }
    }
}

impl Sent {
    fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut sent = Sent::default();
        for entry in entries {
            match entry.outcome.failed() {
                true => sent.failed += 1,
                false => sent.good.push(f64::from(entry.latency(0)) / 1e3),
            }
        }
        sent.good.sort_unstable_by(f64::total_cmp);
        sent
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.good.len() + self.failed
    }

    /// The metric in milliseconds. A quantile that falls on a failed request is infinite; in the mean, failed ones count as
    /// slow as the timeout.
    pub fn value(&self, metric: Metric, timeout_ms: f64) -> f64 {
        match metric.share() {
            Some(share) => quantile(&self.good, self.failed, share),
            None => (self.good.iter().sum::<f64>() + self.failed as f64 * timeout_ms) / self.len() as f64,
        }
    }

    /// Both combined.
    pub fn with(&self, other: &Sent) -> Sent {
        let mut good = [self.good.as_slice(), &other.good].concat();
        good.sort_unstable_by(f64::total_cmp);
        Sent { good, failed: self.failed + other.failed }
    }

    /// The latencies as a histogram; failed ones are counted at the timeout.
    pub fn distribution(&self, timeout_ms: f64) -> Distribution {
        let all = self.good.iter().copied().chain(std::iter::repeat_n(timeout_ms, self.failed));
        Distribution::of(all.map(|ms| (ms * 1e3) as u32))
    }
}

/// The windows of a load in pairs, one request to each target. The first `skip` pairs are left out; `samples` were taken at the
/// beginning of the first window and at the end of each. An incomplete window is left out.
pub(super) fn of_pairs(ledger: &Ledger, pairs: u32, skip: u32, samples: &[Sample]) -> Vec<Window> {
    let entries = ledger.entries.get(2 * skip as usize..).unwrap_or_default();
    let windows = entries.chunks_exact(2 * pairs as usize).zip(samples.windows(2));
    windows.map(|(entries, samples)| window(entries.iter(), samples[0], samples[1])).collect()
}

/// The windows of a load by blocks of `requests`: two neighbouring blocks are one window. The first tenth of each block, in
/// which answers to the previous block may still be in flight, is left out.
pub(super) fn of_blocks(ledger: &Ledger, requests: u32, samples: &[Sample]) -> Vec<Window> {
    let settled = |entry: &&Entry| entry.sequence % requests >= requests / 10;
    let windows = ledger.entries.chunks_exact(2 * requests as usize).zip(samples.windows(2));
    windows.map(|(entries, samples)| window(entries.iter().filter(settled), samples[0], samples[1])).collect()
}

fn window<'a>(entries: impl Iterator<Item = &'a Entry> + Clone, before: Sample, after: Sample) -> Window {
    let from = entries.clone().map(|entry| entry.scheduled).min().unwrap_or_default();
    let to = entries.clone().map(|entry| entry.scheduled).max().unwrap_or_default();
    let all = entries.clone().count() as f64;
    let sent = entries.clone().filter(|entry| entry.outcome != crate::load::Outcome::NotSent).count() as f64;
    let arm = |index: u8| Sent::of(entries.clone().filter(move |entry| entry.target == index));
    Window {
        from,
        to,
        arms: [arm(0), arm(1)],
        release_p99_ms: Distribution::of(entries.clone().map(Entry::release_error)).quantile_ms(0.99),
        offered: sent / all,
        strain: strain(before, after, f64::from(to - from) / 1e6),
        void: Vec::new(),
    }
}

/// Voids the windows that the generator or the machine spoilt. `finest` is the largest release error allowed, in milliseconds.
pub(super) fn gate(windows: &mut [Window], validity: &Validity, finest: f64) {
    for window in windows {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let mut hold = |gate: Gate, spoilt: bool, why: String| {
            if spoilt {
                window.void.push(Void { gate, why });
            }
        };
        let (release, strain, offered) = (window.release_p99_ms, window.strain, window.offered);
        hold(
            Gate::ReleaseError,
            release > finest,
            format!("the generator was {release:.3} ms late, at most {finest:.3} ms may be"),
        );
        hold(Gate::Offered, offered < validity.offered_share, format!("only {} of the due requests were sent", percent(offered)));
        let known = |share: Option<f64>| share.map_or_else(|| "an unknown share".to_owned(), percent);
        // a value that cannot be read does not pass
        let beyond = |share: Option<f64>, limit: f64| share.is_none_or(|share| share > limit);
        let stolen = beyond(strain.stolen, validity.steal_share);
        hold(Gate::Steal, stolen, format!("{} of the processor time was stolen", known(strain.stolen)));
        let generator = strain.generator;
        hold(
            Gate::Generator,
            generator > validity.generator_share,
            format!("the generator used {} of a processor", percent(generator)),
        );
        let again = beyond(strain.retransmitted, validity.retransmitted_share);
        hold(Gate::Retransmitted, again, format!("{} of the segments were sent again", known(strain.retransmitted)));
        let [one, other] = [window.arms[0].len(), window.arms[1].len()];
        hold(Gate::Unpaired, one != other || one == 0, format!("{one} requests to one arm, {other} to the other"));
    }
}

/// When the windows of a load in pairs begin and end, in microseconds after its start.
pub(super) fn boundaries(declaration: &Declaration, windows: u32, skip: u32) -> Vec<u32> {
    let interval = 1e6 / (2.0 * declaration.load.rate.0);
    let pairs = |count: u32| (f64::from(2 * count) * interval) as u32;
    (0..=windows).map(|window| pairs(skip + window * declaration.requests_per_window)).collect()
}

/// The same for a load in blocks, two of which make a window.
pub(super) fn block_boundaries(declaration: &Declaration) -> Vec<u32> {
    let requests = declaration.requests_per_window;
    let interval = 1e6 / declaration.load.rate.0;
    (0..=declaration.blocks / 2).map(|window| (f64::from(2 * window * requests) * interval) as u32).collect()
}
