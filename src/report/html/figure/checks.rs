//! Checks of the measurement itself: each could have made the result worthless.

use maud::{Markup, html};

use super::{Head, block};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::html::{Page, badge};

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// The measured value with its unit.
    pub measured: String,
    /// The allowed values.
    pub limit: String,
    /// How much of the limit was used, if it has an upper end.
    pub share: Option<f64>,
    /// Whether it held; none if that could not be found out, which counts as not held.
    pub held: Option<bool>,
}

/// The figure; `subject` is `The scenario` or `The comparison`.
pub fn draw(page: &Page, id: &str, caption: &str, subject: &str, checks: &[Check]) -> Markup {
    let held = checks.iter().filter(|check| check.held == Some(true)).count();
    let finding = if held == checks.len() && held > 0 {
        format!("Why {subject} may be believed: {held} of {held} checks held")
    } else {
        format!("Why {subject} may not be believed: {} of {} checks did not hold", checks.len() - held, checks.len())
    };
    let reading = "Load that can lie is worse than none; these are the ways in which it could have.";
    let mut table = Table::new(
        format!("{caption}: checks on the measurement"),
        vec![words("Check"), numbers("Measured"), words("Limit"), words("Share of the limit"), words("Result")],
    );
    for check in checks {
        table.row(vec![
            text(&check.name),
            text(&check.measured),
            // a short limit stays on one line
            html! { span.nb[check.limit.chars().count() < 24] { (check.limit) } },
            bar(check),
            badge::held(check.held, "held", "not held"),
        ]);
    }
    block(page, &Head { id, finding: &finding, reading }, table.cards("val"))
}

fn bar(check: &Check) -> Markup {
    let class = if check.held == Some(true) { "hbar" } else { "hbar over" };
    html! {
        @if let Some(share) = check.share {
            span class=(class) aria-hidden="true" { i style=(format!("width:{:.0}%", (share * 100.0).clamp(0.0, 100.0))) {} }
        }
    }
}
