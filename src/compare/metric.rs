//! The figures of the latency that can be compared.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::statistics::requests_needed;

/// A figure of the latencies of one window and arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Metric {
    /// Half of the requests are faster.
    #[serde(rename = "latency.p50")]
    P50,
    /// Nine of ten requests are faster.
    #[serde(rename = "latency.p90")]
    P90,
    /// 99 of 100 requests are faster.
    #[serde(rename = "latency.p99")]
    P99,
    /// 999 of 1,000 requests are faster.
    #[serde(rename = "latency.p99.9")]
    P999,
    /// The arithmetic mean; a failed request counts as slow as the timeout.
    #[serde(rename = "latency.mean")]
    Mean,
}

/// A name that is not a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no metric: latency.p50, latency.p90, latency.p99, latency.p99.9 or latency.mean")]
pub struct NoMetric(String);

impl Metric {
    /// All metrics, as results list them.
    pub const ALL: [Metric; 5] = [Metric::P50, Metric::P90, Metric::P99, Metric::P999, Metric::Mean];

    /// The metric's quantile; none for the mean.
    pub fn share(self) -> Option<f64> {
        match self {
            Metric::P50 => Some(0.5),
            Metric::P90 => Some(0.9),
            Metric::P99 => Some(0.99),
            Metric::P999 => Some(0.999),
            Metric::Mean => None,
        }
    }

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Metric::P50 => "latency.p50",
            Metric::P90 => "latency.p90",
            Metric::P99 => "latency.p99",
            Metric::P999 => "latency.p99.9",
            Metric::Mean => "latency.mean",
        }
    }

    /// The least number of requests in a window and arm for which it can be estimated (`statistics::requests_needed` at 95 %;
    /// for the mean as many as for the median).
    pub fn needs(self) -> u64 {
        requests_needed(self.share().unwrap_or(0.5), 0.95)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = NoMetric;

    /// Accepts the name with or without `latency.`.
    fn from_str(text: &str) -> Result<Self, NoMetric> {
        let name = text.strip_prefix("latency.").unwrap_or(text);
        let known = Metric::ALL.into_iter().find(|metric| metric.name().strip_prefix("latency.") == Some(name));
        known.ok_or_else(|| NoMetric(text.to_owned()))
    }
}
