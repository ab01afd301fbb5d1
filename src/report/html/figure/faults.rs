//! Each fault: when it came, what it hit, and how long it took to heal.

use maud::{Markup, html};

use super::{Head, block};
use crate::report::html::Page;
use crate::report::html::scenario::Side;
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::{count, fixed, words as in_words};
use crate::report::seen::{Fault, after_start};
use crate::report::sentence::capital;

/// The figure; nothing if there was no fault.
pub fn draw(page: &Page, id: &str, sides: &[Side]) -> Markup {
    let Some(first) = sides.iter().flat_map(|side| &side.faults).next() else { return html! {} };
    let claim = &sides[0].faults;
    let hit = claim.iter().filter(|fault| fault.hit).count();
    let finding = if claim.is_empty() {
        "Faults".to_owned()
    } else if hit == claim.len() {
        format!("Each {} met traffic", first.noun)
    } else if hit == 0 {
        format!("None of {} {}s met traffic", in_words(claim.len() as u64), first.noun)
    } else {
        capital(&format!("{} of {} {}s met traffic", in_words(hit as u64), in_words(claim.len() as u64), first.noun))
    };
    let reading = format!("{}; requests in flight and lost are counted from the client's ledger.", first.how);
    let head = Head { id, finding: &finding, reading: &reading };
    block(
        page,
        &head,
        html! {
            div.tables.pair[sides.len() > 1] {
                @for side in sides.iter().filter(|side| !side.faults.is_empty()) {
                    div { @if sides.len() > 1 { p.cap { (side.heading) } } (table(side)) }
                }
            }
        },
    )
}

fn table(side: &Side) -> Markup {
    let faults = &side.faults;
    let noun = capital(&faults[0].noun);
    let located = faults.iter().any(|fault| fault.node.is_some());
    let facts: Vec<&str> = faults[0].facts.iter().map(|(name, _)| name.as_str()).collect();
    let mut columns = vec![words(noun), numbers("At"), words("Target").wide()];
    if located {
        columns.push(words("Node").wide());
    }
    columns.push(numbers("In flight"));
    columns.extend(facts.iter().map(|name| numbers(*name)));
    columns.extend([numbers("Lost"), numbers(format!("{} after", capital(&faults[0].healed_word)))]);
    let mut table = Table::new(format!("{}: each fault", side.caption), columns);
    for fault in faults {
        let mut cells = vec![text(fault.number.to_string()), text(after_start(fault.at_ms)), target(fault)];
        if located {
            cells.push(text(fault.node.as_deref().unwrap_or("")));
        }
        cells.push(text(count(fault.in_flight)));
        for name in &facts {
            let fact = fault.facts.iter().find(|(known, _)| known == *name).and_then(|(_, value)| value.as_deref());
            cells.push(text(fact.unwrap_or("not read")));
        }
        cells.push(if fault.lost > 0 {
            html! { b.no { (count(fault.lost)) } }
        } else {
            text("0")
        });
        let healed = fault.healed_ms.map(|at| (at - fault.at_ms) / 1e3);
        cells.push(text(healed.map_or_else(|| "not seen".to_owned(), |seconds| format!("{}\u{202f}s", fixed(seconds, 1)))));
        table.row(cells);
    }
    table.scrolling(false)
}

/// The end of a pod's name distinguishes it; the full name is in its title.
fn target(fault: &Fault) -> Markup {
    let short = fault.target.rsplit('-').next().filter(|end| end.len() < fault.target.len());
    html! {
        @match short {
            Some(end) => span.mono.nb title=(fault.target) { "…" (end) },
            None => span.mono { (fault.target) },
        }
    }
}
