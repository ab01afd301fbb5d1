//! A second opinion on the interval: what the estimate would have been with other deployments and other windows.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::{Interval, quantile};

/// Percentile interval of the Hodges-Lehmann estimate by a bootstrap in two stages: deployments are drawn with replacement,
/// then windows within each (Efron, Annals of Statistics 7, 1979; Davison and Hinkley, Bootstrap Methods and their
/// Application, 1997, section 3.8). `deployments` are the differences of each deployment's windows, finite; `draws` about
/// 10,000. The same seed makes the same draws in every version. Infinite for fewer than two differences.
pub fn nested_bootstrap(deployments: &[Vec<f64>], level: f64, draws: usize, seed: u64) -> Interval {
    let values: Vec<f64> = deployments.iter().flatten().copied().collect();
    if values.len() < 2 || draws == 0 {
        return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    }
    let mut starts = Vec::with_capacity(deployments.len());
    let mut next = 0;
    for deployment in deployments {
        starts.push(next..next + deployment.len());
        next += deployment.len();
    }
    starts.retain(|range| !range.is_empty());
    let pairs = sorted_pairs(&values);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut times = vec![0u32; values.len()];
    let mut estimates: Vec<f64> = (0..draws)
        .map(|_| {
            times.fill(0);
            for _ in 0..starts.len() {
                let windows = starts[random.random_range(0..starts.len())].clone();
                for _ in windows.clone() {
                    times[random.random_range(windows.clone())] += 1;
                }
            }
            weighted_median(&pairs, &times)
        })
        .collect();
    estimates.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Interval { low: quantile(&estimates, 0, tail), high: quantile(&estimates, 0, 1.0 - tail) }
}

/// The average of two values, with the indices of both.
struct Pair {
    average: f64,
    one: usize,
    other: usize,
}

fn sorted_pairs(values: &[f64]) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for one in 0..values.len() {
        pairs.extend((0..=one).map(|other| Pair { average: (values[one] + values[other]) / 2.0, one, other }));
    }
    pairs.sort_unstable_by(|a, b| a.average.total_cmp(&b.average));
    pairs
}

/// The Hodges-Lehmann estimate of a sample that contains value i `times[i]` times, without writing that sample out: its
/// averages are those of the distinct values, each as often as it can be formed.
fn weighted_median(pairs: &[Pair], times: &[u32]) -> f64 {
    let drawn: u64 = times.iter().map(|count| u64::from(*count)).sum();
    let all = drawn * (drawn + 1) / 2;
    let (lower, upper) = ((all - 1) / 2, all / 2);
    let (mut passed, mut first) = (0, None);
    for pair in pairs {
        let (one, other) = (u64::from(times[pair.one]), u64::from(times[pair.other]));
        passed += if pair.one == pair.other { one * (one + 1) / 2 } else { one * other };
        if passed > lower && first.is_none() {
            first = Some(pair.average);
        }
        if passed > upper {
            return (first.unwrap_or(pair.average) + pair.average) / 2.0;
        }
    }
    f64::NAN
}
