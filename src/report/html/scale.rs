//! Scales: the place of a value in a plot, and which values get a label.

use crate::report::number::{fixed, plain, signed};

/// A labelled value on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The labelled value.
    pub value: f64,
    /// Its place, in the units of the scale's range.
    pub at: f64,
    /// The text of the label.
    pub label: String,
    /// True if it is left out on narrow pages.
    pub minor: bool,
}

/// A linear scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    domain: (f64, f64),
    range: (f64, f64),
}

impl Linear {
    /// Maps `domain` onto `range`; an empty domain is widened.
    pub fn new(domain: (f64, f64), range: (f64, f64)) -> Linear {
        let (from, to) = domain;
        let domain = if to > from { (from, to) } else { (from - 0.5, from + 0.5) };
        Linear { domain, range }
    }

    /// Extends `domain` to round values, in about `steps` steps.
    pub fn rounded(domain: (f64, f64), range: (f64, f64), steps: usize) -> Linear {
        let whole = Linear::new(domain, range);
        let step = whole.step(steps);
        let (from, to) = whole.domain;
        Linear { domain: ((from / step + 1e-9).floor() * step, (to / step - 1e-9).ceil() * step), range }
    }

    /// The place of a value.
    pub fn at(&self, value: f64) -> f64 {
        let ((from, to), (start, end)) = (self.domain, self.range);
        start + (value - from) / (to - from) * (end - start)
    }

    /// Both ends of the domain.
    pub fn domain(&self) -> (f64, f64) {
        self.domain
    }

    /// About `steps` round values; every second one that is not zero is minor.
    pub fn ticks(&self, steps: usize, write: fn(f64, usize) -> String) -> Vec<Tick> {
        let step = self.step(steps);
        let decimals = (-(step * 1.000_1).log10().floor()).clamp(0.0, 4.0) as usize;
        // steps of 2.5 need one digit more than their power of ten shows
        let decimals = decimals + usize::from((step * 10f64.powi(decimals as i32)).fract() > 0.01);
        let first = (self.domain.0 / step - 1e-9).ceil() as i64;
        let last = (self.domain.1 / step + 1e-9).floor() as i64;
        let tick = |n: i64| {
            let value = n as f64 * step;
            Tick { value, at: self.at(value), label: write(value, decimals), minor: n % 2 != 0 }
        };
        (first..=last).map(tick).collect()
    }

    fn step(&self, steps: usize) -> f64 {
        let rough = (self.domain.1 - self.domain.0) / steps.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let digit = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|digit| digit * power >= rough * 0.999).unwrap_or(10.0);
        digit * power
    }
}

/// Labels with a sign, as for differences.
pub fn with_sign(value: f64, decimals: usize) -> String {
    signed(value, decimals)
}

/// Labels without a sign.
pub fn without_sign(value: f64, decimals: usize) -> String {
    fixed(value, decimals)
}

/// A logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    domain: (f64, f64),
    range: (f64, f64),
}

impl Log {
    /// Maps `domain`, which is above zero, onto `range`; an empty domain is widened.
    pub fn new(domain: (f64, f64), range: (f64, f64)) -> Log {
        let from = if domain.0 > 0.0 { domain.0 } else { 1e-3 };
        let to = if domain.1 > from * 1.01 { domain.1 } else { from * 2.0 };
        Log { domain: (from, to), range }
    }

    /// Both ends of the domain.
    pub fn domain(&self) -> (f64, f64) {
        self.domain
    }

    /// The place of a value; values outside of the domain are placed at its ends.
    pub fn at(&self, value: f64) -> f64 {
        let ((from, to), (start, end)) = (self.domain, self.range);
        let value = value.clamp(from, to);
        start + (value / from).ln() / (to / from).ln() * (end - start)
    }

    /// Round values: 1, 2, 5 times powers of ten; more between them if the domain is small.
    pub fn ticks(&self) -> Vec<Tick> {
        let decades = (self.domain.1 / self.domain.0).log10();
        let digits: &[(f64, bool)] = if decades > 3.2 {
            &[(1.0, false)]
        } else if decades > 1.4 {
            &[(1.0, false), (2.0, true), (5.0, true)]
        } else if decades > 0.7 {
            &[(1.0, false), (1.5, true), (2.0, false), (3.0, false), (4.0, true), (5.0, false), (7.0, true)]
        } else {
            &[
                (1.0, false),
                (1.2, true),
                (1.5, false),
                (2.0, false),
                (2.5, true),
                (3.0, false),
                (4.0, true),
                (5.0, false),
                (6.0, true),
                (7.0, false),
                (8.0, true),
            ]
        };
        let mut ticks = Vec::new();
        for power in self.domain.0.log10().floor() as i32..=self.domain.1.log10().ceil() as i32 {
            for (digit, minor) in digits {
                let value = digit * 10f64.powi(power);
                if value >= self.domain.0 * 0.999 && value <= self.domain.1 * 1.001 {
                    ticks.push(Tick { value, at: self.at(value), label: plain(value), minor: *minor });
                }
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_written_alike() {
        let scale = Linear::new((-2.0, 1.5), (0.0, 100.0));
        assert_eq!((scale.at(-2.0), scale.at(1.5)), (0.0, 100.0));
        assert_eq!(labels(Linear::new((0.0, 8.0), (0.0, 100.0)).ticks(4, without_sign)), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(Linear::new((0.0, 1.0), (0.0, 1.0)).ticks(4, without_sign)), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
    }

    #[test]
    fn logarithmic_ticks_are_round_too() {
        assert_eq!(labels(Log::new((3.0, 31.0), (0.0, 1.0)).ticks()), ["3", "4", "5", "7", "10", "15", "20", "30"]);
        assert_eq!(
            labels(Log::new((40.0, 12_000.0), (0.0, 1.0)).ticks()),
            ["50", "100", "200", "500", "1,000", "2,000", "5,000", "10,000"]
        );
        let scale = Log::new((1.0, 100.0), (0.0, 100.0));
        assert!((scale.at(10.0) - 50.0).abs() < 1e-9);
        assert_eq!(scale.at(1e6), 100.0);
    }
}
