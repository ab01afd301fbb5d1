//! Published figures, line by line, and what was measured.

use maud::{Markup, html};

use super::{Head, block};
use crate::compare::record::Comparison;
use crate::compare::{ClaimRecord, Judgement};
use crate::report::claim::{claimed, measured, sum};
use crate::report::html::table::{Table, text, words};
use crate::report::html::{Page, badge};
use crate::report::sentence::capital;

/// The figure; nothing without a claim.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let Some(finding) = sum(of) else { return html! {} };
    let reading = "A figure is confirmed if the interval measured here contains it and not zero.";
    let columns = ["Claimed", "Measured", "Result", "Why"].map(words).into();
    let mut table = Table::new(format!("{}: what was claimed", of.name), columns);
    for line in &of.claim {
        table.row(vec![text(capital(&claimed(line.claim))), text(measured(line)), result(line), text(line.why.replace('`', ""))]);
    }
    block(page, &Head { id, finding: finding.trim_end_matches('.'), reading }, table.cards("claim"))
}

fn result(line: &ClaimRecord) -> Markup {
    match line.judgement {
        Judgement::NotMeasured => badge::worded("skip-v", "skip", line.judgement.name()),
        judgement => badge::held(Some(judgement == Judgement::Confirmed), "confirmed", "not confirmed"),
    }
}
