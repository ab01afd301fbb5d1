//! The page: one file that contains all it shows and loads nothing from the network. The same report gives the same bytes.

mod badge;
mod closing;
mod comparison;
mod figure;
mod frame;
mod plain;
mod scale;
mod scenario;
mod summary;
mod svg;
mod table;
mod validity;

use maud::{DOCTYPE, Markup, html};

use super::model::{Kind, Line, Report};

/// What every figure in a part of the page needs.
#[derive(Debug, Clone, Copy)]
struct Page<'a> {
    /// Put on every figure if its numbers were not measured.
    stamp: Option<&'a str>,
    /// Why the result does not count, if so: its figures are hatched and have no colours for good or bad.
    void: Option<&'a str>,
}

/// The level of the heading that contains a result's sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heading {
    /// The page's own heading, if there is only one result.
    First,
    /// The heading of a part.
    Second,
}

/// A key number: its label, the number, its unit or total, and up to two lines below.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    name: String,
    number: String,
    unit: String,
    lines: Vec<String>,
}

impl Key {
    fn new(name: &str, number: String, unit: String, lines: Vec<String>) -> Key {
        Key { name: name.to_owned(), number, unit, lines }
    }
}

/// The page as HTML.
pub(super) fn render(report: &Report) -> String {
    let report = &plain::text_only(report);
    let page = Page { stamp: report.stamp.as_deref(), void: None };
    let results = &report.summary.results;
    let alone = results.len() == 1 && report.problem.is_none();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (frame::head(report))
            body {
                a.skip href="#summary" { "Skip to the verdict" }
                (frame::symbols())
                (frame::masthead(report))
                (frame::contents(results, alone))
                main {
                    (summary::part(report, alone))
                    @for line in results { (part(&page, report, line, alone)) }
                    (closing::part(report))
                }
                (frame::footer(report))
                (frame::script())
            }
        }
    };
    page.into_string()
}

fn part(page: &Page, report: &Report, line: &Line, alone: bool) -> Markup {
    match line.kind {
        Kind::Scenario => html! {
            @if let Some(run) = report.scenarios.get(line.index) { (scenario::section(page, line, run, alone)) }
        },
        Kind::Comparison => html! {
            @if let Some(of) = report.comparisons.get(line.index) { (comparison::section(page, line, of, alone)) }
        },
    }
}

/// The head of a result: badge, sentence, further sentences, key numbers. `besides` is what no expectation covers, with the
/// words that introduce it.
fn header(line: &Line, heading: Heading, more: &[String], besides: Option<(&str, &str)>, keys: &[Key]) -> Markup {
    let kind = match line.kind {
        Kind::Comparison => "Comparison",
        Kind::Scenario => "Scenario",
    };
    let id = format!("{}-h", line.id);
    html! {
        header {
            div.hl { (badge::big(line.verdict)) p.eyebrow { (kind) " · " (line.name) } }
            @match heading {
                Heading::First => h1 id=(id) { (names_whole(&line.sentence)) },
                Heading::Second => h2 id=(id) { (names_whole(&line.sentence)) },
            }
            @if !more.is_empty() || besides.is_some() {
                p.dek {
                    @for (at, sentence) in more.iter().enumerate() { @if at > 0 { " " } (code_spans(sentence)) }
                    @if let Some((what, besides)) = besides { " " b { (what) } " " (code_spans(besides)) }
                }
            }
            @if !keys.is_empty() {
                dl.keys {
                    @for key in keys {
                        div {
                            dt { (key.name) }
                            dd.n { (key.number) @if !key.unit.is_empty() { " " small { (key.unit) } } }
                            dd.s { @for (at, line) in key.lines.iter().enumerate() { @if at > 0 { br; } (line) } }
                        }
                    }
                }
            }
        }
    }
}

/// A sentence; a name with hyphens starts on a new line rather than being broken at one of them.
fn names_whole(sentence: &str) -> Markup {
    html! {
        @for (at, word) in sentence.split(' ').enumerate() {
            @if at > 0 { " " }
            @if word.contains('-') { span.name { (word) } } @else { (word) }
        }
    }
}

/// A text in which the parts in backticks become code.
fn code_spans(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
