//! Verdicts and results of checks: a word, an icon and a colour, never a colour alone.

use maud::{Markup, html};

use crate::report::model::Verdict;

/// Colour and icon of a verdict, and whether its badge is only outlined.
fn look(verdict: Verdict) -> (&'static str, &'static str, bool) {
    match verdict {
        Verdict::Better | Verdict::Pass => ("good", "ok", false),
        Verdict::Worse | Verdict::Fail => ("bad", "no", false),
        Verdict::Equivalent => ("eq", "eq", true),
        Verdict::Inconclusive => ("inc", "inc", true),
        Verdict::Invalid => ("inv", "inv", true),
        Verdict::Skipped => ("skip-v", "skip", true),
        Verdict::Error => ("err", "err", true),
    }
}

/// The badge in a row of the summary.
pub fn small(verdict: Verdict) -> Markup {
    let (class, icon, _) = look(verdict);
    html! { span class={ "v " (class) } { (self::icon(icon)) (verdict.name()) } }
}

/// The badge at the head of a result.
pub fn big(verdict: Verdict) -> Markup {
    let (class, icon, open) = look(verdict);
    html! { span class={ "v big " (class) @if open { " open" } } { (self::icon(icon)) (verdict.name()) } }
}

/// A small badge with a text of its own, such as `Not judged`.
pub fn worded(class: &str, icon: &str, words: &str) -> Markup {
    html! { span class={ "v " (class) } { (self::icon(icon)) (words) } }
}

/// The result of a check or expectation. Unknown counts as not held.
pub fn held(held: Option<bool>, yes: &str, no: &str) -> Markup {
    match held {
        Some(true) => html! { span.ok-c { (icon("ok")) (yes) } },
        Some(false) => html! { span.no-c { (icon("no")) (no) } },
        None => html! { span.no-c { (icon("skip")) "not known" } },
    }
}

fn icon(name: &str) -> Markup {
    html! { svg viewBox="0 0 16 16" aria-hidden="true" { use href={ "#i-" (name) } {} } }
}
