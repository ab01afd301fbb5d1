//! A comparison's line in the summary of a report.

use super::estimate::{bounds, places, short};
use super::model::{Kind, Line, Verdict};
use super::number::{SPACE, signed, typeset};
use super::sentence::{capital, of as part_of};
use super::terminal;
use crate::compare::record::Comparison;
use crate::compare::{self, Margin};

/// Most windows that the command line accepts.
const LONGEST_RUN: u64 = 500;

/// The verdict of a comparison, as one of the verdicts of all results.
fn verdict(of: &Comparison) -> Verdict {
    match of.verdict {
        compare::Verdict::Better => Verdict::Better,
        compare::Verdict::Worse => Verdict::Worse,
        compare::Verdict::Equivalent => Verdict::Equivalent,
        compare::Verdict::Inconclusive => Verdict::Inconclusive,
        compare::Verdict::Invalid => Verdict::Invalid,
    }
}

/// The line in the summary.
pub fn line(of: &Comparison, index: usize, id: String) -> Line {
    let verdict = verdict(of);
    // names are in backticks in records
    let sentence = typeset(&terminal::verdict(of)).replace('`', "");
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
        about: of.declaration.content.hypothesis.replace('`', ""),
        verdict,
        headline: headline(of, verdict),
        sentence,
        more: more(of, verdict),
        key,
        bound,
        beside: format!("margin {}", margin(of)),
    }
}

/// The margin as it was declared, in milliseconds or as a share of the first arm's value, which is then given after it.
pub fn margin(of: &Comparison) -> String {
    let ms = |ms: f64| format!("{}{SPACE}ms", super::number::plain((ms * 1e3).round() / 1e3));
    match of.declaration.content.margin {
        Margin::Time(_) => ms(of.declaration.content.margin.ms(0.0)),
        Margin::Share(share) => {
            let known = of.metrics.first().and_then(|primary| primary.margin_ms);
            let known = known.map(|margin| format!(" ({})", ms(margin))).unwrap_or_default();
            format!("{}{known}", super::number::share(share.0))
        }
    }
}

/// The sentences after the first: why it does not count, or what else was found and how many requests failed.
fn more(of: &Comparison, verdict: Verdict) -> Vec<String> {
    let whole = |text: &str| format!("{}.", typeset(capital(text).trim_end_matches('.')));
    if verdict == Verdict::Invalid {
        return of.reasons.iter().skip(1).map(|reason| whole(reason)).chain(likely_cause(of).map(str::to_owned)).collect();
    }
    let mut more = Vec::new();
    if verdict == Verdict::Inconclusive {
        more.extend(terminal::what_it_takes(of));
        more.push(match of.metrics.first().and_then(|primary| primary.windows_needed) {
            Some(windows) if windows <= LONGEST_RUN => format!("Ask again with `--windows {windows}`."),
            _ => "No run is that long: a quieter machine, or a margin that is not so narrow, helps.".to_owned(),
        });
    }
    more.extend(the_same_at(of));
    more.extend(super::claim::sum(of));
    let counts = of.arms.iter().map(|arm| part_of(arm.failed, arm.requests)).collect::<Vec<_>>();
    match counts.as_slice() {
        [a, b] if a == b => more.push(format!("Failures: {a} in both arms.")),
        [a, b] => more.push(format!("Failures: {a} and {b}.")),
        _ => {}
    }
    more
}

/// Secondary metrics with the same verdict as the primary.
fn the_same_at(of: &Comparison) -> Option<String> {
    let (primary, secondary) = of.metrics.split_first()?;
    if matches!(primary.verdict?, compare::Verdict::Inconclusive | compare::Verdict::Invalid) {
        return None;
    }
    let agreeing = secondary.iter().filter(|metric| metric.verdict == primary.verdict).filter_map(|metric| {
        let estimate = metric.estimate.as_ref()?;
        let percent = metric.relative.map(|share| format!(", {}{SPACE}%", signed(share * 100.0, 0))).unwrap_or_default();
        Some(format!("{} ({}{SPACE}ms{percent})", short(metric.metric), signed(estimate.value, places(primary))))
    });
    let agreeing: Vec<String> = agreeing.collect();
    (!agreeing.is_empty()).then(|| format!("The same holds at {}.", listed(&agreeing)))
}

/// The most likely reason why a check did not hold, and what helps.
fn likely_cause(of: &Comparison) -> Option<&'static str> {
    if of.incomplete {
        return None;
    }
    let broken = of.checks.iter().find(|check| check.decides && check.holds != Some(true))?;
    Some(match broken.id.as_str() {
        "generator" => {
            "This machine is too slow or too busy for times this short: an idle machine or fewer requests a second help."
        }
        "failures" => "An arm that fails is not compared: its errors would count as answers.",
        "void-windows" | "enough-windows" => "Something else kept this machine busy: run it again when it is idle.",
        "enough-requests" => "Longer windows or more requests a second are needed.",
        "same-arm" => "Something besides the arms changed while they were measured: an idle machine or longer windows help.",
        "blocks" => "The arms disturb each other where they are asked at the same time.",
        _ => return None,
    })
}

/// What the verdict leaves open, and what this run could not find out, in sentences.
pub fn not_shown(of: &Comparison) -> Option<String> {
    let open: Vec<String> =
        of.metrics.iter().filter(|metric| metric.not_judged.is_some()).map(|metric| short(metric.metric).to_owned()).collect();
    let mut parts = Vec::new();
    if !open.is_empty() {
        parts.push(format!("{}, for which a window holds too few requests.", listed(&open)));
    }
    let others = of.notes.iter().filter(|note| !note.contains(" is not judged: "));
    parts.extend(others.map(|note| format!("{}.", capital(&typeset(note)))));
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
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
        Verdict::Equivalent => format!("{subject} is the same within {}", margin(of)),
        Verdict::Inconclusive => format!("{subject} may or may not have changed"),
        _ => format!("{} has no verdict", of.name),
    }
}

/// The arms' names, first arm first.
pub fn names(of: &Comparison) -> [&str; 2] {
    [0, 1].map(|arm| of.declaration.content.arms.get(arm).map_or("", |arm| arm.name.as_str()))
}

/// A name short enough for a figure.
pub fn brief(name: &str) -> String {
    const LONGEST: usize = 16;
    if name.chars().count() <= LONGEST { name.to_owned() } else { name.chars().take(LONGEST - 1).chain(['…']).collect() }
}

/// Why a metric is not judged, in a few words: `600 of 3,688`.
pub fn too_few(why: &str) -> String {
    let short = why.strip_suffix(" requests a window").unwrap_or(why);
    let number = |word: &str| word.parse().map_or_else(|_| word.to_owned(), super::number::count);
    short.split(' ').map(number).collect::<Vec<_>>().join(" ")
}
