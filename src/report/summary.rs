//! The summary of a whole report: a headline, what can be relied on, and one line for each result, worst first.

use std::collections::BTreeSet;

use super::model::{Kind, Line, Summary};
use super::number::words;
use super::sentence::{capital, plural};
use super::{comparison, story};
use crate::compare::Comparison;
use crate::scenario::RunRecord;

/// Most results whose headlines fit into one.
const TOLD_WHOLE: usize = 2;

impl Summary {
    /// The summary of these results, or of the reason why there are none.
    pub(super) fn of(problem: Option<&str>, comparisons: &[Comparison], scenarios: &[RunRecord]) -> Summary {
        let mut ids = BTreeSet::new();
        let mut results: Vec<Line> = Vec::new();
        for (index, of) in comparisons.iter().enumerate() {
            results.push(comparison::line(of, index, unique(&of.name, &mut ids)));
        }
        for (index, run) in scenarios.iter().enumerate() {
            results.push(story::line(run, index, unique(&run.scenario, &mut ids)));
        }
        results.sort_by_key(|line| line.verdict);
        let headline = match (problem, results.as_slice()) {
            (Some(problem), _) => format!("Not finished: {}.", first_line(problem).trim_end_matches('.')),
            (None, []) => "Nothing was run.".to_owned(),
            (None, [only]) => only.sentence.clone(),
            (None, several) => headline(several),
        };
        let lines = if results.len() > 1 { lines(&results, scenarios) } else { String::new() };
        Summary { headline, lines, results }
    }
}

fn headline(results: &[Line]) -> String {
    let holding = results.iter().filter(|line| line.verdict.holds()).count();
    if results.len() <= TOLD_WHOLE {
        let parts = results.iter().enumerate().map(|(at, line)| match at {
            0 => format!("{}.", capital(&line.headline)),
            _ => format!("And {}.", uncapital(&line.headline)),
        });
        return parts.collect::<Vec<_>>().join(" ");
    }
    if holding == results.len() {
        return format!("All {} results hold.", words(results.len() as u64));
    }
    let verb = plural(holding as u64, "holds", "hold");
    format!(
        "{}. {} of {} results {verb}.",
        capital(&results[0].headline),
        capital(&words(holding as u64)),
        words(results.len() as u64)
    )
}

fn lines(results: &[Line], scenarios: &[RunRecord]) -> String {
    let compared = results.iter().filter(|line| line.kind == Kind::Comparison).count() as u64;
    let ran = scenarios.iter().filter(|run| run.trial.is_some()).count() as u64;
    let mut done = Vec::new();
    if compared > 0 {
        let what = plural(compared, "comparison measured both arms", "comparisons measured both arms");
        done.push(format!("{} {what} at the same moments", words(compared)));
    }
    if ran > 0 || compared == 0 {
        done.push(format!("{} {} under load", words(ran), plural(ran, "scenario ran", "scenarios ran")));
    }
    let mut text = format!("{}.", capital(&done.join("; ")));
    let doubtful = results.iter().filter(|line| line.verdict == super::model::Verdict::Invalid).count() as u64;
    text.push_str(&match doubtful {
        0 => " Every result passed its own checks".to_owned(),
        doubtful => {
            format!(" {} {} its own checks", capital(&words(doubtful)), plural(doubtful, "result failed", "results failed"))
        }
    });
    let controls = scenarios.iter().filter(|run| run.control.is_some()).count() as u64;
    text.push_str(&match controls {
        0 if ran == 0 => ".".to_owned(),
        0 => "; no scenario has a control that must fail.".to_owned(),
        controls if controls == ran && compared == 0 => ", and each was run against a control that must fail.".to_owned(),
        controls if controls == ran => ", and each scenario was run against a control that must fail.".to_owned(),
        controls => format!("; {} of {} scenarios have a control that must fail.", words(controls), words(ran)),
    });
    text
}

/// An anchor on the page: the name in letters, digits and hyphens, with a number if it is used already.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    // `r-` avoids clashes with the page's own sections
    let plain = format!("r-{}", plain.trim_matches('-'));
    let mut id = plain.clone();
    let mut number = 1;
    while !taken.insert(id.clone()) {
        number += 1;
        id = format!("{plain}-{number}");
    }
    id
}

fn uncapital(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        // a name in capitals stays in capitals
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_unique_and_plain() {
        let mut taken = BTreeSet::new();
        let ids = ["pod-kill", "Pod kill", "<b>\"x\""].map(|name| unique(name, &mut taken));
        assert_eq!(ids, ["r-pod-kill", "r-pod-kill-2", "r-b--x"]);
        assert_eq!([uncapital("When pods die"), uncapital("NGINX"), uncapital("pod")], ["when pods die", "NGINX", "pod"]);
    }
}
