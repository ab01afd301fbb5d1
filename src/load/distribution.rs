//! Quantiles of times.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Largest time that is distinguished, in microseconds: one hour.
const LARGEST: u64 = 3_600_000_000;

/// Times in microseconds, with three significant digits.
#[derive(Debug, Clone)]
pub struct Distribution(Histogram<u64>);

impl Distribution {
    /// A distribution of these times, in microseconds.
    pub fn of(times: impl IntoIterator<Item = u32>) -> Self {
        // the bounds are constants, and valid: 1 <= low, high >= 2 * low, at most 5 digits
        #[allow(clippy::unwrap_used)]
        let mut histogram = Histogram::new_with_bounds(1, LARGEST, 3).unwrap();
        for time in times {
            histogram.saturating_record(u64::from(time));
        }
        Distribution(histogram)
    }

    /// The number of times.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// True if there are no times.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest time that at least this share of all times does not exceed, in milliseconds; 0 if there are none.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }

    /// All times in the HdrHistogram V2 format, deflated, as base64, which HdrHistogram tools in other languages can read.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        // fails only if there is no memory, or for more times than 63 bits can count
        let written = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        if let Err(error) = written {
            tracing::warn!(%error, "a histogram cannot be written");
        }
        STANDARD.encode(bytes)
    }

    /// Reads what [`Distribution::to_base64`] wrote; none if the text is anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        Deserializer::new().deserialize(&mut bytes.as_slice()).ok().map(Distribution)
    }

    /// The number of times between each two neighbouring `ends_ms`, which are in milliseconds, ascending; times outside of them
    /// are not counted.
    pub fn counts(&self, ends_ms: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; ends_ms.len().saturating_sub(1)];
        for step in self.0.iter_recorded() {
            let ms = step.value_iterated_to() as f64 / 1e3;
            let bin = ends_ms.partition_point(|end| *end <= ms);
            if let Some(count) = bin.checked_sub(1).and_then(|bin| counts.get_mut(bin)) {
                *count += step.count_since_last_iteration();
            }
        }
        counts
    }

    /// The largest time, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_ranks_to_three_digits() {
        let times = Distribution::of((1..=10_000).rev());
        for (share, expected) in [(0.5, 5.0), (0.9, 9.0), (0.99, 9.9), (0.999, 9.99), (1.0, 10.0)] {
            assert!((times.quantile_ms(share) / expected - 1.0).abs() < 1e-3, "{share}: {}", times.quantile_ms(share));
        }
        let again = Distribution::from_base64(&times.to_base64()).expect("as written");
        assert_eq!(again.0, times.0);
        assert!(Distribution::from_base64("bm90IG9uZQ==").is_none());
        assert_eq!((times.len(), Distribution::of([]).quantile_ms(0.99)), (10_000, 0.0));
    }

    #[test]
    fn times_are_counted_between_ends() {
        let times = Distribution::of([500, 1_000, 1_500, 2_000, 9_000]);
        assert_eq!(times.counts(&[1.0, 1.8, 2.2, 5.0]), [2, 1, 0]);
        assert_eq!(times.counts(&[]), [0; 0]);
    }
}
