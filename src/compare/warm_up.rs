//! Warm-up: both arms get their load until neither gets faster or slower any more. The measurements are discarded.

use std::ops::ControlFlow;

use super::measure::{Bench, Kind, Measured};
use super::metric::Metric;
use super::record::WarmUp;
use crate::load::{Ledger, LoadError, Order, Target};
use crate::statistics::{mean, quantile, trend_p};

/// Number of windows that must have no trend.
const LOOK: usize = 8;
/// p-value below which a trend counts as real.
const TREND: f64 = 0.1;
/// Seed of the order; it has no influence on anything that is kept.
const SEED: u64 = 1;

/// Warms both arms up; returns the result, and all its requests.
pub(super) async fn warm_up(bench: &Bench<'_>, targets: [&Target; 2]) -> Result<(WarmUp, Measured), LoadError> {
    let rate = bench.declaration.load.rate.0;
    let (least, longest) = if bench.declaration.quick { (0.25, 4.0) } else { (0.5, 20.0) };
    // a median needs some requests
    let window = f64::max(least, 10.0 / rate);
    let count = ((longest / window) as usize).max(LOOK + 1);
    let boundaries: Vec<u32> = (0..=count).map(|number| (number as f64 * window * 1e6) as u32).collect();
    let (ends, mut stationary) = (boundaries.clone(), false);
    // requests of the window that has just ended may still be in flight: the one before it is looked at
    let watch = |ledger: &Ledger, number: usize| {
        let medians = |arm| medians(ledger, &ends[..number], arm);
        stationary = number > LOOK + 1 && rests(&medians(0)) && rests(&medians(1));
        if stationary { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let kind =
        Kind { name: "w", order: Order::Duet { seed: SEED }, rate: 2.0 * rate, boundaries: boundaries.clone(), stall: false };
    let measured = bench.load(targets, kind, watch).await?;
    let lasted = boundaries[measured.samples.len().saturating_sub(1)];
    let tail = lasted.saturating_sub((LOOK as f64 * window * 1e6) as u32);
    let figure = |arm| figure(&measured.ledger, (tail, lasted), arm, bench.declaration.metric);
    let warm_up = WarmUp { lasted_ms: f64::from(lasted) / 1e3, stationary, a_ms: figure(0), b_ms: figure(1) };
    Ok((warm_up, measured))
}

/// True if the last values have no trend.
fn rests(medians: &[f64]) -> bool {
    medians.len() >= LOOK && trend_p(&medians[medians.len() - LOOK..]) > TREND
}

/// Median latency of one arm between each two neighbouring times; windows without a good answer are left out.
fn medians(ledger: &Ledger, ends: &[u32], arm: u8) -> Vec<f64> {
    ends.windows(2).filter_map(|ends| figure(ledger, (ends[0], ends[1]), arm, Metric::P50)).collect()
}

/// A metric of one arm's good answers between two times, in milliseconds.
fn figure(ledger: &Ledger, (from, to): (u32, u32), arm: u8, metric: Metric) -> Option<f64> {
    let good = ledger.between(from, to).filter(|entry| entry.target == arm && !entry.outcome.failed());
    let mut times: Vec<f64> = good.map(|entry| f64::from(entry.latency(0)) / 1e3).collect();
    times.sort_unstable_by(f64::total_cmp);
    let value = match metric.share() {
        Some(share) => quantile(&times, 0, share),
        None => mean(&times),
    };
    Some(value).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_falls_is_not_at_rest() {
        assert!(!rests(&[9.0, 8.0, 7.0, 6.5, 6.0, 5.8, 5.7, 5.6]));
        assert!(rests(&[90.0, 5.0, 5.1, 4.9, 5.0, 5.2, 4.8, 5.1, 5.0]));
        assert!(!rests(&[5.0; 7]), "too few");
    }
}
