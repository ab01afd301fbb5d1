//! When each request is due: a constant rate, with every request shifted within its slot by a seeded amount.

/// An endless schedule; a pure function of rate, jitter and seed.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals {
    interval_ns: f64,
    jitter: f64,
    seed: u64,
}

impl Arrivals {
    /// `rate` in requests per second; `jitter` as a share of the interval, at most 0.5 so that requests keep their order.
    pub fn new(rate: f64, jitter: f64, seed: u64) -> Self {
        Arrivals { interval_ns: 1e9 / rate, jitter: jitter.clamp(0.0, 0.5), seed }
    }

    /// Mean time between two requests, in nanoseconds.
    pub fn interval_ns(&self) -> u64 {
        self.interval_ns as u64
    }

    /// When request `sequence` (from 0) is due, in nanoseconds after the start.
    pub fn due(&self, sequence: u32) -> u64 {
        let uniform = (mix(self.seed.wrapping_add(u64::from(sequence))) >> 11) as f64 / (1u64 << 53) as f64;
        let slot = f64::from(sequence) + 0.5 + self.jitter * (2.0 * uniform - 1.0);
        (slot * self.interval_ns) as u64
    }
}

/// SplitMix64's output function (Steele, Lea, Flood, OOPSLA 2014): the same on every machine and in every version.
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_keeps_order_rate_and_seed() {
        let arrivals = Arrivals::new(1000.0, 0.5, 42);
        let due: Vec<u64> = (0..10_000).map(|sequence| arrivals.due(sequence)).collect();
        assert!(due.is_sorted());
        assert!(due.iter().filter(|due| **due < 5_000_000_000).count().abs_diff(5000) <= 1);
        assert_eq!(due[7], Arrivals::new(1000.0, 0.5, 42).due(7));
        assert_ne!(due[7], Arrivals::new(1000.0, 0.5, 43).due(7));
        // the shifts fill the slots: the spread of a uniform distribution over ±0.5 ms is 289 µs
        let moves = due.iter().enumerate().map(|(i, due)| *due as f64 / 1e6 - i as f64 - 0.5);
        let spread = (moves.map(|move_| move_ * move_).sum::<f64>() / 10_000.0).sqrt();
        assert!((spread - 0.2887).abs() < 0.01, "{spread}");
    }

    #[test]
    fn without_jitter_requests_are_evenly_spaced() {
        let arrivals = Arrivals::new(100.0, 0.0, 1);
        assert_eq!((0..3).map(|sequence| arrivals.due(sequence)).collect::<Vec<_>>(), [5_000_000, 15_000_000, 25_000_000]);
    }
}
