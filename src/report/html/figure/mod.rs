//! Figures: each states its finding, explains in a line how to read it, and has its numbers in a table. A figure without data
//! keeps its place and states why.

pub mod checks;
pub mod claim;
pub mod counters;
pub mod distribution;
pub mod expectations;
pub mod faults;
mod heat;
pub mod interval;
pub mod ledger;
pub mod paths;
pub mod phases;
pub mod resources;
pub mod shift;
pub mod timeline;
pub mod windows;

use maud::{Markup, html};

use super::Page;
use crate::compare::Verdict;
use crate::compare::record::Comparison;

/// The texts above a figure.
pub struct Head<'a> {
    /// Its anchor; unique on the page.
    pub id: &'a str,
    /// Its finding, as a statement if one can be made.
    pub finding: &'a str,
    /// How to read it.
    pub reading: &'a str,
}

/// A drawing with its heading.
pub fn figure(page: &Page, head: &Head, body: Markup) -> Markup {
    html! {
        figure.fig.voided[page.void.is_some()] id=(head.id) {
            figcaption { (stamp(page)) h3 { (head.finding) } p { (head.reading) } }
            (voided(page, body))
        }
    }
}

/// A figure that is a table.
pub fn block(page: &Page, head: &Head, body: Markup) -> Markup {
    html! {
        div.blk.voided[page.void.is_some()] id=(head.id) {
            (stamp(page)) h3 { (head.finding) } p { (head.reading) }
            (voided(page, body))
        }
    }
}

/// A figure that has no data: what is missing, and why.
pub fn missing(page: &Page, head: &Head, what: &str, why: &str) -> Markup {
    let hole = html! { div.hole { span { b { (what) } } span { (why) } } };
    figure(&Page { void: None, ..*page }, head, hole)
}

/// Hatches and labels a figure that does not count.
fn voided(page: &Page, body: Markup) -> Markup {
    match page.void {
        Some(why) => html! { p.void-name { "Invalid: " (why) } div.body { (body) } },
        None => body,
    }
}

/// The stamp on figures whose numbers were not measured.
fn stamp(page: &Page) -> Markup {
    html! { @if let Some(stamp) = page.stamp { span.stamp { (stamp) } } }
}

/// The colour of a comparison's estimate: good, bad, or neither.
pub fn tone(of: &Comparison) -> &'static str {
    match of.verdict {
        Verdict::Better => "good",
        Verdict::Worse => "bad",
        Verdict::Equivalent | Verdict::Inconclusive | Verdict::Invalid => "nul",
    }
}

/// A stop of a scrubber: percent of the plot's width, and the text to show there.
pub type Stop = (f64, String);

/// A slider below a plot that reads out its values, for pointer, touch and keys. `left` and `right` are the plot's margins.
pub fn scrubber(id: &str, label: &str, (left, right): (u32, u32), stops: &[Stop]) -> Markup {
    let steps = serde_json::to_string(&stops.iter().map(|(x, text)| ((x * 100.0).round() / 100.0, text)).collect::<Vec<_>>());
    let last = stops.len().saturating_sub(1);
    let count = stops.len().max(1);
    html! {
        @if stops.len() > 1 {
            // numbers and strings can always be written as JSON
            div.scrub style=(format!("--l:{left}px;--r:{right}px")) data-steps=(steps.unwrap_or_default()) {
                input type="range" id=(id) min="0" max=(last) step="1" value="0" aria-label=(label)
                    style=(format!("margin-left:calc(50%/{count} - 8px);width:calc(100% - 100%/{count} + 16px)"));
                output for=(id) { (label) ": drag, or use the arrow keys." }
            }
        }
    }
}
