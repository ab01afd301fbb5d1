//! The top of the page: the headline, and one line for each result, worst first.

use maud::{Markup, html};

use super::{Heading, badge, comparison, names_whole, scenario};
use crate::report::model::{Kind, Line, Report};
use crate::report::number::count;
use crate::report::sentence::plural;

/// If there are more results than this, successful ones are folded away.
const UNFOLDED: usize = 6;

/// The part.
pub fn part(report: &Report, alone: bool) -> Markup {
    let summary = &report.summary;
    html! {
        div.in.top id="summary" {
            @if let (true, Some(line)) = (alone, summary.results.first()) {
                (only(report, line))
            } @else {
                p.eyebrow { (counts(report)) }
                h1 { (names_whole(&summary.headline)) }
                @if !summary.lines.is_empty() { p.dek { (summary.lines) } }
                @if let Some(problem) = &report.problem { pre.problem tabindex="0" { (problem) } }
                @if !summary.results.is_empty() { (list(report)) }
            }
        }
    }
}

fn only(report: &Report, line: &Line) -> Markup {
    match line.kind {
        Kind::Scenario => html! {
            @if let Some(run) = report.scenarios.get(line.index) { (scenario::head(line, run, Heading::First)) }
        },
        Kind::Comparison => html! {
            @if let Some(of) = report.comparisons.get(line.index) { (comparison::head(line, of, Heading::First)) }
        },
    }
}

fn counts(report: &Report) -> String {
    let results = &report.summary.results;
    let of = |kind: Kind| results.iter().filter(|line| line.kind == kind).count() as u64;
    let (comparisons, scenarios) = (of(Kind::Comparison), of(Kind::Scenario));
    let all = results.len() as u64;
    let mut parts = vec![format!("{} {}", count(all), plural(all, "result", "results"))];
    if comparisons > 0 {
        parts.push(format!("{} {}", count(comparisons), plural(comparisons, "comparison", "comparisons")));
    }
    if scenarios > 0 {
        parts.push(format!("{} {}", count(scenarios), plural(scenarios, "scenario", "scenarios")));
    }
    parts.join(" · ")
}

fn list(report: &Report) -> Markup {
    let results = &report.summary.results;
    let fold = results.len() > UNFOLDED;
    let (open, folded): (Vec<&Line>, Vec<&Line>) = results.iter().partition(|line| !fold || !line.verdict.holds());
    html! {
        @if !open.is_empty() { (rows(report, &open, "Results of this run")) }
        @if !folded.is_empty() {
            details.more.held open[open.is_empty()] {
                summary { (folded.len()) " of " (results.len()) " results hold" }
                (rows(report, &folded, "Results that hold"))
            }
        }
    }
}

fn rows(report: &Report, lines: &[&Line], caption: &str) -> Markup {
    html! {
        table.results {
            caption.vh { (caption) }
            colgroup { col.c-v; col.c-n; col; col.c-p; }
            thead.vh { tr {
                th scope="col" { "Verdict" } th scope="col" { "Result" } th scope="col" { "In one line" } th scope="col" { "Picture" }
            } }
            tbody {
                @for line in lines {
                    tr {
                        td { (badge::small(line.verdict)) }
                        th scope="row" { a href=(format!("#{}", line.id)) { (line.name) } small { (line.about) } }
                        td.num {
                            @if !line.key.is_empty() { b { (line.key) } " " }
                            span { (line.bound) }
                            @if !line.beside.is_empty() { small { (line.beside) } }
                        }
                        td { (picture(report, line)) }
                    }
                }
            }
        }
    }
}

fn picture(report: &Report, line: &Line) -> Markup {
    let drawn = match line.kind {
        Kind::Scenario => report.scenarios.get(line.index).and_then(scenario::picture),
        Kind::Comparison => report.comparisons.get(line.index).and_then(comparison::picture),
    };
    drawn.unwrap_or_else(|| html! { small { "nothing measured" } })
}
