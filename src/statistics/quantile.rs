//! Quantiles of a sample in which some requests never ended.

/// The smallest value that at least this share of all values does not exceed (the inverse of the empirical distribution, type 1
/// of Hyndman and Fan, The American Statistician 50, 1996). `sorted` are the values of successful requests, ascending; failed
/// ones count as slower than everything: a quantile that falls on one is infinite. NaN if there are none at all.
pub fn quantile(sorted: &[f64], failed: usize, share: f64) -> f64 {
    let all = sorted.len() + failed;
    if all == 0 {
        return f64::NAN;
    }
    // the tolerance keeps 0.07 · 100 = 7.000000000000001 from becoming rank 8
    let rank = ((share * all as f64 - 1e-9).ceil() as usize).clamp(1, all);
    sorted.get(rank - 1).copied().unwrap_or(f64::INFINITY)
}

/// How many independent values are needed for a two-sided interval of this level for the quantile `share`: with fewer, not even
/// the extreme values bound it. The largest of n values is below the quantile with chance share^n, which must not exceed half
/// of the error (David and Nagaraja, Order Statistics, 2003, section 7.1).
pub fn requests_needed(share: f64, level: f64) -> u64 {
    let rarer = share.max(1.0 - share);
    (((1.0 - level) / 2.0).ln() / rarer.ln()).ceil() as u64
}
