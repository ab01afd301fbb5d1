//! How strongly neighbouring values are correlated, and what that costs.

use super::{mean, normal_quantile};

/// Correlation of each value with the next (Box and Jenkins, Time Series Analysis, 1970, section 2.1.4: deviations from the
/// mean of the whole series). 0 for fewer than three values or a constant series.
pub fn autocorrelation(series: &[f64]) -> f64 {
    if series.len() < 3 {
        return 0.0;
    }
    let mean = mean(series);
    let square: f64 = series.iter().map(|value| (value - mean).powi(2)).sum();
    let product: f64 = series.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    if square > 0.0 { product / square } else { 0.0 }
}

/// The number of independent values that contain as much information about the mean as `count` values with this correlation of
/// neighbours (Bayley and Hammersley, Supplement to the Journal of the Royal Statistical Society 8, 1946, for a first-order
/// process and many values): n (1 - r) / (1 + r), never more than n.
pub fn effective_size(count: usize, correlation: f64) -> f64 {
    let count = count as f64;
    (count * (1.0 - correlation) / (1.0 + correlation)).clamp(count.min(1.0), count)
}

/// The correlation of neighbours, 0 to 0.9, that a series of this length most likely has: the observed one is too small on
/// average, by (1 + 4 r) / n (Marriott and Pope, Biometrika 41, 1954). Below zero it counts as zero, since nothing should look
/// more certain because of it.
pub fn likely_correlation(series: &[f64]) -> f64 {
    let seen = autocorrelation(series);
    (seen + (1.0 + 4.0 * seen) / series.len().max(1) as f64).clamp(0.0, 0.9)
}

/// How much wider an interval for the centre of this series has to be than one that treats its values as independent.
pub(super) fn widening(series: &[f64]) -> f64 {
    if series.len() < 3 {
        return 1.0;
    }
    (series.len() as f64 / effective_size(series.len(), likely_correlation(series))).sqrt()
}

/// How many neighbours to combine so that the batches are no longer correlated: 1, 2, 4 …, the first at which the correlation
/// of neighbouring batch means is not above what independent ones show in 1 of 20 cases (1.645 / √n, Bartlett, Supplement to
/// the Journal of the Royal Statistical Society 8, 1946). Stops before fewer than `least` batches remain. The method of batch
/// means (Law and Carson, Operations Research 27, 1979).
pub fn batch_size(series: &[f64], least: usize) -> usize {
    let mut size = 1;
    loop {
        let batches: Vec<f64> = series.chunks_exact(size).map(mean).collect();
        let limit = normal_quantile(0.95) / (batches.len() as f64).sqrt();
        if autocorrelation(&batches) <= limit || batches.len() / 2 < least {
            return size;
        }
        size *= 2;
    }
}
