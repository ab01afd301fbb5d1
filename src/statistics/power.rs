//! What a run could have detected, and what it would take to detect less.

use super::{Interval, normal_quantile};

/// Chance of detecting an effect of the stated size.
const POWER: f64 = 0.8;

/// The standard error implied by an interval of this level, if the estimate is about normal.
pub fn standard_error(interval: Interval, level: f64) -> f64 {
    (interval.high - interval.low) / (2.0 * normal_quantile(0.5 + level / 2.0))
}

/// The smallest effect that a two-sided test of this level detects in 4 of 5 runs: (z of the level + z of the power) · standard
/// error (Lachin, Controlled Clinical Trials 2, 1981).
pub fn detectable(standard_error: f64, level: f64) -> f64 {
    (normal_quantile(0.5 + level / 2.0) + normal_quantile(POWER)) * standard_error
}

/// How many units like the `units` that gave this standard error would be needed to detect an effect of this size in 4 of 5
/// runs; the error falls with the root of their number. None if the result is not a number.
pub fn units_needed(units: usize, standard_error: f64, level: f64, effect: f64) -> Option<u64> {
    let needed = (units as f64 * (detectable(standard_error, level) / effect).powi(2)).ceil();
    (needed.is_finite() && needed < 1e15).then_some(needed as u64)
}
