//! Shares: what can be concluded from `k` of `n`.

use statrs::distribution::{Beta, ContinuousCDF};

use super::{Interval, normal_quantile};

/// Upper end of the exact one-sided 95 % interval for the failure rate if none of `n` requests failed: the rate p at which
/// seeing no failure has a chance of 5 %, (1 - p)^n = 0.05, so p = 1 - 0.05^(1/n) (Clopper and Pearson, Biometrika 26, 1934;
/// about 3/n, the "rule of three"). 1 if there was no request at all.
pub fn zero_failures_upper_95(n: u64) -> f64 {
    if n == 0 { 1.0 } else { -(0.05_f64.ln() / n as f64).exp_m1() }
}

/// Two-sided interval for a share of which `k` of `n` were seen, by inverting the score test (Wilson, Journal of the American
/// Statistical Association 22, 1927). Its mean coverage is `level`. The whole range if there was no observation.
pub fn wilson(k: u64, n: u64, level: f64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (z, n) = (normal_quantile(0.5 + level / 2.0), n as f64);
    let share = k as f64 / n;
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// Two-sided exact interval for a share of which `k` of `n` were seen, with a coverage of at least `level` (Clopper and
/// Pearson, Biometrika 26, 1934, by the beta distribution). The whole range if there was no observation.
pub fn clopper_pearson(k: u64, n: u64, level: f64) -> Interval {
    let tail = (1.0 - level) / 2.0;
    let bound = |below: u64, above: u64, chance: f64| {
        // both shapes are positive here, which is the only requirement
        Beta::new(below as f64, above as f64).map_or(f64::NAN, |beta| beta.inverse_cdf(chance))
    };
    Interval {
        low: if k == 0 { 0.0 } else { bound(k, n - k + 1, tail) },
        high: if k >= n { 1.0 } else { bound(k + 1, n - k, 1.0 - tail) },
    }
}
