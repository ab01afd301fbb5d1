//! Compares with values from SciPy, written by `tests/golden/statistics.py`.

use serde_json::Value;

use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/statistics.json")).expect("JSON")
}

fn cases(name: &str) -> Vec<Value> {
    let cases = golden()[name].as_array().expect("a list").clone();
    assert!(!cases.is_empty(), "{name}");
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// Equal to nine digits; null stands for an unbounded end.
#[track_caller]
fn same(ours: f64, theirs: &Value, what: &str) {
    match theirs.as_f64() {
        Some(theirs) => assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-3), "{what}: {ours}, SciPy {theirs}"),
        None => assert!(theirs.is_null() && ours.is_infinite(), "{what}: {ours}, SciPy {theirs}"),
    }
}

#[test]
fn paired_differences() {
    for case in cases("paired") {
        let differences = numbers(&case["differences"]);
        let paired = SignedRank::of(&differences);
        let what = |name: &str| format!("{name} of {}", differences.len());
        same(paired.estimate(), &case["estimate"], &what("estimate"));
        for (level, key) in [(0.95, "interval95"), (0.9, "interval90")] {
            let interval = paired.interval(level);
            same(interval.low, &case[key][0], &what(key));
            same(interval.high, &case[key][1], &what(key));
        }
        same(paired.p_apart(0.0), &case["apart"], &what("p"));
        same(paired.p_above(0.0), &case["above"], &what("p above"));
        same(paired.p_below(0.0), &case["below"], &what("p below"));
        same(paired.p_equivalent(number(&case["margin"])), &case["equivalent"], &what("p equivalent"));
        if !case["flips"].is_null() {
            same(paired.p_apart(0.0), &case["flips"], &what("p by flipping every sign"));
        }
    }
}

#[test]
fn the_bootstrap_agrees_within_its_own_noise() {
    for case in cases("bootstrap") {
        let (low, high) = (number(&case["low"]), number(&case["high"]));
        let ours = nested_bootstrap(&[numbers(&case["differences"])], 0.95, 10_000, 1);
        let allowance = 0.05 * (high - low);
        assert!((ours.low - low).abs() < allowance && (ours.high - high).abs() < allowance, "{ours:?}, SciPy {low} to {high}");
    }
}

#[test]
fn shares() {
    for case in cases("shares") {
        let count = |key: &str| case[key].as_u64().expect("a count");
        let (k, n) = (count("k"), count("n"));
        for (key, ours) in [("wilson", wilson(k, n, 0.95)), ("exact", clopper_pearson(k, n, 0.95))] {
            same(ours.low, &case[key][0], &format!("{key} {k} of {n}"));
            same(ours.high, &case[key][1], &format!("{key} {k} of {n}"));
        }
    }
    for case in cases("zeroFailures") {
        same(zero_failures_upper_95(case["n"].as_u64().expect("a count")), &case["upper"], "none failed");
    }
    assert_eq!((zero_failures_upper_95(0), wilson(0, 0, 0.95)), (1.0, Interval { low: 0.0, high: 1.0 }));
}

#[test]
fn quantiles_and_what_they_need() {
    for case in cases("quantiles") {
        let sorted = numbers(&case["sorted"]);
        for (share, value) in numbers(&case["shares"]).into_iter().zip(numbers(&case["values"])) {
            assert_eq!(quantile(&sorted, 0, share), value, "{share} of {}", sorted.len());
        }
    }
    for case in cases("requestsNeeded") {
        assert_eq!(Some(requests_needed(number(&case["share"]), 0.95)), case["needed"].as_u64());
    }
}

#[test]
fn families_trends_and_dependence() {
    for case in cases("families") {
        for (ours, theirs) in holm(&numbers(&case["chances"])).into_iter().zip(case["adjusted"].as_array().expect("a list")) {
            same(ours, theirs, "Holm");
        }
    }
    for case in cases("trends") {
        same(trend_p(&numbers(&case["series"])), &case["p"], "trend");
    }
    for case in cases("correlations") {
        same(autocorrelation(&numbers(&case["series"])), &case["r"], "autocorrelation");
    }
}

#[test]
fn dominance_and_power() {
    for case in cases("dominances") {
        let counted = |key: &str| {
            let mut values = numbers(&case[key]);
            values.sort_unstable_by(f64::total_cmp);
            values.chunk_by(|one, other| one == other).map(|same| (same[0], same.len() as u64)).collect::<Vec<_>>()
        };
        same(cliffs_delta(&counted("a"), &counted("b")), &case["delta"], "dominance");
    }
    for case in cases("power") {
        let error = number(&case["standardError"]);
        same(detectable(error, 0.95), &case["detectable"], "detectable");
        let units = case["units"].as_u64().expect("a count") as usize;
        assert_eq!(units_needed(units, error, 0.95, number(&case["effect"])), case["needed"].as_u64());
    }
}

#[test]
fn means_that_vary_unlike() {
    for case in cases("means") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        for (level, key) in [(0.95, "interval95"), (0.9, "interval90")] {
            let interval = welch::of_sizes((&a, a.len() as f64), (&b, b.len() as f64), level);
            same(interval.low, &case[key][0], key);
            same(interval.high, &case[key][1], key);
        }
    }
}
