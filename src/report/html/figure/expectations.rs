//! Expectations: the measured value and its bound, and the same in the control.

use maud::{Markup, html};

use super::{Head, block, missing};
use crate::report::html::scenario::Side;
use crate::report::html::table::{Table, text, words};
use crate::report::html::{Page, badge};
use crate::report::number::{amount, words as in_words};
use crate::report::sentence::{capital, plural};
use crate::report::story::bound;
use crate::scenario::record::{AssertionRecord, ControlRecord};

/// The figure.
pub fn draw(page: &Page, id: &str, claim: &Side, control: Option<&ControlRecord>) -> Markup {
    let expectations = &claim.trial.assertions;
    let finding = finding(expectations, control);
    let head = Head {
        id,
        finding: &finding,
        reading: "A control that did not fail would make the result worthless: a test that cannot fail proves nothing.",
    };
    if expectations.is_empty() {
        return missing(page, &head, "No expectations.", "The run ended before anything could be held against them.");
    }
    let mut columns = vec![words("Expectation"), words("Bound"), words("Measured"), words("Result")];
    if control.is_some() {
        columns.extend([words("In the control"), words("Result there")]);
    }
    let mut table = Table::new(format!("{}: expectations", claim.caption), columns);
    for one in expectations {
        let mut cells = vec![
            html! { (one.title) " " span.sub.mono { (one.id) } },
            text(bound(one)),
            html! { b { (measured(one)) } },
            badge::held(one.measured.as_ref().map(|_| one.holds), "held", "not held"),
        ];
        if let Some(control) = control {
            cells.extend(in_control(&one.id, control));
        }
        table.row(cells);
    }
    block(page, &head, table.cards("exp"))
}

fn finding(expectations: &[AssertionRecord], control: Option<&ControlRecord>) -> String {
    let all = expectations.len() as u64;
    let held = expectations.iter().filter(|one| one.holds).count() as u64;
    let claim = match (all, held) {
        (0, _) => return "No expectation was judged".to_owned(),
        (1, 1) => "The one expectation holds".to_owned(),
        (all, held) if all == held => format!("All {} expectations hold", in_words(all)),
        (all, held) => {
            capital(&format!("{} of {} expectations {}", in_words(held), in_words(all), plural(held, "holds", "hold")))
        }
    };
    match control {
        None => format!("{claim}; there is no control"),
        Some(control) if control.held.is_empty() => {
            let must = plural(control.must_fail.len() as u64, "the one it must", "those it must");
            format!("{claim}; the control breaks {must}")
        }
        Some(_) => format!("{claim}; but the control does not break what it must"),
    }
}

fn measured(one: &AssertionRecord) -> String {
    one.measured.as_ref().map_or_else(|| "not measured".to_owned(), |measured| amount(measured.value, &measured.unit))
}

/// What the control measured, and whether that is as it should be.
fn in_control(id: &str, control: &ControlRecord) -> [Markup; 2] {
    let Some(one) = control.trial.assertions.iter().find(|one| one.id == id) else {
        return [text("not measured"), text("")];
    };
    let must_fail = control.must_fail.iter().any(|must| must == id);
    let result = match (must_fail, one.holds) {
        (true, holds) => badge::held(one.measured.as_ref().map(|_| !holds), "failed, as it must", "held: proves nothing"),
        (false, true) => html! { span.sub { "held" } },
        (false, false) => html! { span.sub { "not held" } },
    };
    [text(measured(one)), result]
}
