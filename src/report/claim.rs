//! Published figures and what was measured: the words that all renderers use.

use super::estimate::{bounds, ends};
use super::number::{SPACE, decimals, fixed, plain, signed, words};
use crate::compare::record::Comparison;
use crate::compare::{Claim, ClaimRecord, Judgement};

/// What was claimed: `mean 85 → 67 ms`.
pub fn claimed(claim: Claim) -> String {
    match claim {
        Claim::Mean(mean) => {
            let [before, after] = [mean.before, mean.after].map(|span| plain(span.0.as_secs_f64() * 1e3));
            format!("mean {before} → {after}{SPACE}ms, {} requests", mean.requests)
        }
        Claim::Pods(pods) => format!("{} pods", signed(f64::from(pods), 0)),
        Claim::Memory(memory) => format!("{}{SPACE}Mi of memory", signed_plain(memory.0)),
    }
}

/// What was measured: `8.00 → 6.00 ms: −2.00 ms (95 % interval −2.14 to −1.86)`; pods are counted and have no interval.
pub fn measured(of: &ClaimRecord) -> String {
    let Some(((a, b), estimate)) = of.a.zip(of.b).zip(of.estimate.as_ref()) else { return "nothing".to_owned() };
    let unit = &estimate.unit;
    if let Claim::Pods(_) = of.claim {
        return format!("{} → {}{SPACE}{unit}: {}", plain(a), plain(b), signed(estimate.value, 0));
    }
    let (low, high) = ends(estimate);
    let places = decimals((high - low) / 2.0);
    let difference = signed(estimate.value, places);
    let both = format!("{} → {}{SPACE}{unit}", fixed(a, places), fixed(b, places));
    format!("{both}: {difference}{SPACE}{unit} ({})", bounds(estimate, places))
}

/// How many lines are confirmed, in a sentence; none without a claim.
pub fn sum(of: &Comparison) -> Option<String> {
    let all = of.claim.len() as u64;
    let count = |judgement| of.claim.iter().filter(|line| line.judgement == judgement).count() as u64;
    let unmeasured = match count(Judgement::NotMeasured) {
        0 => String::new(),
        some => format!(", and {} not measured", words(some)),
    };
    let of = if all == 1 { "the one figure".to_owned() } else { format!("the {} figures", words(all)) };
    (all > 0).then(|| format!("Of {of} that were claimed, {} confirmed{unmeasured}.", words(count(Judgement::Confirmed))))
}

/// Without needless zeros, with its sign.
fn signed_plain(value: f64) -> String {
    let text = plain(value);
    if value > 0.0 { format!("+{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::record::Estimate;
    use crate::compare::{MeanClaim, Method};

    fn line(claim: Claim, (a, b): (f64, f64), unit: &str, (low, high): (f64, f64)) -> ClaimRecord {
        let estimate =
            Estimate { of: String::new(), value: b - a, unit: unit.into(), low: Some(low), high: Some(high), level: 0.95 };
        let judgement = Judgement::NotConfirmed;
        ClaimRecord { claim, judgement, a: Some(a), b: Some(b), estimate: Some(estimate), why: String::new() }
    }

    #[test]
    fn a_line_says_what_was_claimed_and_what_was_measured() {
        let (before, after) = ("85 ms".parse().expect("a time"), "67 ms".parse().expect("a time"));
        let mean = Claim::Mean(MeanClaim { before, after, method: Method::Sequential, requests: 100 });
        let of_memory = |text: &str| Claim::Memory(text.parse().expect("memory"));
        let memory = of_memory("-128 Mi");
        let told = [mean, Claim::Pods(-1), memory, of_memory("512Ki")].map(|claim| claimed(claim).replace(SPACE, " "));
        assert_eq!(told, ["mean 85 → 67 ms, 100 requests", "−1 pods", "−128 Mi of memory", "+0.5 Mi of memory"]);
        let told = |line: &ClaimRecord| measured(line).replace(SPACE, " ");
        assert_eq!(
            told(&line(mean, (8.0, 6.0), "ms", (-2.14, -1.86))),
            "8.00 → 6.00 ms: −2.00 ms (95 % interval −2.14 to −1.86)"
        );
        assert_eq!(
            told(&line(memory, (61.5, 0.0), "Mi", (-67.9, -55.1))),
            "61.5 → 0.0 Mi: −61.5 Mi (95 % interval −67.9 to −55.1)"
        );
        assert_eq!(told(&line(Claim::Pods(-1), (1.0, 0.0), "pods", (-1.0, -1.0))), "1 → 0 pods: −1");
        let nothing = ClaimRecord { a: None, b: None, estimate: None, ..line(memory, (1.0, 1.0), "Mi", (0.0, 0.0)) };
        assert_eq!(told(&nothing), "nothing");
    }
}
