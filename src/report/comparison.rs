//! What a comparison comes to: its line in a report's summary.

use super::estimate::{bounds, places, short};
use super::model::{Kind, Line, Verdict};
use super::number::{SPACE, signed, typeset};
use super::terminal;
use crate::compare;
use crate::compare::record::Comparison;

/// How a comparison ended, among all kinds of results.
fn verdict(of: &Comparison) -> Verdict {
    match of.verdict {
        compare::Verdict::Better => Verdict::Better,
        compare::Verdict::Worse => Verdict::Worse,
        compare::Verdict::Equivalent => Verdict::Equivalent,
        compare::Verdict::Inconclusive => Verdict::Inconclusive,
        compare::Verdict::Invalid => Verdict::Invalid,
    }
}

/// One line of the summary.
pub fn line(of: &Comparison, index: usize, id: String) -> Line {
    let verdict = verdict(of);
    let sentence = typeset(&terminal::verdict(of));
    let primary = of.metrics.first().filter(|_| verdict != Verdict::Invalid);
    let estimate = primary.and_then(|metric| metric.estimate.as_ref());
    // a result that does not count has no estimate in headlines or lists
    let (key, bound) = match (primary, estimate) {
        (Some(metric), Some(estimate)) => {
            let places = places(metric);
            let key = format!("{} {}{SPACE}ms", short(metric.metric), signed(estimate.value, places));
            (key, format!("({})", bounds(estimate, places)))
        }
        _ => (String::new(), sentence.clone()),
    };
    Line {
        id,
        kind: Kind::Comparison,
        index,
        name: of.name.clone(),
        about: of.declaration.content.hypothesis.clone(),
        verdict,
        headline: headline(of, verdict),
        sentence,
        more: of.reasons.iter().skip(1).chain(&of.notes).map(|note| format!("{}.", super::sentence::capital(note))).collect(),
        key,
        bound,
        beside: format!("margin {}", of.declaration.content.margin),
    }
}

fn headline(of: &Comparison, verdict: Verdict) -> String {
    let arms = &of.declaration.content.arms;
    let subject = format!("From {} to {}, {}", arms[0].name, arms[1].name, short(of.declaration.content.metric));
    let estimate = of.estimate.as_ref().map_or(f64::NAN, |estimate| estimate.value.abs());
    let places = of.metrics.first().map_or(1, places).saturating_sub(1);
    let size = format!("{}{SPACE}ms", super::number::fixed(estimate, places));
    match verdict {
        Verdict::Better => format!("{subject} falls by {size}"),
        Verdict::Worse => format!("{subject} rises by {size}"),
        Verdict::Equivalent => format!("{subject} is the same within {}", of.declaration.content.margin),
        Verdict::Inconclusive => format!("{subject} may or may not have changed"),
        _ => format!("{} has no verdict", of.name),
    }
}
