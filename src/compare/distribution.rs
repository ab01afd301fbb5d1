//! Both arms' latencies in bins, with the uncertainty estimated from the windows.

use super::record::{ArmDistribution, Distribution, tidy};
use super::window::{Sent, Window};

/// Number of bins; their edges grow by a constant ratio.
const BINS: usize = 96;
/// Half the width of a 95 % interval in standard errors, if there are many windows.
const Z: f64 = 1.96;

/// The distribution in the valid windows; none if there is no good answer.
pub(super) fn distribution(windows: &[Window]) -> Option<Distribution> {
    let valid: Vec<&Window> = windows.iter().filter(|window| window.void.is_empty()).collect();
    let good = || valid.iter().flat_map(|window| &window.arms).flat_map(|sent| &sent.good).copied();
    let (low, high) = (good().fold(f64::INFINITY, f64::min).max(1e-3), good().fold(0.0, f64::max).max(1e-3));
    if !low.is_finite() {
        return None;
    }
    // the last edge is just above the slowest answer
    let ratio = (high * 1.000_001 / low).max(1.001).ln() / BINS as f64;
    let edges: Vec<f64> = (0..=BINS).map(|edge| tidy(low * (ratio * edge as f64).exp())).collect();
    let arm = |index: usize| arm(&valid.iter().map(|window| &window.arms[index]).collect::<Vec<_>>(), &edges);
    Some(Distribution { a: arm(0), b: arm(1), edges_ms: edges })
}

fn arm(windows: &[&Sent], edges: &[f64]) -> ArmDistribution {
    let slower = |sent: &Sent, edge: f64| sent.len() - sent.good.partition_point(|ms| *ms < edge);
    let beyond: Vec<u64> = edges.iter().map(|edge| windows.iter().map(|sent| slower(sent, *edge) as u64).sum()).collect();
    let all = windows.iter().map(|sent| sent.len() as u64).sum::<u64>().max(1) as f64;
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for (edge, beyond) in edges.iter().zip(&beyond) {
        // the share of each window is one observation: requests of a window are correlated
        let shares: Vec<f64> = windows.iter().map(|sent| slower(sent, *edge) as f64 / sent.len().max(1) as f64).collect();
        let half = Z * standard_error(&shares);
        low.push(tidy((*beyond as f64 / all - half).max(0.0)));
        high.push(tidy((*beyond as f64 / all + half).min(1.0)));
    }
    ArmDistribution {
        counts: beyond.windows(2).map(|two| two[0] - two[1]).collect(),
        failed: windows.iter().map(|sent| sent.failed as u64).sum(),
        slower: beyond.iter().map(|beyond| tidy(*beyond as f64 / all)).collect(),
        slower_low: low,
        slower_high: high,
    }
}

/// Standard error of the mean; 0 for fewer than two values.
fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (square / (count - 1.0) / count).sqrt()
}
