//! From windows to estimates: pure functions of the measurements.

use super::metric::Metric;
use super::plan::Declaration;
use super::record::{Estimate, MetricRecord, PhaseRecord, ShiftRecord, tidy};
use super::verdict::{decide, decide_adjusted};
use super::window::{Sent, Window};
use crate::statistics::{
    Interval, SignedRank, autocorrelation, batch_size, cliffs_delta, detectable, effective_size, holm, likely_correlation,
    nested_bootstrap, standard_error, units_needed,
};

/// Batches are never so large that fewer than this many remain.
const LEAST_BATCHES: usize = 10;
/// Quantiles at which the shift is shown: p5 to p90, p95 and p99.
const SHIFT: [f64; 20] =
    [0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 0.99];

/// The units of the estimates: valid windows, or batches of neighbouring windows if these are correlated.
#[derive(Debug, Clone, Default)]
pub(super) struct Units {
    /// Each unit with the deployment it belongs to.
    units: Vec<(u32, [Sent; 2])>,
    /// Number of windows they were made from.
    windows: usize,
    timeout_ms: f64,
}

impl Units {
    /// The valid windows, each with its deployment. How many neighbours are combined depends on the differences of the primary
    /// metric, whichever arm they favour.
    pub fn of<'a>(windows: impl Iterator<Item = (u32, &'a Window)>, declaration: &Declaration) -> Self {
        let valid = windows.filter(|(_, window)| window.void.is_empty());
        let units: Vec<(u32, [Sent; 2])> = valid.map(|(deployment, window)| (deployment, window.arms.clone())).collect();
        let timeout_ms = declaration.load.timeout.0.as_secs_f64() * 1e3;
        let units = Units { windows: units.len(), units, timeout_ms };
        let size = batch_size(&units.differences(declaration.metric), LEAST_BATCHES);
        units.batched(size)
    }

    /// Combines `size` windows at a time, within a deployment; windows that do not fill a batch are left out.
    fn batched(self, size: usize) -> Self {
        if size == 1 {
            return self;
        }
        let merge = |batch: &[(u32, [Sent; 2])]| {
            let arm = |index: usize| batch.iter().map(|(_, arms)| &arms[index]).fold(Sent::default(), |all, one| all.with(one));
            (batch[0].0, [arm(0), arm(1)])
        };
        let deployments = self.units.chunk_by(|one, other| one.0 == other.0);
        Units { units: deployments.flat_map(|windows| windows.chunks_exact(size)).map(merge).collect(), ..self }
    }

    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// The smallest number of requests of an arm in a unit.
    fn requests(&self) -> u64 {
        self.units.iter().flat_map(|(_, arms)| arms).map(Sent::len).min().unwrap_or_default() as u64
    }

    /// The figure of one arm in each unit; infinite if it falls on failed requests.
    fn values(&self, arm: usize, of: impl Fn(&Sent) -> f64) -> Vec<f64> {
        self.units.iter().map(|(_, arms)| of(&arms[arm])).collect()
    }

    /// Second arm less first, in each unit. A failed request took longer than the timeout, but how much longer is not known, so
    /// it counts as the timeout here, which leaves the order, and with it the test, unchanged.
    fn differences_of(&self, of: impl Fn(&Sent) -> f64) -> Vec<f64> {
        let (a, b) = (self.values(0, &of), self.values(1, &of));
        a.iter().zip(&b).map(|(a, b)| b.min(self.timeout_ms) - a.min(self.timeout_ms)).collect()
    }

    fn differences(&self, metric: Metric) -> Vec<f64> {
        self.differences_of(|sent| sent.value(metric, self.timeout_ms))
    }

    /// The differences grouped by deployment.
    fn by_deployment(&self, differences: &[f64]) -> Vec<Vec<f64>> {
        let mut rest = differences;
        let sizes = self.units.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len);
        sizes
            .map(|size| {
                let (head, tail) = rest.split_at(size);
                rest = tail;
                head.to_vec()
            })
            .collect()
    }

    /// Median over the units of one arm's figure; none if that falls on failed requests, or there are no units.
    fn median(&self, arm: usize, of: impl Fn(&Sent) -> f64) -> Option<f64> {
        let mut values = self.values(arm, of);
        values.sort_unstable_by(f64::total_cmp);
        Some(tidy(crate::statistics::quantile(&values, 0, 0.5))).filter(|median| median.is_finite())
    }
}

/// An estimate with its interval.
pub(super) fn estimate(of: &str, unit: &str, value: f64, interval: Interval, level: f64) -> Estimate {
    let end = |end: f64| Some(tidy(end)).filter(|end| end.is_finite());
    Estimate { of: of.into(), value: tidy(value), unit: unit.into(), low: end(interval.low), high: end(interval.high), level }
}

/// All metrics, the primary first, secondary ones with p-values adjusted for their number.
pub(super) fn metrics(units: &Units, declaration: &Declaration) -> Vec<MetricRecord> {
    let secondary = Metric::ALL.into_iter().filter(|metric| *metric != declaration.metric);
    let mut records: Vec<MetricRecord> =
        std::iter::once(declaration.metric).chain(secondary).map(|metric| assess(metric, units, declaration)).collect();
    let judged: Vec<usize> = (1..records.len()).filter(|index| records[*index].p_difference.is_some()).collect();
    let chances = |of: fn(&MetricRecord) -> Option<f64>| -> Vec<f64> {
        holm(&judged.iter().filter_map(|index| of(&records[*index])).collect::<Vec<f64>>())
    };
    let (difference, equivalence) = (chances(|record| record.p_difference), chances(|record| record.p_equivalence));
    for ((index, difference), equivalence) in judged.into_iter().zip(difference).zip(equivalence) {
        let record = &mut records[index];
        record.p_difference_holm = Some(difference);
        record.p_equivalence_holm = Some(equivalence);
        let value = record.estimate.as_ref().map_or(0.0, |estimate| estimate.value);
        record.verdict = Some(decide_adjusted(value, difference, equivalence, declaration.alpha));
    }
    records
}

/// One metric, by itself.
fn assess(metric: Metric, units: &Units, declaration: &Declaration) -> MetricRecord {
    let differences = units.differences(metric);
    let figure = |sent: &Sent| sent.value(metric, units.timeout_ms);
    let correlation = autocorrelation(&differences);
    let mut record = MetricRecord {
        metric,
        primary: metric == declaration.metric,
        not_judged: None,
        a_ms: None,
        b_ms: None,
        estimate: None,
        equivalence: None,
        bootstrap: None,
        relative: None,
        margin_ms: None,
        p_difference: None,
        p_equivalence: None,
        p_difference_holm: None,
        p_equivalence_holm: None,
        units: units.len() as u64,
        autocorrelation: tidy(correlation),
        effective_units: tidy(effective_size(units.len(), likely_correlation(&differences))),
        detectable_ms: None,
        windows_needed: None,
        verdict: None,
    };
    let (requests, needed) = (units.requests(), metric.needs());
    if units.len() == 0 || requests < needed {
        record.not_judged = Some(format!("{requests} of {needed} requests a window"));
        return record;
    }
    (record.a_ms, record.b_ms) = (units.median(0, figure), units.median(1, figure));
    let paired = SignedRank::of_series(&differences);
    let (level, narrow) = (1.0 - declaration.alpha, 1.0 - 2.0 * declaration.alpha);
    let (wide, inside, value) = (paired.interval(level), paired.interval(narrow), paired.estimate());
    let of = |interval, level| Some(estimate(metric.name(), "ms", value, interval, level));
    record.estimate = of(wide, level);
    record.equivalence = of(inside, narrow);
    let deployments = units.by_deployment(&differences);
    record.bootstrap = of(nested_bootstrap(&deployments, level, declaration.draws as usize, declaration.seed), level);
    record.relative = record.a_ms.filter(|a| *a > 0.0).map(|a| value / a);
    record.p_difference = Some(paired.p_apart(0.0));
    let Some(margin) = record.a_ms.map(|a| declaration.margin.ms(a)) else { return record };
    record.margin_ms = Some(tidy(margin));
    record.p_equivalence = Some(paired.p_equivalent(margin));
    let error = standard_error(wide, level);
    record.detectable_ms = Some(tidy(detectable(error, level))).filter(|size| size.is_finite());
    record.windows_needed = units_needed(units.windows, error, level, margin);
    record.verdict = Some(decide(wide, inside, margin));
    record
}

/// The primary metric in a phase that asks the same question in another way.
pub(super) fn phase(windows: &[Window], declaration: &Declaration, level: f64) -> PhaseRecord {
    let units = Units::of(windows.iter().map(|window| (0, window)), declaration);
    let differences = units.differences(declaration.metric);
    let paired = SignedRank::of_series(&differences);
    // blocks leave out their beginning and may have fewer requests than a window: the interval takes that into account
    let some = !differences.is_empty();
    PhaseRecord {
        windows: windows.len() as u64,
        void: windows.iter().filter(|window| !window.void.is_empty()).count() as u64,
        estimate: some.then(|| estimate(declaration.metric.name(), "ms", paired.estimate(), paired.interval(level), level)),
        differences_ms: differences.into_iter().map(tidy).collect(),
    }
}

/// Differences at p5 to p99, as far as there are enough requests.
pub(super) fn shift(units: &Units, declaration: &Declaration) -> Vec<ShiftRecord> {
    let level = 1.0 - declaration.alpha;
    let enough = |share: &f64| units.len() > 0 && units.requests() >= crate::statistics::requests_needed(*share, 0.95);
    let at = |share: f64| {
        let figure = move |sent: &Sent| crate::statistics::quantile(&sent.good, sent.failed, share);
        let paired = SignedRank::of_series(&units.differences_of(figure));
        let of = format!("latency.p{}", (share * 100.0).round());
        ShiftRecord {
            quantile: share,
            a_ms: units.median(0, figure),
            estimate: estimate(&of, "ms", paired.estimate(), paired.interval(level), level),
        }
    };
    SHIFT.into_iter().filter(enough).map(at).collect()
}

/// Which arm's requests tend to be slower: Cliff's delta of each unit.
pub(super) fn dominance(units: &Units, declaration: &Declaration) -> Option<Estimate> {
    let counted = |sent: &Sent| -> Vec<(f64, u64)> {
        let runs = sent.good.chunk_by(|one, other| one == other).map(|same| (same[0], same.len() as u64));
        runs.chain((sent.failed > 0).then_some((f64::INFINITY, sent.failed as u64))).collect()
    };
    let deltas: Vec<f64> = units.units.iter().map(|(_, [a, b])| cliffs_delta(&counted(a), &counted(b))).collect();
    let (paired, level) = (SignedRank::of_series(&deltas), 1.0 - declaration.alpha);
    (!deltas.is_empty()).then(|| estimate("cliffs-delta", "", paired.estimate(), paired.interval(level), level))
}
