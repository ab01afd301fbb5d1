//! Where the time went: a table of the steps that had something to do, each with a bar on a common time axis.

use std::collections::HashMap;

use comfy_table::{CellAlignment, Table, presets};

use super::style::duration;
use super::visible::cut;
use crate::event::{Event, Record, StepInfo, StepOutcome};
use crate::graph::StepId;

/// Narrowest and widest bar column.
const BARS: (usize, usize) = (12, 60);
/// Columns for everything except names and bars.
const NUMBERS: usize = 32;
/// Seconds: a shorter run needs no account of where its time went.
const WORTH_A_TABLE: f64 = 1.0;
/// Names are not cut to less than this.
const NAME: usize = 12;

/// One row of the table; times in seconds since the run started.
struct Row<'a> {
    info: &'a StepInfo,
    ready: f64,
    started: f64,
    ended: f64,
}

/// The table for the last run in `records`, at most `width` columns wide: step, waited, took, bar. It shows the chain of steps
/// that decided how long the run took; with `all`, every step that had something to do, that chain marked with `*`. None for a
/// run that needs no such account.
pub fn timing_table(records: &[Record], width: usize, all: bool) -> Option<String> {
    let begin = records.iter().rposition(|record| matches!(record.event, Event::PlanStarted { .. }))?;
    let Event::PlanStarted { steps, .. } = &records[begin].event else { return None };
    let mut rows = rows(steps, &records[begin..]);
    let whole = rows.iter().map(|row| row.ended).fold(0.0, f64::max);
    if rows.is_empty() || whole < WORTH_A_TABLE {
        return None;
    }
    let decisive: Vec<StepId> = decisive(&rows).into_iter().cloned().collect();
    if !all {
        rows.retain(|row| decisive.contains(&row.info.id));
    }
    let longest = rows.iter().map(|row| row.info.sentence.chars().count()).max().unwrap_or(0);
    let names = longest.min(width.saturating_sub(NUMBERS + BARS.0)).max(NAME);
    let bars = width.saturating_sub(names + NUMBERS).clamp(BARS.0, BARS.1);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["", "step", "waited", "took", ""]);
    for row in &rows {
        let mark = if all && decisive.contains(&row.info.id) { "*" } else { "" };
        let waited = if row.started - row.ready < 0.05 { String::new() } else { duration(row.started - row.ready) };
        let took = duration(row.ended - row.started);
        table.add_row([mark.to_owned(), cut(&row.info.sentence, names), waited, took, bar(row, whole, bars)]);
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Some(table.trim_fmt())
}

/// When each milestone was reached, a line each: "first 200 after 41.3 s", from the run's start.
pub fn milestones(records: &[Record]) -> Vec<String> {
    let plans = records.iter().filter_map(|record| match &record.event {
        Event::PlanStarted { steps, .. } => Some(steps),
        _ => None,
    });
    let awaited: Vec<(&StepId, &String)> =
        plans.flatten().filter_map(|step| Some((&step.id, step.milestone.as_ref()?))).collect();
    let said = records.iter().filter_map(|record| {
        let Event::StepFinished { id, outcome: StepOutcome::Applied, .. } = &record.event else { return None };
        let (_, what) = awaited.iter().find(|(step, _)| *step == id)?;
        Some(format!("{what} after {:.1} s", record.at))
    });
    said.collect()
}

/// Steps that were applied or failed, in the order of their start.
fn rows<'a>(steps: &'a [StepInfo], records: &[Record]) -> Vec<Row<'a>> {
    let zero = records[0].at;
    let mut started: HashMap<&StepId, (f64, f64)> = HashMap::new();
    let mut rows = Vec::new();
    for record in records {
        match &record.event {
            Event::StepStarted { id, waited } => drop(started.insert(id, (record.at - zero, *waited))),
            Event::StepFinished {
                id,
                outcome: StepOutcome::Applied | StepOutcome::Undone | StepOutcome::Failed { .. },
                seconds,
            } => {
                if let (Some((start, waited)), Some(info)) = (started.get(id), steps.iter().find(|step| step.id == *id)) {
                    rows.push(Row { info, ready: start - waited, started: *start, ended: start + seconds });
                }
            }
            _ => {}
        }
    }
    rows.sort_by(|one, other| one.started.total_cmp(&other.started));
    rows
}

/// Starts at the step that ended last, and goes back along the dependency that ended last each time.
fn decisive<'a>(rows: &[Row<'a>]) -> Vec<&'a StepId> {
    let latest = |among: &mut dyn Iterator<Item = &Row<'a>>| {
        among.max_by(|one, other| one.ended.total_cmp(&other.ended)).map(|row| row.info)
    };
    let mut chain = Vec::new();
    let mut next = latest(&mut rows.iter());
    while let Some(info) = next {
        chain.push(&info.id);
        next = latest(&mut rows.iter().filter(|row| info.after.contains(&row.info.id)));
    }
    chain
}

/// Waiting in light, working in dark, on an axis of `columns` for `whole` seconds.
fn bar(row: &Row, whole: f64, columns: usize) -> String {
    let column = |time: f64| ((time / whole.max(f64::EPSILON)) * columns as f64).round() as usize;
    let (ready, started) = (column(row.ready).min(columns - 1), column(row.started).min(columns - 1));
    let ended = column(row.ended).clamp(started + 1, columns);
    // a no-break space: the table trims ordinary ones
    format!("{}{}{}", "\u{a0}".repeat(ready), "░".repeat(started - ready), "█".repeat(ended - started))
}
