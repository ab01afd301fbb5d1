//! A scenario for the terminal: its sentence, and below it a strip of the load with one column per second.

use std::fmt::Write;

use super::number::{count, time, times};
use super::story;
use crate::scenario::RunRecord;
use crate::scenario::record::TrialRecord;

/// Most columns of a strip; for a longer load, several seconds share one.
const WIDTH: usize = 60;
/// Heights of a column, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The scenario in a few lines; the first is its sentence.
pub fn scenario(run: &RunRecord) -> String {
    let line = story::line(run, 0, String::new());
    let mut text = format!("  {}\n", line.sentence);
    let control = run.control.as_ref().map(|control| ("control", &control.trial));
    for (name, trial) in run.trial.iter().map(|trial| ("claim", trial)).chain(control) {
        strips(&mut text, name, trial);
    }
    text.trim_end().to_owned()
}

/// The p99 of each column as a bar (log scale), and below it the faults by number and the failures as crosses.
fn strips(text: &mut String, name: &str, trial: &TrialRecord) {
    let each = trial.windows.len().div_ceil(WIDTH).max(1);
    let columns: Vec<&[_]> = trial.windows.chunks(each).collect();
    let slowest: Vec<f64> = columns.iter().map(|of| of.iter().map(|window| window.latency_p99_ms).fold(0.0, f64::max)).collect();
    let most = slowest.iter().copied().fold(0.0, f64::max);
    let least = slowest.iter().copied().filter(|ms| *ms > 0.0).fold(most, f64::min);
    if most <= 0.0 {
        return;
    }
    let bar = |ms: &f64| match (*ms > 0.0, most > least * 1.05) {
        (false, _) => ' ',
        (true, false) => BARS[0],
        // the ratio is between 0 and 1: only the slowest column gets the last bar
        (true, true) => BARS[((ms / least).ln() / (most / least).ln() * 7.0).round().clamp(0.0, 7.0) as usize],
    };
    let bars: String = slowest.iter().map(bar).collect();
    let range = if most > least * 1.05 { times(least, most) } else { time(most) };
    let _ = writeln!(text, "  {name:<8} p99     {bars}  {range}");
    let mut marks: Vec<char> = columns.iter().map(|of| if of.iter().any(|one| one.failed > 0) { '×' } else { '·' }).collect();
    let _ = writeln!(
        text,
        "  {:<8} failed  {}  {} of {}",
        "",
        marks.iter().collect::<String>(),
        count(trial.failed),
        count(trial.requests)
    );
    if trial.faults.is_empty() {
        return;
    }
    marks.fill(' ');
    for (number, fault) in trial.faults.iter().enumerate() {
        let at = columns.iter().rposition(|of| of[0].from_ms <= fault.at_ms).unwrap_or(0);
        // from the tenth on, the last digit of the number
        marks[at] = char::from_digit((number as u32 + 1) % 10, 10).unwrap_or('?');
    }
    let _ = writeln!(text, "  {:<8} faults  {}", "", marks.iter().collect::<String>().trim_end());
}
