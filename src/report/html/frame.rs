//! Everything around the results: head with policy, symbols, masthead, contents, footer and script.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::report::model::{Line, Report};
use crate::report::number::moment;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const SYMBOLS: &str = include_str!("symbols.svg");

/// Title, content security policy and style.
pub fn head(report: &Report) -> Markup {
    let mut verdicts: Vec<String> = report.summary.results.iter().map(|line| line.verdict.name().to_lowercase()).collect();
    verdicts.dedup();
    let verdicts = if verdicts.is_empty() { "no result".to_owned() } else { verdicts.join(", ") };
    // style attributes are needed for the geometry of figures; the only script is identified by its digest
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        BASE64_STANDARD.encode(Sha256::digest(script_text()))
    );
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width,initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            meta http-equiv="Content-Security-Policy" content=(policy);
            title { "Hearth report: " (verdicts) " · run " (report.run) }
            link rel="icon" href="data:,";
            style { (PreEscaped(STYLE)) (PreEscaped(margin_boxes(report))) }
        }
    }
}

/// Run and page number in the margins when printed; the run's name is the only text in the style that comes from outside.
fn margin_boxes(report: &Report) -> String {
    let run: String = report.run.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!(
        "@page{{size:A4;margin:13mm 12mm 16mm;@bottom-left{{content:\"hearth report · run {run}\";font:8pt sans-serif;color:#57514a}}\
         @bottom-right{{content:counter(page) \" / \" counter(pages);font:8pt sans-serif;color:#57514a}}}}"
    )
}

/// Icons and marks used on the page.
pub fn symbols() -> Markup {
    PreEscaped(SYMBOLS.trim().to_owned())
}

/// Name, run, time, profile; the switch for colours appears only with the script.
pub fn masthead(report: &Report) -> Markup {
    html! {
        header.mast {
            div.in {
                span.brand { svg viewBox="0 0 20 24" aria-hidden="true" { use href="#i-flame" {} } "Hearth report" }
                p.meta {
                    span.nb { "run " (report.run) } " "
                    span.nb { (moment(report.written)) } " "
                    @if let Some(profile) = &report.environment.profile { span.w { "profile " (profile) } }
                }
                div.theme role="group" aria-label="Colours" {
                    @for (value, name) in [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")] {
                        button value=(value) type="button" { (name) }
                    }
                }
            }
        }
        @if let Some(stamp) = &report.stamp {
            aside.mock aria-label="Notice" {
                div.in { b { "Not a measurement." } " Figures stamped " b { (stamp) } " show made-up numbers." }
            }
        }
    }
}

/// Links to the parts.
pub fn contents(results: &[Line], alone: bool) -> Markup {
    html! {
        nav.toc aria-label="On this page" {
            div.in { ul {
                li { a href="#summary" { "Summary" } }
                @if !alone { @for line in results { li { a href=(format!("#{}", line.id)) { (line.name) } } } }
                li { a href="#environment" { "Environment" } }
                li { a href="#reproduce" { "Run it again" } }
                li { a href="#how" { "How to read" } }
            } }
        }
    }
}

/// The version that wrote the page.
pub fn footer(report: &Report) -> Markup {
    html! {
        footer.end {
            div.in { "Written by Hearth " (report.environment.hearth) ". This file holds everything it shows and asks the network for nothing." }
        }
    }
}

/// The script. The page is complete without it: it adds colours, scrubbers, copying, and the current place in the contents.
pub fn script() -> Markup {
    html! { script { (PreEscaped(script_text())) } }
}

fn script_text() -> &'static str {
    SCRIPT.trim()
}
