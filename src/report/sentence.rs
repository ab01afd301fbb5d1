//! Every sentence that states a result. The specification requires that a difference is never called significant, its absence
//! never "no difference", and that no percentage is given without its count.

use super::number::{SPACE, below, count, fixed, interval, signed, words};

/// The inputs of the sentences about a comparison. Numbers are in `unit`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured<'a> {
    /// What distinguishes the arms, at the beginning of a sentence: `Without the NGINX hop`.
    pub subject: &'a str,
    /// What was compared: `p99 latency`.
    pub metric: &'a str,
    /// Unit of every number here.
    pub unit: &'a str,
    /// Determines the levels of the intervals: 0.05 gives 95 % and 90 %.
    pub alpha: f64,
    /// After minus before.
    pub estimate: f64,
    /// The interval of level 1 - alpha.
    pub wide: (f64, f64),
    /// The interval of level 1 - 2 alpha, which is compared with the margin.
    pub narrow: (f64, f64),
    /// The margin declared beforehand.
    pub margin: f64,
    /// Number of decimals justified by the primary's half-width.
    pub decimals: usize,
}

impl Measured<'_> {
    fn amount(&self, value: f64) -> String {
        format!("{}{SPACE}{}", fixed(value, self.decimals), self.unit)
    }

    fn margin(&self) -> String {
        format!("{}{SPACE}{}", super::number::plain(self.margin), self.unit)
    }

    /// A level of confidence: 1 less `times` alpha.
    fn level(&self, times: f64) -> String {
        format!("{}{SPACE}%", super::number::plain((1.0 - times * self.alpha) * 100.0))
    }

    /// Absolute values of both ends of the wide interval, the smaller one first.
    fn sizes(&self) -> (String, String) {
        let (low, high) = (self.wide.0.abs().min(self.wide.1.abs()), self.wide.0.abs().max(self.wide.1.abs()));
        (fixed(low, self.decimals), fixed(high, self.decimals))
    }

    /// True when the whole 95 % interval is beyond the margin.
    pub fn beyond_margin(&self) -> bool {
        self.wide.0.abs().min(self.wide.1.abs()) > self.margin
    }
}

/// Better or worse: the 95 % interval excludes zero, and the 90 % one is not inside the margin.
pub fn differs(of: &Measured) -> String {
    let verb = if of.estimate < 0.0 { "falls" } else { "rises" };
    let (size, (low, high)) = (of.amount(of.estimate.abs()), of.sizes());
    let head = format!("{}, {} {verb} by {size} ({} interval {low} to {high})", of.subject, of.metric, of.level(1.0));
    if of.beyond_margin() {
        format!("{head}, more than the {} declared beforehand.", of.margin())
    } else {
        format!("{head}; whether by more than {} is open.", of.margin())
    }
}

/// Equivalent: the 90 % interval is inside the margin.
pub fn equivalent(of: &Measured) -> String {
    let (margin, unit) = (of.margin(), of.unit);
    let (estimate, ends) = (signed(of.estimate, of.decimals), interval(of.narrow.0, of.narrow.1, of.decimals));
    let text = format!(
        "{} is the same within {margin}: {estimate}{SPACE}{unit} ({} interval {ends}).",
        capital(of.metric),
        of.level(2.0)
    );
    if of.wide.0 > 0.0 || of.wide.1 < 0.0 { format!("{text} A difference exists, too small to matter.") } else { text }
}

/// Inconclusive.
pub fn inconclusive(of: &Measured, windows: u64) -> String {
    let ends = interval(of.wide.0, of.wide.1, of.decimals);
    format!("{} may have changed by {ends}{SPACE}{}; {} windows cannot tell.", capital(of.metric), of.unit, count(windows))
}

/// What an inconclusive comparison could have detected, and what it would take to detect the margin.
pub fn what_it_takes(of: &Measured, detectable: Option<f64>, windows: Option<(u64, String)>) -> String {
    let mut text = detectable.map(|size| format!("This run could have found {} or more.", of.amount(size))).unwrap_or_default();
    if let Some((windows, lasts)) = windows {
        let space = if text.is_empty() { "" } else { " " };
        text.push_str(&format!("{space}To find {}: about {} windows, {lasts}.", of.margin(), count(windows)));
    }
    text
}

/// Invalid; `check` is in words, without a full stop.
pub fn invalid(check: &str) -> String {
    format!("No verdict: {}.", check.trim_end_matches('.'))
}

/// Pass: `faults` is a clause in the past tense (`Five WAS pods were killed`), or none; `load` as in `load`.
pub fn passed(faults: Option<&str>, load: &str, requests: u64, retried: u64) -> String {
    let rescued = match retried {
        0 => String::new(),
        1 => "; one was answered only after a retry".to_owned(),
        retried => format!("; {} were answered only after a retry", count(retried)),
    };
    match faults {
        Some(faults) => {
            format!("{} under {load}, and none of {} requests failed{rescued}.", capital(faults), count(requests))
        }
        None => format!("Under {load}, none of {} requests failed{rescued}.", count(requests)),
    }
}

/// The upper bound that belongs to zero failures.
pub fn bound(upper95: f64) -> String {
    format!("The failure rate is below {} (upper 95{SPACE}% bound).", below(upper95))
}

/// The control that failed as it must; `without` begins with its preposition: `with the gateway's retries off`.
pub fn control(without: &str, lost: u64, of: u64) -> String {
    format!("The same {without} loses {} of {}, so the test can fail.", count(lost), count(of))
}

/// Fail because of lost requests: `when` is a clause (`WAS pods died`), `allowed` is how many might have been lost.
pub fn lost(lost: u64, of: u64, when: Option<&str>, allowed: u64) -> String {
    let when = when.map(|when| format!(" when {when}")).unwrap_or_default();
    let allowed = if allowed == 0 { "none was allowed to".to_owned() } else { format!("at most {} were", count(allowed)) };
    format!("{} of {} requests failed{when}; {allowed}.", count(lost), count(of))
}

/// Fail because of another expectation: the measured value and its bound.
pub fn broken(title: &str, measured: Option<&str>, bound: &str) -> String {
    let measured = measured.map_or_else(|| "nothing was measured".to_owned(), |measured| format!("measured {measured}"));
    format!("Not so: {}. Expected {bound}, {measured}.", title.trim_end_matches('.'))
}

/// Skipped.
pub fn skipped(reason: &str) -> String {
    format!("Not run: {}.", reason.trim_end_matches('.'))
}

/// Error.
pub fn error(what: &str) -> String {
    format!("Not finished: {}.", what.trim_end_matches('.'))
}

/// The sentence after that of an error.
pub const TOOL_FAILED: &str = "The tool failed, not the system under test.";

/// A scenario whose control did not fail.
pub fn proves_nothing(held: u64) -> String {
    let what = if held == 1 { "the expectation".to_owned() } else { format!("{} expectations", words(held)) };
    format!("Nothing is shown: {what} that must fail without the protection held there too.")
}

/// `5 of 5`, `no`: for sentences with counts.
pub fn of(part: u64, whole: u64) -> String {
    format!("{} of {}", count(part), count(whole))
}

/// The singular or the plural of a word.
pub fn plural<'a>(number: u64, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

/// With a capital letter, unless it begins with a name that has none, such as `p99`.
pub fn capital(text: &str) -> String {
    let quantile = text.starts_with('p') && text[1..].starts_with(|c: char| c.is_ascii_digit());
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !quantile => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::MINUS;
    use super::*;

    const P99: Measured = Measured {
        alpha: 0.05,
        subject: "Without the NGINX hop",
        metric: "p99 latency",
        unit: "ms",
        estimate: -1.32,
        wide: (-1.61, -1.05),
        narrow: (-1.57, -1.09),
        margin: 0.5,
        decimals: 2,
    };

    /// True when a text contains characters that only typesetting adds.
    fn typeset(text: &str) -> bool {
        !text.contains(" %") && !text.contains(" ms") && !text.contains(" -") && (text.contains(MINUS) || text.contains(SPACE))
    }

    fn plain(text: String) -> String {
        assert!(typeset(&text), "{text}");
        text.replace(SPACE, " ")
    }

    #[test]
    fn better_and_worse() {
        assert_eq!(
            plain(differs(&P99)),
            "Without the NGINX hop, p99 latency falls by 1.32 ms (95 % interval 1.05 to 1.61), more than the 0.5 ms declared beforehand."
        );
        let worse = Measured { estimate: 0.84, wide: (0.31, 1.09), narrow: (0.4, 1.0), ..P99 };
        assert_eq!(
            plain(differs(&worse)),
            "Without the NGINX hop, p99 latency rises by 0.84 ms (95 % interval 0.31 to 1.09); whether by more than 0.5 ms is open."
        );
    }

    #[test]
    fn the_same_within_the_margin_even_off_zero() {
        let same = Measured { estimate: -0.08, wide: (-0.24, 0.08), narrow: (-0.21, 0.05), ..P99 };
        let text = "p99 latency is the same within 0.5 ms: −0.08 ms (90 % interval −0.21 to +0.05).";
        assert_eq!(plain(equivalent(&same)), text);
        let off = Measured { wide: (-0.24, -0.02), ..same };
        assert_eq!(plain(equivalent(&off)), format!("{text} A difference exists, too small to matter."));
    }

    #[test]
    fn what_cannot_be_told_names_its_price() {
        let open = Measured { estimate: -0.25, wide: (-0.9, 0.4), narrow: (-0.8, 0.3), decimals: 1, ..P99 };
        assert_eq!(plain(inconclusive(&open, 40)), "p99 latency may have changed by −0.9 to +0.4 ms; 40 windows cannot tell.");
        assert_eq!(
            plain(what_it_takes(&open, Some(0.9), Some((130, "6.5 minutes".into())))),
            "This run could have found 0.9 ms or more. To find 0.5 ms: about 130 windows, 6.5 minutes."
        );
        assert_eq!(invalid("before differs from itself by 0.7 ms"), "No verdict: before differs from itself by 0.7 ms.");
    }

    #[test]
    fn a_pass_and_its_bound() {
        assert_eq!(
            passed(Some("five WAS pods were killed"), "load", 2_999, 94),
            "Five WAS pods were killed under load, and none of 2,999 requests failed; 94 were answered only after a retry."
        );
        assert_eq!(passed(None, "load", 600, 0), "Under load, none of 600 requests failed.");
        assert_eq!(plain(bound(0.000_998)), "The failure rate is below 0.10 % (upper 95 % bound).");
        assert_eq!(
            control("with the gateway's retries off", 25, 3_249),
            "The same with the gateway's retries off loses 25 of 3,249, so the test can fail."
        );
    }

    #[test]
    fn what_did_not_pass() {
        assert_eq!(
            lost(12, 2_999, Some("WAS pods died"), 0),
            "12 of 2,999 requests failed when WAS pods died; none was allowed to."
        );
        assert_eq!(lost(12, 2_999, None, 3), "12 of 2,999 requests failed; at most 3 were.");
        assert_eq!(skipped("the kernel has no netem"), "Not run: the kernel has no netem.");
        assert_eq!(error("the API server did not answer for 60 s."), "Not finished: the API server did not answer for 60 s.");
        assert_eq!(TOOL_FAILED, "The tool failed, not the system under test.");
        assert_eq!(
            broken("The tail stays short", Some("812 ms"), "at most 600 ms"),
            "Not so: The tail stays short. Expected at most 600 ms, measured 812 ms."
        );
        for text in [lost(1, 2, None, 0), proves_nothing(1), differs(&P99)] {
            assert!(!text.contains("significant") && !text.contains("no difference"));
        }
    }
}
