//! A scenario's record in sentences: the verdict, what can be relied on, and the number that decided.

use super::model::{Kind, Line, Verdict};
use super::number::{amount, below, count, limit, typeset, words};
use super::sentence::{self, capital, of, plural};
use crate::scenario::record::{AssertionRecord, Cleanup, ControlRecord, FaultWords, TrialRecord};
use crate::scenario::{self, RunRecord};

/// The verdict of a scenario, as one of the verdicts of all results.
fn verdict(run: &RunRecord) -> Verdict {
    match run.verdict {
        scenario::Verdict::Pass => Verdict::Pass,
        scenario::Verdict::Fail => Verdict::Fail,
        scenario::Verdict::Skipped => Verdict::Skipped,
        scenario::Verdict::Invalid => Verdict::Invalid,
        scenario::Verdict::Inconclusive => Verdict::Inconclusive,
        scenario::Verdict::Error => Verdict::Error,
    }
}

/// The line in the summary.
pub fn line(run: &RunRecord, index: usize, id: String) -> Line {
    let sentence = sentence(run);
    let (key, bound, beside) = match (verdict(run), &run.trial) {
        (Verdict::Pass | Verdict::Fail | Verdict::Inconclusive, Some(trial)) => numbers(trial, run.control.as_ref()),
        _ => (String::new(), sentence.clone(), String::new()),
    };
    Line {
        id,
        kind: Kind::Scenario,
        index,
        name: run.scenario.clone(),
        about: run.title.clone(),
        verdict: verdict(run),
        headline: headline(run),
        sentence,
        more: more(run),
        key,
        bound,
        beside,
    }
}

fn numbers(trial: &TrialRecord, control: Option<&ControlRecord>) -> (String, String, String) {
    let key = of(trial.failed, trial.requests);
    let bound = match trial.failure_rate_upper95 {
        Some(upper) => format!("requests lost (below {})", below(upper)),
        None => "requests lost".to_owned(),
    };
    let beside = control.map(|control| {
        let trial = &control.trial;
        format!("{}: {} lost", without(control).unwrap_or("the control"), of(trial.failed, trial.requests))
    });
    (key, bound, beside.unwrap_or_else(|| "no control: nothing proves that it can fail".to_owned()))
}

/// The whole in one sentence.
fn sentence(run: &RunRecord) -> String {
    let reason = typeset(run.reasons.first().map_or("no reason is known", |reason| first_line(reason)));
    let reason = || reason.as_str();
    match (verdict(run), &run.trial) {
        (Verdict::Pass, Some(trial)) => held(trial),
        (Verdict::Fail, Some(trial)) => failed(trial).unwrap_or_else(|| capital(reason())),
        (Verdict::Inconclusive, _) => {
            let held = run.control.as_ref().map_or(0, |control| control.held.len() as u64);
            if held > 0 { sentence::proves_nothing(held) } else { sentence::invalid(reason()) }
        }
        (Verdict::Invalid, _) => sentence::invalid(reason()),
        (Verdict::Skipped, _) => sentence::skipped(reason()),
        (Verdict::Error, _) => sentence::error(reason()),
        _ => capital(reason()),
    }
}

fn held(trial: &TrialRecord) -> String {
    if trial.failed == 0 && trial.requests > 0 {
        let clause = faults(trial);
        return sentence::passed(clause.as_ref().map(|clause| clause.were.as_str()), "load", trial.requests, trial.repeated);
    }
    let expectations = trial.assertions.len() as u64;
    let all = plural(expectations, "The one expectation holds", "expectations hold");
    let all = if expectations == 1 { all.to_owned() } else { format!("All {} {all}", words(expectations)) };
    let lost = (trial.requests > 0).then(|| format!("; {} requests failed", of(trial.failed, trial.requests)));
    format!("{all}{}.", lost.unwrap_or_default())
}

fn failed(trial: &TrialRecord) -> Option<String> {
    let broken = trial.assertions.iter().find(|assertion| !assertion.holds && assertion.unknown.is_none());
    if let Some(assertion) = broken.filter(|assertion| counts_lost(assertion, trial)) {
        let clause = faults(trial);
        let when = clause.as_ref().map(|clause| clause.when.as_str());
        return Some(sentence::lost(trial.failed, trial.requests, when, assertion.bound.value as u64));
    }
    if let Some(assertion) = broken {
        let measured = assertion.measured.as_ref().map(|measured| amount(measured.value, &measured.unit));
        return Some(sentence::broken(&assertion.title, measured.as_deref(), &bound(assertion)));
    }
    trial.unrecovered.as_ref().map(|why| capital(&format!("{}.", why.trim_end_matches('.'))))
}

/// True when an expectation limits the number of failed requests.
fn counts_lost(assertion: &AssertionRecord, trial: &TrialRecord) -> bool {
    let limits = assertion.comparison == "==" || assertion.comparison == "<=";
    let measured = assertion.measured.as_ref().filter(|measured| measured.unit == "req");
    limits && trial.failed > 0 && measured.is_some_and(|measured| measured.value == trial.failed as f64)
}

/// `exactly 0 req`, `at most 30 s`.
pub fn bound(assertion: &AssertionRecord) -> String {
    let words = match assertion.comparison.as_str() {
        "==" => "exactly",
        ">=" => "at least",
        "<=" => "at most",
        other => other,
    };
    format!("{words} {}", limit(assertion.bound.value, &assertion.bound.unit))
}

/// The faults of a trial in three clauses.
pub struct Faults {
    /// `five WAS pods were killed`.
    pub were: String,
    /// `WAS pods died`.
    pub when: String,
    /// `WAS pods die`.
    pub whenever: String,
}

/// The injected faults; none if there were none. Faults of one kind are combined, the first kind first.
pub fn faults(trial: &TrialRecord) -> Option<Faults> {
    let first = &trial.faults.first()?.words;
    let alike: Vec<&FaultWords> =
        trial.faults.iter().map(|fault| &fault.words).filter(|words| words.done == first.done).collect();
    let number = alike.len() as u64;
    let subject = match alike.iter().all(|words| words.subject == first.subject) {
        true => spoken(&first.subject),
        // for several workloads: what they have in common
        false => first.subject.rsplit(' ').next().unwrap_or_default().to_owned(),
    };
    let many = format!("{subject}s");
    let were = format!("{} {} {}", words(number), plural(number, &format!("{subject} was"), &format!("{many} were")), first.done);
    let who = plural(number, &format!("a {subject}"), &many).to_owned();
    let does = plural(number, &first.does, &first.do_many);
    Some(Faults { were, when: format!("{who} {}", first.did), whenever: format!("{who} {does}") })
}

/// A subject as used in sentences, with the workload's display name.
fn spoken(subject: &str) -> String {
    match subject.split_once(' ') {
        Some((first, rest)) => format!("{} {rest}", display_name(first)),
        None => subject.to_owned(),
    }
}

/// The name of a workload of Hearth's sample application in sentences.
pub fn display_name(workload: &str) -> &str {
    match workload {
        "was" => "WAS",
        "mysql" => "MySQL",
        other => other,
    }
}

/// What the control went without, from its title: `The same kills with the gateway's retries switched off`.
pub fn without(control: &ControlRecord) -> Option<&str> {
    let title = control.title.trim_end_matches('.');
    title.find(" with ").or_else(|| title.find(" without ")).map(|at| title[at..].trim_start())
}

/// The sentences after the first: what can be relied on, and why.
fn more(run: &RunRecord) -> Vec<String> {
    let mut lines = Vec::new();
    match verdict(run) {
        Verdict::Pass => {
            lines.extend(run.trial.as_ref().and_then(|trial| trial.failure_rate_upper95).map(sentence::bound));
            lines.push(match &run.control {
                Some(control) => proof(control),
                None => "There is no control: nothing proves that the test can fail.".to_owned(),
            });
        }
        Verdict::Error => {
            lines.push(sentence::TOOL_FAILED.to_owned());
            lines.push(restored(&run.cleanup));
        }
        _ => lines.extend(run.reasons.iter().skip(1).map(|reason| format!("{}.", capital(&typeset(first_line(reason)))))),
    }
    lines
}

fn proof(control: &ControlRecord) -> String {
    let trial = &control.trial;
    match without(control) {
        Some(without) if trial.failed > 0 => sentence::control(without, trial.failed, trial.requests),
        _ => {
            let broken = control.must_fail.len() as u64;
            let what = format!("{} {}", words(broken), plural(broken, "expectation fails as it", "expectations fail as they"));
            format!("{}: {what} must, so the test can fail.", control.title.trim_end_matches('.'))
        }
    }
}

fn restored(cleanup: &Cleanup) -> String {
    match (cleanup.undone.len() as u64, cleanup.left.len() as u64) {
        (0, 0) => "Nothing had been changed.".to_owned(),
        (_, 0) => "Everything changed was restored.".to_owned(),
        (_, left) => {
            format!("{} {} could not be restored: {}.", count(left), plural(left, "change", "changes"), cleanup.left.join("; "))
        }
    }
}

fn headline(run: &RunRecord) -> String {
    let trial = run.trial.as_ref();
    let when = trial.and_then(faults).map(|clause| format!("When {}, ", clause.whenever)).unwrap_or_default();
    match (verdict(run), trial) {
        (Verdict::Pass, Some(trial)) if trial.failed == 0 && trial.requests > 0 => capital(&format!("{when}no request is lost")),
        (Verdict::Fail, Some(trial)) if trial.failed > 0 => {
            let requests = plural(trial.failed, "request is", "requests are");
            capital(&format!("{when}{} {requests} lost", words(trial.failed)))
        }
        (Verdict::Pass, _) => format!("{} holds", run.scenario),
        (Verdict::Fail, _) => format!("{} does not hold", run.scenario),
        (Verdict::Skipped, _) => format!("{} was not run", run.scenario),
        (Verdict::Error, _) => format!("{} was not finished", run.scenario),
        (_, _) => format!("{} has no verdict", run.scenario),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
