//! The ledger: one row for each way in which requests ended. The sum is the number of requests that were due.

use maud::{Markup, html};

use super::{Head, block, missing};
use crate::load::Outcome;
use crate::report::html::Page;
use crate::report::html::scenario::Side;
use crate::report::html::svg::{Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::count;
use crate::scenario::timeline::{Tally, Timeline};

/// One way in which requests ended.
struct Row {
    glyph: &'static str,
    label: String,
    known: &'static str,
    failed: bool,
    /// Number of requests on each side.
    requests: Vec<u64>,
}

/// The figure.
pub fn draw(page: &Page, id: &str, sides: &[Side]) -> Markup {
    let drawn: Vec<(&Side, &Timeline)> = sides.iter().filter_map(|side| Some((side, side.trial.timeline.as_ref()?))).collect();
    let complete = drawn.iter().all(|(side, timeline)| sum(timeline) == side.trial.requests);
    let head = Head {
        id,
        finding: match (drawn.is_empty(), complete) {
            // nothing recorded is nothing known
            (true, _) => "What became of each request",
            (false, true) => "Every request is accounted for",
            (false, false) => "Some requests are not accounted for",
        },
        reading: "Client retries are off: a request is sent once, and what became of it stands here.",
    };
    if drawn.is_empty() {
        return missing(page, &head, "No ledger.", "The record holds no single requests.");
    }
    let mut columns = vec![words("Request")];
    columns.extend(drawn.iter().map(|(side, _)| numbers(side.name)));
    columns.push(words("How it is known"));
    let mut table = Table::new(format!("{}: what became of each request", sides[0].caption), columns).with_sum();
    for row in rows(&drawn) {
        let mut cells = vec![html! { (glyph(row.glyph)) (row.label) }];
        cells.extend(row.requests.iter().map(|requests| match (row.failed, requests) {
            (true, 1..) => html! { b.no { (count(*requests)) } },
            _ => text(count(*requests)),
        }));
        cells.push(text(row.known));
        table.row(cells);
    }
    let mut due = vec![html! { (glyph("")) b { "due" } }];
    due.extend(drawn.iter().map(|(side, _)| html! { b { (count(side.trial.requests)) } }));
    due.push(text("every due request stands in exactly one row"));
    table.row(due);
    block(page, &head, table.cards("ledger"))
}

fn sum(timeline: &Timeline) -> u64 {
    timeline.tally.iter().map(|tally| tally.requests).sum()
}

fn rows(drawn: &[(&Side, &Timeline)]) -> Vec<Row> {
    let mut rows: Vec<(u32, Row)> = Vec::new();
    for (at, (_, timeline)) in drawn.iter().enumerate() {
        for tally in &timeline.tally {
            let (order, glyph, label, known) = kind(tally);
            let found = rows.iter().position(|(_, row)| row.label == label).unwrap_or_else(|| {
                let failed = tally.outcome.failed();
                rows.push((order, Row { glyph, label, known, failed, requests: vec![0; drawn.len()] }));
                rows.len() - 1
            });
            rows[found].1.requests[at] += tally.requests;
        }
    }
    let none = |rows: &[(u32, Row)], from: u32, to: u32| !rows.iter().any(|(order, _)| (from..to).contains(order));
    let empty =
        |label: &str, known| Row { glyph: "", label: label.to_owned(), known, failed: true, requests: vec![0; drawn.len()] };
    // what was looked for and not found is listed too
    if none(&rows, 1_100, 1_600) {
        rows.push((1_100, empty("failed: another status", "status line")));
    }
    if none(&rows, 1_700, 2_000) {
        rows.push((1_700, empty("failed: reset, refused, timeout, truncated, not HTTP", "the client's error classes")));
    }
    if none(&rows, 2_000, 3_000) {
        rows.push((2_000, empty("never sent, or unfinished at the end", "the client's own schedule")));
    }
    rows.sort_by_key(|(order, _)| *order);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Order, glyph, words, and how it is known.
fn kind(tally: &Tally) -> (u32, &'static str, String, &'static str) {
    const ORDINALS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];
    let status = tally.status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
    let failed = |order: u32, words: &str| (1_000 + order, "fx", format!("failed: {words}"), "the client's error classes");
    match tally.outcome {
        Outcome::Ok => match tally.attempt {
            Some(attempt) => {
                let ordinal = ORDINALS.get(usize::from(attempt) - 1).map_or_else(|| format!("{attempt}th"), |o| (*o).to_owned());
                let known = if attempt == 1 { "the server echoed the attempt" } else { "the same" };
                let glyph = if attempt == 1 { "sq" } else { "dm" };
                (u32::from(attempt), glyph, format!("answered {status}, {ordinal} attempt"), known)
            }
            None => (900, "sq", format!("answered {status}, attempt not known"), "whole answer; no attempt echoed"),
        },
        Outcome::BadStatus => {
            (1_000 + u32::from(tally.status.unwrap_or(0)), "fx", format!("failed: status {status}"), "status line")
        }
        Outcome::ConnectRefused => failed(700, "connection refused"),
        Outcome::ConnectTimeout => failed(701, "no connection in time"),
        Outcome::ConnectFailed => failed(702, "no connection"),
        Outcome::ResetBeforeWrite => failed(703, "reset before the request was sent"),
        Outcome::ResetAfterWrite => failed(704, "reset before the answer began"),
        Outcome::TruncatedBody => failed(705, "answer cut off"),
        Outcome::WrongBody => failed(708, "another body"),
        Outcome::Malformed => failed(706, "answer is not HTTP"),
        Outcome::Timeout => failed(707, "no whole answer in time"),
        Outcome::NotSent => (2_000, "fx", "never sent".to_owned(), "the client's own schedule"),
        Outcome::Unfinished => (2_001, "fx", "unfinished at the end".to_owned(), "the client's own schedule"),
    }
}

/// The mark used for it in the timeline.
fn glyph(name: &str) -> Markup {
    let mut svg = Svg::new();
    match name {
        "sq" => svg.boxed("hn5", (2.0, 10.0), (2.0, 10.0), 0.0),
        "" => {}
        mark => svg.mark(mark, X::Px(7.0), 7.0),
    }
    html! { span.gl { (svg.icon((14, 14), None)) } }
}
