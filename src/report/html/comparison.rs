//! A comparison's part of the page: the verdict, what was declared, and how it is known.

use maud::{Markup, html};

use super::figure::checks::Check;
use super::figure::{self, Head};
use super::{Heading, Key, Page, header};
use crate::compare::record::Comparison;
use crate::report::estimate::{ends, places, short};
use crate::report::model::{Line, Verdict};
use crate::report::number::{clock, count, fixed, interval, plain, signed, typeset};
use crate::report::sentence::of as part_of;

/// The part.
pub fn section(page: &Page, line: &Line, of: &Comparison, alone: bool) -> Markup {
    let reason = line.sentence.strip_prefix("No verdict: ").unwrap_or(&line.sentence);
    let page = &Page { void: (line.verdict == Verdict::Invalid).then_some(reason), ..*page };
    let id = |name: &str| format!("{}-{name}", line.id);
    html! {
        section.part.page[!alone].alone[alone] id=(line.id) aria-labelledby=(format!("{}-h", line.id)) {
            div.in {
                @if !alone { (head(line, of, Heading::Second)) }
                (hole(page, &id("paths"), "The two paths", "No path evidence.", "The arms are two addresses; what lies behind them was not looked at."))
                (figure::interval::draw(page, &id("interval"), of))
                (figure::shift::draw(page, &id("shift"), of))
                (figure::windows::draw(page, &id("windows"), of))
                (hole(page, &id("hops"), "Where the difference sits", "No decomposition.", "No access log of a hop was matched with the requests."))
                (hole(page, &id("resources"), "What the arms use", "No resources.", "No kubelet was asked for its figures."))
                (figure::checks::draw(page, &id("checks"), &of.name, "the comparison", &checks(of)))
            }
        }
    }
}

fn hole(page: &Page, id: &str, finding: &str, what: &str, why: &str) -> Markup {
    figure::missing(page, &Head { id, finding, reading: "Would stand here." }, what, why)
}

/// The heading, key numbers, and the sealed declaration.
pub fn head(line: &Line, of: &Comparison, heading: Heading) -> Markup {
    let declared = &of.declaration.content;
    let sealed = of.declaration.sha256.as_str();
    html! {
        (header(line, heading, &line.more, None, &keys(line, of)))
        p.sealed {
            "Declared at " (clock(of.declaration.sealed)) " UTC, before the first request: " (declared.metric.name())
            ", margin " (typeset(&declared.margin.to_string())) ", level " (plain(declared.alpha * 100.0)) "\u{202f}%, at most "
            (count(u64::from(declared.windows))) " windows. Sealed as " code.seal { "sha256:" (sealed) } "."
        }
    }
}

fn keys(line: &Line, of: &Comparison) -> Vec<Key> {
    let counts = |line: &Line| line.verdict != Verdict::Invalid;
    let judged = of.metrics.iter().filter(|metric| counts(line) && metric.not_judged.is_none()).take(3);
    let mut keys: Vec<Key> = judged
        .filter_map(|metric| {
            let estimate = metric.estimate.as_ref()?;
            let (places, (low, high)) = (places(metric), ends(estimate));
            let value = |value: Option<f64>| value.map_or_else(|| "failed".to_owned(), |value| fixed(value, places));
            let name = format!("{}{}", short(metric.metric), if metric.primary { ", primary" } else { "" });
            let lines = vec![interval(low, high, places), format!("from {} to {}", value(metric.a_ms), value(metric.b_ms))];
            Some(Key::new(&name, signed(estimate.value, places), "ms".to_owned(), lines))
        })
        .collect();
    let void = vec![format!("of {} measured", count(of.void.of))];
    keys.push(Key::new("Void windows", count(of.void.windows), String::new(), void));
    let failed = of.arms.iter().map(|arm| format!("{}: {}", arm.name, part_of(arm.failed, arm.requests))).collect();
    let all: u64 = of.arms.iter().map(|arm| arm.failed).sum();
    keys.push(Key::new("Requests failed", count(all), String::new(), failed));
    keys.truncate(4);
    keys
}

fn checks(of: &Comparison) -> Vec<Check> {
    let check = |check: &crate::compare::record::CheckRecord| Check {
        name: super::super::sentence::capital(&check.title),
        measured: typeset(&check.measured),
        limit: typeset(&check.limit),
        share: None,
        held: check.holds,
    };
    of.checks.iter().map(check).collect()
}
