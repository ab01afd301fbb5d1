//! What can be concluded from numbers: pure functions, each with the paper it comes from.
//!
//! In: numbers, shares between 0 and 1, seeds. Out: estimates, intervals, chances. The unit of every function that takes
//! differences is one independent comparison (a window), never a request: requests of one run are correlated. Values are
//! checked against SciPy's (`tests/golden/statistics.py`), error rates with seeded simulations.

mod binomial;
mod bootstrap;
mod dependence;
mod dominance;
mod holm;
mod power;
mod quantile;
mod signed_rank;
mod trend;
mod welch;

pub use binomial::{clopper_pearson, wilson, zero_failures_upper_95};
pub use bootstrap::nested_bootstrap;
pub use dependence::{autocorrelation, batch_size, effective_size, likely_correlation};
pub use dominance::cliffs_delta;
pub use holm::holm;
pub use power::{detectable, standard_error, units_needed};
pub use quantile::{quantile, requests_needed};
pub use signed_rank::SignedRank;
pub use trend::trend_p;
pub use welch::welch;

/// The mean; not a number without values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A closed interval; an end that the data cannot bound is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// True when the whole interval is strictly between `-margin` and `margin`.
    pub fn inside(self, margin: f64) -> bool {
        self.low > -margin && self.high < margin
    }

    /// True when zero is not in the interval.
    pub fn excludes_zero(self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// True when this value is in the interval.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// True when both contain a common value.
    pub fn meets(self, other: Interval) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The value that a standard normal variable does not exceed with this chance.
fn normal_quantile(chance: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    Normal::standard().inverse_cdf(chance)
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
