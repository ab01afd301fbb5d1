//! Bounds for measured numbers, and whether they hold.

use schemars::JsonSchema;
use serde::Deserialize;

use super::facts::Amount;
use crate::quantity::{Requests, Share, Span};

/// The allowed values of a number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Bound<T> {
    /// Exactly this.
    Equals(T),
    /// This or more.
    AtLeast(T),
    /// This or less.
    AtMost(T),
}

/// A kind of number that can be bounded.
pub trait Quantity: Copy {
    /// Its unit in reports.
    const UNIT: &'static str;
    /// The number in that unit.
    fn number(self) -> f64;
}

impl Quantity for Requests {
    const UNIT: &'static str = "req";
    fn number(self) -> f64 {
        self.0 as f64
    }
}

impl Quantity for Span {
    const UNIT: &'static str = "ms";
    fn number(self) -> f64 {
        self.0.as_secs_f64() * 1e3
    }
}

impl Quantity for Share {
    const UNIT: &'static str = "%";
    fn number(self) -> f64 {
        self.0 * 100.0
    }
}

/// The result of measuring a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The measured number, in the unit of its quantity.
    Is(f64),
    /// The event to be measured never happened: no bound holds.
    Never,
    /// It could not be measured, for this reason: nothing is known about any bound.
    Unknown(String),
}

/// A measurement compared with its bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The result of the measurement.
    pub finding: Finding,
    /// The unit of the number and its limit.
    pub unit: &'static str,
    /// `==`, `>=` or `<=`.
    pub comparison: &'static str,
    /// The value of the bound.
    pub limit: f64,
}

impl Measured {
    /// True when the number is known and within its bound.
    pub fn holds(&self) -> bool {
        match (&self.finding, self.comparison) {
            (Finding::Is(value), "==") => *value == self.limit,
            (Finding::Is(value), ">=") => *value >= self.limit,
            (Finding::Is(value), _) => *value <= self.limit,
            (Finding::Never | Finding::Unknown(_), _) => false,
        }
    }

    /// The number with its unit, if there is one.
    pub fn amount(&self) -> Option<Amount> {
        match self.finding {
            Finding::Is(value) => Some(Amount { value, unit: self.unit.to_owned() }),
            Finding::Never | Finding::Unknown(_) => None,
        }
    }

    /// The limit with its unit.
    pub fn bound(&self) -> Amount {
        Amount { value: self.limit, unit: self.unit.to_owned() }
    }
}

impl<T: Quantity> Bound<T> {
    /// Compares a finding with this bound.
    pub fn judge(&self, finding: Finding) -> Measured {
        let (comparison, limit) = match self {
            Bound::Equals(limit) => ("==", limit),
            Bound::AtLeast(limit) => (">=", limit),
            Bound::AtMost(limit) => ("<=", limit),
        };
        Measured { finding, unit: T::UNIT, comparison, limit: limit.number() }
    }

    /// True when a number, in the unit of its quantity, is within this bound.
    pub fn holds(&self, value: f64) -> bool {
        self.judge(Finding::Is(value)).holds()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_unknown_or_never_happened_is_within_no_bound() {
        for bound in [Bound::Equals(Requests(0)), Bound::AtLeast(Requests(0)), Bound::AtMost(Requests(9))] {
            assert!(bound.holds(0.0));
            assert!(!bound.judge(Finding::Never).holds());
            assert!(!bound.judge(Finding::Unknown("not read".into())).holds());
        }
        assert!(!Bound::Equals(Requests(1)).holds(0.0) && !Bound::AtLeast(Requests(1)).holds(0.0));
        let second = Bound::AtMost(Span(Duration::from_secs(1)));
        assert!(second.holds(1000.0) && !second.holds(1000.1));
        assert_eq!(second.judge(Finding::Is(3.0)).amount(), Some(Amount::ms(3.0)));
        assert_eq!(second.judge(Finding::Never).bound(), Amount::ms(1000.0));
    }
}
