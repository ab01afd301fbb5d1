//! A scenario's part of the page: the verdict, and the evidence.

use maud::{Markup, PreEscaped, html};

use super::figure::{self, Head};
use super::table::{Table, numbers, text, words};
use super::validity;
use super::{Heading, Key, Page, header};
use crate::report::model::{Line, Verdict};
use crate::report::number::{amount, below, count, fixed, time, times, words as in_words};
use crate::report::seen::{self, Fault};
use crate::report::sentence::{capital, of, plural};
use crate::report::story::bound;
use crate::scenario::RunRecord;
use crate::scenario::record::{AssertionRecord, TrialRecord};

/// The claim or its control.
pub struct Side<'a> {
    /// Its name in the heading of a column.
    pub name: &'static str,
    /// The tag above its own heading.
    pub tag: &'static str,
    /// Its own heading.
    pub heading: String,
    /// Prefix of captions; unique on the page.
    pub caption: String,
    /// The record of the trial.
    pub trial: &'a TrialRecord,
    /// The faults that were injected.
    pub faults: Vec<Fault>,
}

/// Both sides, the claim first; empty if nothing was measured.
fn sides(run: &RunRecord) -> Vec<Side<'_>> {
    let caption = |side: &str| format!("{}, {side}", run.scenario);
    let claim = run.trial.as_ref().map(|trial| Side {
        name: "Claim",
        tag: "the claim",
        heading: "As it is".to_owned(),
        caption: caption("claim"),
        faults: seen::faults(trial),
        trial,
    });
    let control = run.control.as_ref().map(|control| Side {
        name: "Control",
        tag: "negative control: must fail",
        heading: capital(control.title.trim_end_matches('.')),
        caption: caption("control"),
        faults: seen::faults(&control.trial),
        trial: &control.trial,
    });
    // a control without its claim is not drawn: there is nothing to compare it with
    match claim {
        Some(claim) => std::iter::once(claim).chain(control).collect(),
        None => Vec::new(),
    }
}

/// The part, with its heading unless the heading of the page is the same.
pub fn section(page: &Page, line: &Line, run: &RunRecord, alone: bool) -> Markup {
    let page = &Page { void: (line.verdict == Verdict::Invalid).then(|| reason(line)), ..*page };
    let sides = sides(run);
    html! {
        section.part.page[!alone].alone[alone] id=(line.id) aria-labelledby=(format!("{}-h", line.id)) {
            div.in {
                @if !alone { (head(line, run, Heading::Second)) }
                @if sides.is_empty() { (nothing(page, line)) } @else { (figures(page, line, run, &sides)) }
            }
        }
    }
}

/// Why it does not count, without the words that introduce the reason.
fn reason(line: &Line) -> &str {
    line.sentence.strip_prefix("No verdict: ").unwrap_or(&line.sentence)
}

/// The head: badge, sentence, further sentences, key numbers.
pub fn head(line: &Line, run: &RunRecord, heading: Heading) -> Markup {
    let sides = sides(run);
    let mut more = line.more.clone();
    more.extend(run.trial.as_ref().filter(|_| line.verdict == Verdict::Fail).and_then(seen::cause));
    let besides = besides(&sides);
    header(line, heading, &more, besides.as_deref().map(|seen| ("Seen besides:", seen)), &keys(&sides))
}

fn nothing(page: &Page, line: &Line) -> Markup {
    let id = format!("{}-nothing", line.id);
    let head = Head { id: &id, finding: "What was measured", reading: "Load, faults and expectations would stand here." };
    figure::missing(page, &head, "No measurement.", "The run ended before the load began.")
}

fn figures(page: &Page, line: &Line, run: &RunRecord, sides: &[Side]) -> Markup {
    let id = |name: &str| format!("{}-{name}", line.id);
    let faults = sides[0].faults.len() as u64;
    let timeline = match (sides.len(), faults) {
        (1, _) => "Every request, by the moment it was due".to_owned(),
        (_, 0) => "The same load, with and without what the claim rests on".to_owned(),
        (_, faults) => {
            let noun = sides[0].faults[0].noun.as_str();
            format!(
                "The same {}, with and without what the claim rests on",
                plural(faults, noun, &format!("{} {noun}s", in_words(faults)))
            )
        }
    };
    html! {
        (figure::counters::draw(page, &id("counters"), sides, &run.method))
        (figure::timeline::draw(page, &id("timeline"), &timeline, sides))
        (figure::ledger::draw(page, &id("ledger"), sides))
        (figure::expectations::draw(page, &id("expectations"), &sides[0], run.control.as_ref()))
        (failures(&sides[0]))
        (figure::faults::draw(page, &id("faults"), sides))
        (figure::phases::draw(page, &id("phases"), sides, run.method.timeout_ms))
        (figure::checks::draw(page, &id("checks"), &run.scenario, "the scenario", &validity::checks(run, sides)))
    }
}

/// What no expectation covers.
fn besides(sides: &[Side]) -> Option<String> {
    let slow = |side: &Side| {
        let slow = &side.trial.timeline.as_ref()?.slow;
        let longest = slow.iter().map(|(_, latency, _)| *latency).fold(f64::MIN, f64::max);
        let shortest = slow.iter().map(|(_, latency, _)| *latency).fold(f64::MAX, f64::min);
        let number = slow.len() as u64;
        let waited = if number == 1 { time(longest) } else { times(shortest, longest) };
        let place = if side.name == "Control" { "in the control, " } else { "" };
        (number > 0).then(|| {
            format!(
                "{place}{} {} waited {waited} before {} answered",
                in_words(number),
                plural(number, "request", "requests"),
                plural(number, "it was", "they were")
            )
        })
    };
    let seen: Vec<String> = sides.iter().filter_map(slow).collect();
    (!seen.is_empty()).then(|| format!("{}.", seen.join("; ")))
}

/// Up to four key numbers, depending on the kind of scenario.
fn keys(sides: &[Side]) -> Vec<Key> {
    let Some(claim) = sides.first() else { return Vec::new() };
    let trial = claim.trial;
    let mut keys = Vec::new();
    if trial.requests > 0 {
        let mut lines: Vec<String> =
            trial.failure_rate_upper95.iter().map(|upper| format!("below {} (95\u{202f}%)", below(*upper))).collect();
        lines.extend(sides.get(1).map(|control| format!("control: {}", of(control.trial.failed, control.trial.requests))));
        keys.push(Key::new("Requests lost", count(trial.failed), format!("of {}", count(trial.requests)), lines));
    }
    if trial.repeated > 0 {
        keys.push(Key::new("Answered after a retry", count(trial.repeated), String::new(), attempts(trial)));
    }
    if !claim.faults.is_empty() {
        let hit = claim.faults.iter().filter(|fault| fault.hit).count() as u64;
        let flights = claim.faults.iter().map(|fault| fault.in_flight);
        let (least, most) = (flights.clone().min().unwrap_or(0), flights.max().unwrap_or(0));
        let range = if least == most { count(least) } else { format!("{} to {}", count(least), count(most)) };
        let noun = claim.faults[0].noun.as_str();
        let lines = vec![format!("{range} requests in flight"), format!("at each {noun}")];
        let of = format!("of {}", claim.faults.len());
        keys.push(Key::new(&format!("{}s that hit traffic", capital(noun)), count(hit), of, lines));
    }
    if let Some(recovery) = trial.recovery_ms {
        let bound = trial.assertions.iter().find(|one| one.measured.as_ref().is_some_and(|m| m.value == recovery)).map(bound);
        let mut lines = vec!["from the last fault".to_owned()];
        lines.extend(bound.map(|bound| format!("bound: {bound}")));
        keys.push(Key::new("Steady again after", fixed(recovery / 1e3, 1), "s".to_owned(), lines));
    }
    let taken = |one: &&AssertionRecord| {
        let measured = one.measured.as_ref().map_or(f64::NAN, |measured| measured.value);
        measured != trial.failed as f64 && trial.recovery_ms != Some(measured)
    };
    for one in trial.assertions.iter().filter(taken).take(4usize.saturating_sub(keys.len())) {
        let measured = one.measured.as_ref().map_or_else(|| "not measured".to_owned(), |m| amount(m.value, &m.unit));
        let (number, unit) = measured.split_once('\u{202f}').unwrap_or((&measured, ""));
        keys.push(Key::new(&one.id, number.to_owned(), unit.to_owned(), vec![format!("bound: {}", bound(one))]));
    }
    keys
}

fn attempts(trial: &TrialRecord) -> Vec<String> {
    const ORDINALS: [&str; 4] = ["second", "third", "fourth", "fifth"];
    let Some(timeline) = &trial.timeline else { return Vec::new() };
    let at = |attempt: u8| timeline.retried.iter().filter(|(_, _, of)| *of == attempt).count() as u64;
    let parts = ORDINALS.iter().zip(2u8..).map(|(word, attempt)| (word, at(attempt))).filter(|(_, number)| *number > 0);
    parts.map(|(word, number)| format!("{} at the {word} attempt", count(number))).collect()
}

/// The first failed requests, as evidence.
fn failures(claim: &Side) -> Markup {
    let failures = &claim.trial.failures;
    if failures.is_empty() {
        return PreEscaped(String::new());
    }
    let caption = format!("{}: the first {} of {} failed requests", claim.caption, failures.len(), count(claim.trial.failed));
    let columns = vec![words("Request"), numbers("Due at"), numbers("Failed after"), words("Outcome"), numbers("Status")];
    let mut table = Table::new(caption, columns);
    for failure in failures {
        table.row(vec![
            html! { code { (failure.request_id) } },
            text(seen::after_start(failure.scheduled_ms)),
            text(time(failure.done_ms - failure.scheduled_ms)),
            text(&failure.outcome),
            text(failure.status.map_or_else(|| "none".to_owned(), |status| status.to_string())),
        ]);
    }
    table.folded("the first failed requests")
}

/// A small picture: faults of the claim above those of the control, with a cross where requests were lost.
pub fn picture(run: &RunRecord) -> Option<Markup> {
    let sides = sides(run);
    let last = sides.iter().flat_map(|side| &side.trial.parts).map(|part| part.to_ms).fold(0.0, f64::max);
    if last <= 0.0 {
        return None;
    }
    let mut svg = super::svg::Svg::new();
    for (at, side) in sides.iter().enumerate() {
        let top = 19.0 * at as f64;
        svg.boxed("pan", (0.0, 190.0), (top, 14.0), 0.0);
        for (number, fault) in side.faults.iter().enumerate() {
            let x = 190.0 * fault.at_ms / last;
            svg.line("kl", (super::svg::X::Px(x), top), (super::svg::X::Px(x), top + 14.0));
            let to = side.faults.get(number + 1).map_or(f64::MAX, |next| next.at_ms);
            let lost = side.trial.timeline.iter().flat_map(|timeline| &timeline.failed);
            if lost.clone().any(|(due, _)| *due >= fault.at_ms && *due < to) || fault.lost > 0 {
                svg.mark("fs", super::svg::X::Px(x + 7.0), top + 7.0);
            }
        }
        if side.faults.is_empty() && side.trial.failed > 0 {
            svg.mark("fs", super::svg::X::Px(95.0), top + 7.0);
        }
    }
    let label = sides.iter().map(|side| {
        let faults = side.faults.len() as u64;
        let noun = plural(faults, "fault", "faults");
        format!("{}: {} {noun}, {} requests lost", side.name, in_words(faults), of(side.trial.failed, side.trial.requests))
    });
    Some(svg.icon((190, if sides.len() > 1 { 34 } else { 14 }), Some(&label.collect::<Vec<_>>().join("; "))))
}
