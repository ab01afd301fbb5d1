//! A comparison's part of the page: the verdict, what was declared, and the evidence.

use maud::{Markup, html};

use super::figure::checks::Check;
use super::figure::{self, Head, tone};
use super::scale::Linear;
use super::svg::{Svg, X};
use super::{Heading, Key, Page, header};
use crate::compare::record::{CheckRecord, Comparison};
use crate::report::comparison::{margin, not_shown};
use crate::report::estimate::{ends, places, short};
use crate::report::model::{Line, Verdict};
use crate::report::number::{clock, count, fixed, interval, plain, signed, typeset};
use crate::report::sentence::of as part_of;

/// The part.
pub fn section(page: &Page, line: &Line, of: &Comparison, alone: bool) -> Markup {
    let reason = line.sentence.strip_prefix("No verdict: ").unwrap_or(&line.sentence);
    // what was sent, and the checks themselves, are valid in any case
    let (sound, page) = (page, &Page { void: (line.verdict == Verdict::Invalid).then_some(reason), ..*page });
    let id = |name: &str| format!("{}-{name}", line.id);
    html! {
        section.part.alone[alone] id=(line.id) aria-labelledby=(format!("{}-h", line.id)) {
            div.in {
                @if !alone { (head(line, of, Heading::Second)) }
                (figure::paths::draw(sound, &id("paths"), of))
                (figure::interval::draw(page, &id("interval"), of))
                div.two {
                    (figure::distribution::draw(page, &id("distribution"), of))
                    (figure::shift::draw(page, &id("shift"), of))
                }
                (figure::windows::draw(page, &id("windows"), of))
                (figure::claim::draw(page, &id("claim"), of))
                div.two.even {
                    (hole(page, &id("hops"), ["Where the difference sits", "The mean time that each hop adds."], "No decomposition.", "No access log of a hop was matched with the requests."))
                    (figure::resources::draw(page, &id("resources"), of))
                }
                (figure::checks::draw(sound, &id("checks"), &of.name, "the comparison", &checks(of)))
            }
        }
    }
}

fn hole(page: &Page, id: &str, [finding, reading]: [&str; 2], what: &str, why: &str) -> Markup {
    figure::missing(page, &Head { id, finding, reading }, what, why)
}

/// The heading, key numbers, and the sealed declaration.
pub fn head(line: &Line, of: &Comparison, heading: Heading) -> Markup {
    let declared = &of.declaration.content;
    let sealed = of.declaration.sha256.as_str();
    let open = not_shown(of);
    html! {
        (header(line, heading, &line.more, open.as_deref().map(|open| ("Not shown:", open)), &keys(line, of)))
        p.sealed {
            "Declared at " (clock(of.declaration.sealed)) " UTC, before the first request: " (short(declared.metric))
            ", margin " (margin(of)) ", level " (plain(declared.alpha * 100.0)) "\u{202f}%, at most "
            (count(u64::from(declared.windows))) " windows. Sealed as " code.seal { "sha256:" (sealed) } "."
        }
    }
}

fn keys(line: &Line, of: &Comparison) -> Vec<Key> {
    let counts = |line: &Line| line.verdict != Verdict::Invalid;
    let judged = of.metrics.iter().filter(|metric| counts(line) && metric.not_judged.is_none()).take(3);
    // as many decimals as the primary's, throughout
    let places = of.metrics.first().map_or(2, places);
    let mut keys: Vec<Key> = judged
        .filter_map(|metric| {
            let estimate = metric.estimate.as_ref()?;
            let (low, high) = ends(estimate);
            let value = |value: Option<f64>| value.map_or_else(|| "failed".to_owned(), |value| fixed(value, places));
            let name = format!("{}{}", short(metric.metric), if metric.primary { ", primary" } else { "" });
            let lines = vec![interval(low, high, places), format!("from {} to {}", value(metric.a_ms), value(metric.b_ms))];
            Some(Key::new(&name, signed(estimate.value, places), "ms".to_owned(), lines))
        })
        .collect();
    let void = vec![format!("of {} measured", count(of.void.of))];
    if of.void.of > 0 {
        keys.push(Key::new("Void windows", count(of.void.windows), String::new(), void));
    }
    let failed = of.arms.iter().map(|arm| format!("{}: {}", arm.name, part_of(arm.failed, arm.requests))).collect();
    let all: u64 = of.arms.iter().map(|arm| arm.failed).sum();
    // of nothing sent, nothing failed
    if of.arms.iter().any(|arm| arm.requests > 0) {
        keys.push(Key::new("Requests failed", count(all), String::new(), failed));
    }
    keys.truncate(4);
    keys
}

fn checks(of: &Comparison) -> Vec<Check> {
    let limits = &of.declaration.content.validity;
    // for checks with an upper limit, how much of it was used
    let share = |check: &CheckRecord| match check.id.as_str() {
        "void-windows" if of.void.of > 0 => Some(of.void.windows as f64 / of.void.of as f64 / limits.void_share),
        "failures" => {
            let arm = of.arms.iter().find(|arm| check.title.ends_with(&format!("`{}`", arm.name)))?;
            Some(arm.failed as f64 / arm.requests.max(1) as f64 / limits.failed_share)
        }
        _ => None,
    };
    let check = |check: &CheckRecord| Check {
        name: super::super::sentence::capital(&check.title).replace('`', ""),
        measured: counted(&check.measured),
        limit: typeset(&check.limit),
        // if the limit is zero and nothing was used, there is no share
        share: share(check).filter(|share| share.is_finite()),
        held: check.holds,
    };
    of.checks.iter().map(check).collect()
}

/// A measured value, typeset: `2 of 24,000`.
fn counted(measured: &str) -> String {
    let counts = measured.split_once(" of ").and_then(|(part, whole)| part.parse().ok().zip(whole.parse().ok()));
    counts.map_or_else(|| typeset(measured), |(part, whole)| part_of(part, whole))
}

/// The primary metric's interval with the margin, as a small picture; none if nothing counts.
pub fn picture(of: &Comparison) -> Option<Markup> {
    const WIDTH: f64 = 190.0;
    let primary = of.metrics.first().filter(|metric| metric.verdict.is_some())?;
    let (estimate, narrow) = (primary.estimate.as_ref()?, primary.equivalence.as_ref()?);
    let margin = primary.margin_ms?;
    let (wide, narrow) = (ends(estimate), ends(narrow));
    let finite = [wide.0, wide.1, -margin, margin].into_iter().filter(|end| end.is_finite());
    let reach = finite.map(f64::abs).fold(0.0, f64::max) * 1.15;
    let scale = Linear::new((-reach, reach), (0.0, WIDTH));
    let at = |value: f64| X::Px(scale.at(value.clamp(-reach, reach)));
    let mut svg = Svg::new();
    svg.boxed("margin", (scale.at(-margin), scale.at(margin) - scale.at(-margin)), (0.0, 34.0), 0.0);
    svg.line("zero", (at(0.0), 0.0), (at(0.0), 34.0));
    svg.open(&format!("iv {}", tone(of)));
    svg.line("i95", (at(wide.0), 17.0), (at(wide.1), 17.0));
    svg.line("i90", (at(narrow.0), 17.0), (at(narrow.1), 17.0));
    svg.circle("", at(estimate.value), 17.0, 5.0);
    svg.close();
    let places = places(primary);
    let label = format!(
        "{}: {} ms, interval {}, margin plus or minus {} ms",
        short(primary.metric),
        signed(estimate.value, places),
        interval(wide.0, wide.1, places),
        plain((margin * 1e3).round() / 1e3)
    );
    Some(svg.icon((190, 34), Some(&label)))
}
