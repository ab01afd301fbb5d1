//! The verdict on one metric: a pure function of two intervals and the margin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Family;
use crate::statistics::Interval;

/// The result of a comparison. Lower latency is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// The second arm is faster: its difference is below zero, and not shown to be within the margin.
    #[serde(rename = "better")]
    Better,
    /// The second arm is slower: its difference is above zero, and not shown to be within the margin.
    #[serde(rename = "worse")]
    Worse,
    /// The difference is within the margin, whether or not there is one.
    #[serde(rename = "equivalent")]
    Equivalent,
    /// Neither is shown: more windows are needed.
    #[serde(rename = "inconclusive")]
    Inconclusive,
    /// The measurement does not count.
    #[serde(rename = "INVALID")]
    Invalid,
}

impl Verdict {
    /// The verdict in words for people.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Equivalent => "equivalent",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Invalid => "INVALID",
        }
    }

    /// The exit-code family; none for success. A slower second arm is a failed comparison (1); an undecided or invalid one has
    /// to do with the machine and the time it was given (20), as for scenarios.
    pub fn exit_family(self) -> Option<Family> {
        match self {
            Verdict::Better | Verdict::Equivalent => None,
            Verdict::Worse => Some(Family::Scenario),
            Verdict::Inconclusive | Verdict::Invalid => Some(Family::Preflight),
        }
    }
}

/// Equivalent if all of `narrow` (level 1 - 2 alpha, two one-sided tests) is within the margin, even if it excludes zero.
/// Otherwise better or worse if `wide` (level 1 - alpha) excludes zero, and inconclusive if it does not.
pub fn decide(wide: Interval, narrow: Interval, margin: f64) -> Verdict {
    if narrow.inside(margin) {
        Verdict::Equivalent
    } else if wide.high < 0.0 {
        Verdict::Better
    } else if wide.low > 0.0 {
        Verdict::Worse
    } else {
        Verdict::Inconclusive
    }
}

/// The same from p-values that were adjusted for the number of questions.
pub fn decide_adjusted(estimate: f64, p_difference: f64, p_equivalence: f64, alpha: f64) -> Verdict {
    if p_equivalence <= alpha {
        Verdict::Equivalent
    } else if p_difference <= alpha {
        if estimate < 0.0 { Verdict::Better } else { Verdict::Worse }
    } else {
        Verdict::Inconclusive
    }
}

/// Whether a difference that was found exceeds the margin; none if that is open.
pub fn exceeds(wide: Interval, margin: f64) -> Option<bool> {
    (wide.low > margin || wide.high < -margin).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_cases_of_a_difference() {
        let of = |wide: (f64, f64), narrow: (f64, f64)| {
            let interval = |(low, high)| Interval { low, high };
            (decide(interval(wide), interval(narrow), 1.0), exceeds(interval(wide), 1.0))
        };
        assert_eq!(of((-0.6, 0.6), (-0.5, 0.5)), (Verdict::Equivalent, None));
        // excludes zero all the same: a difference too small to matter
        assert_eq!(of((0.1, 0.6), (0.2, 0.5)), (Verdict::Equivalent, None));
        assert_eq!(of((0.3, 1.6), (0.4, 1.5)), (Verdict::Worse, None));
        assert_eq!(of((1.3, 1.6), (1.4, 1.5)), (Verdict::Worse, Some(true)));
        assert_eq!(of((-3.0, -2.0), (-2.9, -2.1)), (Verdict::Better, Some(true)));
        assert_eq!(of((-0.1, 1.6), (0.1, 1.5)), (Verdict::Inconclusive, None));
        // the margin itself is not inside the margin
        assert_eq!(of((-0.1, 1.0), (-0.1, 1.0)), (Verdict::Inconclusive, None));
        let open = (f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(of(open, open), (Verdict::Inconclusive, None));
    }

    #[test]
    fn adjusted_chances_lead_to_the_same_words() {
        assert_eq!(decide_adjusted(0.1, 0.001, 0.04, 0.05), Verdict::Equivalent);
        assert_eq!(decide_adjusted(0.1, 0.001, 0.06, 0.05), Verdict::Worse);
        assert_eq!(decide_adjusted(-0.1, 0.05, 0.06, 0.05), Verdict::Better);
        assert_eq!(decide_adjusted(-0.1, 0.051, 0.06, 0.05), Verdict::Inconclusive);
    }

    #[test]
    fn only_better_and_equivalent_are_success() {
        let codes = [Verdict::Better, Verdict::Equivalent, Verdict::Worse, Verdict::Inconclusive, Verdict::Invalid]
            .map(|verdict| verdict.exit_family().map(Family::code));
        assert_eq!(codes, [None, None, Some(1), Some(20), Some(20)]);
    }
}
