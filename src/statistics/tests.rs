//! The guarantees hold, in seeded simulations of data whose truth is known.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;

const RUNS: usize = 1000;

fn generator(seed: u64) -> impl FnMut() -> f64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    // by inverting the distribution function; the open end keeps the value finite
    move || normal_quantile(random.random_range(1e-12..1.0))
}

/// A first-order process with this correlation of neighbours and variance 1.
fn process(draw: &mut impl FnMut() -> f64, count: usize, correlation: f64) -> Vec<f64> {
    let mut value = draw();
    (0..count)
        .map(|_| {
            value = correlation * value + (1.0 - correlation * correlation).sqrt() * draw();
            value
        })
        .collect()
}

/// Share of runs for which something holds.
fn share(mut holds: impl FnMut() -> bool) -> f64 {
    (0..RUNS).filter(|_| holds()).count() as f64 / RUNS as f64
}

#[test]
fn alike_arms_are_told_apart_in_one_of_twenty_runs_however_noisy_both_are_together() {
    let mut draw = generator(1);
    let wrong = share(|| {
        // a disturbance of both arms of a window cancels out; a wild window, one in fifty, does not
        let common = process(&mut draw, 30, 0.66);
        let mut arm = || -> Vec<f64> {
            common.iter().map(|noise| 10.0 + noise + 0.3 * draw() + if draw() > 2.05 { 20.0 } else { 0.0 }).collect()
        };
        let (a, b) = (arm(), arm());
        let differences: Vec<f64> = b.iter().zip(&a).map(|(b, a)| b - a).collect();
        SignedRank::of(&differences).interval(0.95).excludes_zero()
    });
    // 5 %, plus three standard errors of a thousand runs
    assert!(wrong < 0.05 + 0.021, "{wrong}");
}

#[test]
fn the_interval_covers_the_truth_for_any_symmetric_noise() {
    for (name, seed, tail) in [("normal", 2, 0.0), ("heavy", 3, 1.0)] {
        let mut draw = generator(seed);
        let covered = share(|| {
            let differences: Vec<f64> = (0..15).map(|_| 0.7 + draw() / draw().abs().powf(tail)).collect();
            SignedRank::of(&differences).interval(0.95).contains(0.7)
        });
        assert!(covered > 0.95 - 0.021, "{name}: {covered}");
    }
}

#[test]
fn batches_bring_back_what_dependent_windows_lose() {
    let mut draw = generator(4);
    let (mut plain, mut batched) = (0, 0);
    for _ in 0..RUNS {
        let differences = process(&mut draw, 80, 0.5);
        let size = batch_size(&differences, 10);
        let batches: Vec<f64> = differences.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64).collect();
        plain += usize::from(SignedRank::of(&differences).interval(0.95).contains(0.0));
        batched += usize::from(SignedRank::of(&batches).interval(0.95).contains(0.0));
    }
    let share = |count: usize| count as f64 / RUNS as f64;
    // with a correlation of 0.5, 80 windows are worth 27
    assert!((effective_size(80, 0.5) - 80.0 / 3.0).abs() < 1e-9);
    assert!(share(plain) < 0.80, "{}", share(plain));
    assert!(share(batched) > 0.88, "{}", share(batched));
}

#[test]
fn neighbours_that_resemble_each_other_widen_the_interval() {
    let mut draw = generator(10);
    let mut wrong = |correlation: f64| {
        let (mut plain, mut series) = (0, 0);
        for _ in 0..RUNS {
            let differences = process(&mut draw, 13, correlation);
            plain += usize::from(SignedRank::of(&differences).interval(0.95).excludes_zero());
            series += usize::from(SignedRank::of_series(&differences).interval(0.95).excludes_zero());
        }
        (plain as f64 / RUNS as f64, series as f64 / RUNS as f64)
    };
    let (plain, series) = wrong(0.4);
    assert!(plain > 0.14 && series < 0.12 && series < 0.65 * plain, "{plain} {series}");
    let (plain, series) = wrong(0.0);
    assert!(series <= plain && series < 0.05 + 0.01, "{plain} {series}");
    let slow: Vec<f64> = (0..12).map(|at| f64::from(at % 6)).collect();
    assert_eq!(SignedRank::of_series(&slow).estimate(), SignedRank::of(&slow).estimate());
    assert!(likely_correlation(&slow) > autocorrelation(&slow) && likely_correlation(&[1.0, -1.0, 1.0, -1.0]) == 0.0);
}

#[test]
fn independent_windows_stay_as_they_are() {
    let mut draw = generator(5);
    let kept = share(|| batch_size(&process(&mut draw, 40, 0.0), 10) == 1);
    assert!(kept > 0.93, "{kept}");
    assert_eq!(effective_size(40, -0.2), 40.0);
}

#[test]
fn the_interval_of_two_means_covers_their_difference_also_when_neighbours_resemble_each_other() {
    let mut draw = generator(11);
    for correlation in [0.0, 0.5] {
        let covered = share(|| {
            let a: Vec<f64> = process(&mut draw, 100, correlation).into_iter().map(|value| 8.0 + 3.0 * value).collect();
            let b: Vec<f64> = process(&mut draw, 100, correlation).into_iter().map(|value| 6.0 + value).collect();
            welch(&a, &b, 0.95).contains(-2.0)
        });
        assert!(covered > 0.95 - 0.021, "{correlation}: {covered}");
    }
    assert_eq!(welch(&[3.0, 3.0], &[1.0, 1.0], 0.95), Interval { low: -2.0, high: -2.0 });
    assert_eq!(welch(&[3.0, 3.0], &[1.0], 0.95), Interval { low: f64::NEG_INFINITY, high: f64::INFINITY });
}

#[test]
fn deployments_that_differ_widen_the_bootstrap() {
    let mut draw = generator(6);
    let mut deployment = |centre: f64| -> Vec<f64> { (0..10).map(|_| centre + 0.1 * draw()).collect() };
    let apart = [deployment(-1.0), deployment(0.0), deployment(1.0)];
    let pooled = [apart.concat()];
    let width = |deployments: &[Vec<f64>]| {
        let interval = nested_bootstrap(deployments, 0.95, 2000, 1);
        interval.high - interval.low
    };
    assert!(width(&apart) > 2.0 * width(&pooled), "{} {}", width(&apart), width(&pooled));
    assert_eq!(nested_bootstrap(&pooled, 0.95, 500, 9), nested_bootstrap(&pooled, 0.95, 500, 9));
}

#[test]
fn an_effect_of_the_detectable_size_is_found_in_four_of_five_runs() {
    let mut draw = generator(7);
    let error = 1.0 / 30.0_f64.sqrt();
    let found = share(|| {
        let differences: Vec<f64> = (0..30).map(|_| detectable(error, 0.95) + draw()).collect();
        SignedRank::of(&differences).interval(0.95).excludes_zero()
    });
    assert!((found - 0.8).abs() < 0.06, "{found}");
    let interval = Interval { low: -1.96, high: 1.96 };
    assert!((standard_error(interval, 0.95) - 1.0).abs() < 1e-4);
    assert_eq!(units_needed(10, f64::INFINITY, 0.95, 1.0), None);
}

#[test]
fn equivalence_is_claimed_wrongly_in_one_of_twenty_runs_at_most() {
    let mut draw = generator(8);
    let wrong = share(|| {
        // the true difference is the margin itself
        let differences: Vec<f64> = (0..20).map(|_| 1.0 + draw()).collect();
        let paired = SignedRank::of(&differences);
        let claimed = paired.p_equivalent(1.0) <= 0.05;
        assert_eq!(claimed, paired.interval(0.9).inside(1.0));
        claimed
    });
    assert!(wrong < 0.05 + 0.021, "{wrong}");
}

#[test]
fn failures_count_as_slower_than_everything() {
    let sorted = [1.0, 2.0, 3.0];
    assert_eq!(quantile(&sorted, 1, 0.5), 2.0);
    assert_eq!(quantile(&sorted, 1, 0.99), f64::INFINITY);
    assert!(quantile(&[], 0, 0.5).is_nan());
    // 0.07 · 100 is 7.000000000000001 in floating point, which even NumPy turns into rank 8
    assert_eq!(quantile(&(1..=100).map(f64::from).collect::<Vec<_>>(), 0, 0.07), 7.0);
    assert_eq!(cliffs_delta(&[(1.0, 2), (f64::INFINITY, 1)], &[(f64::INFINITY, 3)]), 2.0 / 3.0);
}

#[test]
fn too_few_differences_bound_nothing() {
    let everything = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    assert_eq!(SignedRank::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).interval(0.95), everything);
    assert_eq!(SignedRank::of(&[]).interval(0.95), everything);
    assert!(SignedRank::of(&[]).estimate().is_nan());
    assert!(SignedRank::of(&[1.0; 6]).interval(0.95).excludes_zero());
    // ties at zero count for neither side
    assert_eq!(SignedRank::of(&[0.0; 20]).p_apart(0.0), 1.0);
}

#[test]
fn a_rise_is_a_trend_and_noise_is_none() {
    let mut draw = generator(9);
    let calm = share(|| trend_p(&process(&mut draw, 10, 0.0)) > 0.1);
    assert!(calm > 0.85, "{calm}");
    assert!(trend_p(&[9.0, 7.0, 6.0, 5.5, 5.2, 5.1, 5.0, 4.9]) < 0.01);
    assert_eq!((trend_p(&[1.0; 9]), trend_p(&[1.0, 2.0])), (1.0, 1.0));
}
