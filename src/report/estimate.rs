//! How every renderer writes an estimate of a comparison: its ends, its digits, its metric's short name.

use super::number::{SPACE, decimals, interval};
use crate::compare::Metric;
use crate::compare::record::{Estimate, MetricRecord};

/// The metric's short name, such as `p99`.
pub fn short(metric: Metric) -> &'static str {
    metric.name().trim_start_matches("latency.")
}

/// Both ends; an end that the data do not bound is infinite.
pub fn ends(estimate: &Estimate) -> (f64, f64) {
    (estimate.low.unwrap_or(f64::NEG_INFINITY), estimate.high.unwrap_or(f64::INFINITY))
}

/// Number of decimals that shows two digits of a metric's half-width.
pub fn places(metric: &MetricRecord) -> usize {
    metric.estimate.as_ref().map_or(2, |estimate| {
        let (low, high) = ends(estimate);
        decimals((high - low) / 2.0)
    })
}

/// The interval in words: `95 % interval −0.12 to +0.34`.
pub fn bounds(estimate: &Estimate, places: usize) -> String {
    let (low, high) = ends(estimate);
    format!("{:.0}{SPACE}% interval {}", estimate.level * 100.0, interval(low, high, places))
}
