//! The difference of two means whose variances may differ.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::dependence::{effective_size, likely_correlation};
use super::{Interval, mean};

/// Interval of mean(b) - mean(a) (Welch, Biometrika 34, 1947). Both series are finite and in order of time; if neighbouring
/// values are correlated, a series counts as a shorter one. Infinite with fewer than two values in either.
pub fn welch(a: &[f64], b: &[f64], level: f64) -> Interval {
    let size = |series: &[f64]| match series.len() {
        // too few to tell how correlated they are
        few @ 0..3 => few as f64,
        many => effective_size(many, likely_correlation(series)),
    };
    of_sizes((a, size(a)), (b, size(b)), level)
}

/// The same, with the number of independent values that each series counts as.
pub(super) fn of_sizes((a, a_size): (&[f64], f64), (b, b_size): (&[f64], f64), level: f64) -> Interval {
    if a.len() < 2 || b.len() < 2 {
        return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    }
    let error = |series: &[f64], size: f64| {
        let mean = mean(series);
        series.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (series.len() as f64 - 1.0) / size
    };
    let (difference, a_error, b_error) = (mean(b) - mean(a), error(a, a_size), error(b, b_size));
    let square = a_error + b_error;
    // the degrees of freedom of each, and of both together (Satterthwaite, Biometrics Bulletin 2, 1946)
    let (a_free, b_free) = ((a_size - 1.0).max(1.0), (b_size - 1.0).max(1.0));
    let freedom = square.powi(2) / (a_error.powi(2) / a_free + b_error.powi(2) / b_free);
    // without any variance there are none, and the interval is a point
    let half = StudentsT::new(0.0, 1.0, freedom).map_or(0.0, |student| student.inverse_cdf(0.5 + level / 2.0) * square.sqrt());
    Interval { low: difference - half, high: difference + half }
}
