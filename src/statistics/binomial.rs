//! What the counts say beyond themselves.

/// Upper end of the exact one-sided 95 % interval for the failure rate when none of `n` requests failed: the rate p at
/// which seeing no failure has a chance of 5 %, (1 - p)^n = 0.05, so p = 1 - 0.05^(1/n) (Clopper and Pearson, Biometrika 26,
/// 1934; about 3/n, the "rule of three"). 1 for no request at all.
pub fn zero_failures_upper_95(n: u64) -> f64 {
    if n == 0 { 1.0 } else { -(0.05_f64.ln() / n as f64).exp_m1() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_rule_of_three_for_many_requests() {
        assert_eq!(zero_failures_upper_95(0), 1.0);
        assert!((zero_failures_upper_95(1) - 0.95).abs() < 1e-12);
        // R: binom.test(0, 10, alternative = "less")$conf.int[2]
        assert!((zero_failures_upper_95(10) - 0.258_865_5).abs() < 1e-6);
        assert!((zero_failures_upper_95(10_000) * 10_000.0 - 2.995_3).abs() < 1e-3);
    }
}
