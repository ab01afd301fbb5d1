//! Which of two samples has the larger values, whatever its shape.

/// Cliff's delta: the chance that a value of `b` is above one of `a`, less the chance that it is below (Cliff, Psychological
/// Bulletin 114, 1993). Each sample is given as distinct values, ascending, with the count of each, so that histograms fit as
/// they are; an infinite value stands for a request that never ended. NaN if one is empty.
pub fn cliffs_delta(a: &[(f64, u64)], b: &[(f64, u64)]) -> f64 {
    let total = |sample: &[(f64, u64)]| sample.iter().map(|(_, count)| *count as f64).sum::<f64>();
    let (mut at, mut below, mut balance) = (0, 0.0, 0.0);
    let all = total(a);
    for (value, count) in b {
        while at < a.len() && a[at].0 < *value {
            below += a[at].1 as f64;
            at += 1;
        }
        let equal = if at < a.len() && a[at].0 == *value { a[at].1 as f64 } else { 0.0 };
        balance += *count as f64 * (below - (all - below - equal));
    }
    balance / (all * total(b))
}
