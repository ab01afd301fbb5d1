//! Whether a series still has a trend.

use statrs::distribution::{ContinuousCDF, Normal};

/// Chance of a rise or fall as steady as this, or steadier, in a series without a trend: the two-sided Mann-Kendall test with
/// its normal approximation and the correction for ties (Mann, Econometrica 13, 1945; Kendall, Rank Correlation Methods, 1975).
/// 1 for fewer than three values or a constant series.
pub fn trend_p(series: &[f64]) -> f64 {
    let n = series.len() as f64;
    let mut balance = 0.0;
    for (index, later) in series.iter().enumerate() {
        balance +=
            series[..index].iter().map(|earlier| f64::from(i8::from(later > earlier) - i8::from(later < earlier))).sum::<f64>();
    }
    let mut sorted = series.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let weight = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let ties: f64 = sorted.chunk_by(|one, other| one == other).map(|tied| weight(tied.len() as f64)).sum();
    let variance = (weight(n) - ties) / 18.0;
    if series.len() < 3 || variance <= 0.0 {
        return 1.0;
    }
    2.0 * Normal::standard().sf((balance / variance.sqrt()).abs())
}
