//! The progress display: a sink that shows what runs side by side on a terminal, and plain lines elsewhere.

use std::collections::HashMap;
use std::time::Instant;

use super::board::{Board, brief};
use super::region::Region;
use super::style::{BAD, CAUTION, DIM, GOOD, duration, paint};
use super::{Printer, Verbosity, scenario, terminal};
use crate::event::{Event, Record, RunOutcome, Sink, StepOutcome};
use crate::graph::StepId;

/// Without a terminal, a running step is named once it has run this long, in seconds, then with what it waits for, and again
/// from time to time.
const NAMED_AFTER: f64 = 1.0;
const EXPLAINED_AFTER: f64 = 10.0;
const AGAIN_AFTER: f64 = 30.0;

/// Shows a run while it happens. Pass it to [`crate::event::Events::open`].
pub struct Display {
    printer: Printer,
    board: Board,
    region: Region,
    /// The time of the last event, on both clocks.
    last: Option<(Instant, f64)>,
    frame: usize,
    /// Without a terminal: when each running step was last mentioned.
    written: HashMap<StepId, f64>,
    scenario_written: f64,
    counts: Counts,
}

/// How many steps of a plan ended in which way.
#[derive(Default)]
struct Counts {
    applied: usize,
    satisfied: usize,
    skipped: usize,
}

impl Display {
    /// A display that writes through `printer`.
    pub fn new(printer: Printer) -> Display {
        Display {
            board: Board::default(),
            region: Region::new(printer.clone()),
            printer,
            last: None,
            frame: 0,
            written: HashMap::new(),
            scenario_written: 0.0,
            counts: Counts::default(),
        }
    }

    /// Seconds since the channel was opened.
    fn now(&self) -> f64 {
        self.last.map_or(0.0, |(seen, at)| at + seen.elapsed().as_secs_f64())
    }

    /// Shows the end of a step; on a terminal, a successful one only counts in its stage.
    fn step(&mut self, id: &StepId, outcome: &StepOutcome, seconds: f64) {
        self.written.remove(id);
        let sentence = self.board.sentence(id, self.printer.colour());
        let (mark, note) = match outcome {
            StepOutcome::Applied | StepOutcome::Undone => {
                self.counts.applied += 1;
                if self.printer.is_live() {
                    return;
                }
                (paint(GOOD, "✓"), String::new())
            }
            StepOutcome::Satisfied => {
                self.counts.satisfied += 1;
                return self.printer.detail(format!("= {}  {sentence}", self.board.stage(id)));
            }
            StepOutcome::Skipped { .. } => {
                self.counts.skipped += 1;
                return;
            }
            StepOutcome::Failed { error } => (paint(BAD, "✗"), format!("  {}", paint(BAD, &brief(error)))),
            StepOutcome::Cancelled => (paint(CAUTION, "-"), "  dropped".to_owned()),
        };
        let (stage, took) = (self.board.stage(id), paint(DIM, &duration(seconds)));
        self.printer.err(format!("{mark} {}  {sentence}  {took}{note}", paint(DIM, &stage)));
    }

    fn finish(&mut self, outcome: RunOutcome, seconds: f64) {
        self.region.show(&[]);
        self.board = Board::default();
        let Counts { applied, satisfied, skipped } = std::mem::take(&mut self.counts);
        let mut parts = vec![format!("{applied} done")];
        if satisfied > 0 {
            parts.push(format!("{satisfied} already as wanted"));
        }
        if skipped > 0 {
            parts.push(format!("{skipped} not started"));
        }
        let what = match outcome {
            RunOutcome::Completed => paint(GOOD, "Completed"),
            RunOutcome::Failed => paint(BAD, "Failed"),
            RunOutcome::Cancelled => paint(CAUTION, "Stopped"),
        };
        self.printer.err(format!("{what} after {}: {}", duration(seconds), parts.join(", ")));
    }

    /// Without a terminal: mentions steps that have been running for long.
    fn remind(&mut self) {
        let now = self.now();
        for run in self.board.running() {
            let ran = now - run.started;
            let (due, explain) = match self.written.get(&run.id) {
                None => (ran >= NAMED_AFTER, false),
                Some(at) => (now - at >= if at - run.started < EXPLAINED_AFTER { EXPLAINED_AFTER } else { AGAIN_AFTER }, true),
            };
            if !due {
                continue;
            }
            let sentence = self.board.sentence(&run.id, self.printer.colour());
            let mut text = format!("… {}  {sentence}", self.board.stage(&run.id));
            if explain {
                text = format!("{text}  {}  {}", duration(ran), self.board.said(run));
            }
            self.printer.err(text);
            self.written.insert(run.id.clone(), now);
        }
        if let Some((text, since)) = self.board.scenario_now()
            && now - since.max(self.scenario_written) >= AGAIN_AFTER
        {
            self.printer.err(format!("… {text}  {}", duration(now - since)));
            self.scenario_written = now;
        }
    }
}

impl Sink for Display {
    fn record(&mut self, record: &Record) {
        self.last = Some((Instant::now(), record.at));
        match &record.event {
            Event::StepFinished { id, outcome, seconds } => self.step(id, outcome, *seconds),
            Event::StepProgress { id, text } => {
                self.printer.detail(format!("  {}: {text}", self.board.sentence(id, self.printer.colour())));
            }
            Event::StepRetry { id, attempt, error } if !self.printer.is_live() => {
                let (mark, stage) = (paint(CAUTION, "!"), self.board.stage(id));
                let sentence = self.board.sentence(id, self.printer.colour());
                self.printer.err(format!("{mark} {stage}  {sentence}: attempt {attempt} failed: {}", brief(error)));
            }
            // the end follows at once, and has the reason
            Event::PlanStopping { running: 0, .. } => {}
            Event::PlanStopping { interrupted, running, .. } => {
                let again = if *interrupted { "; Ctrl-C again ends at once" } else { "" };
                let steps = if *running == 1 { "step" } else { "steps" };
                let wait = format!("Starting nothing new, waiting for {running} running {steps}{again}");
                self.printer.err(paint(CAUTION, &wait));
            }
            Event::Log { text } => self.printer.err(text),
            Event::PlanFinished { outcome, seconds } => self.finish(*outcome, *seconds),
            Event::Load { requests, failed } => self.printer.detail(format!("    {}", scenario::load(*requests, *failed))),
            Event::WindowEnded { number, of, requests, failed } => {
                self.printer.detail(format!("    {}", scenario::window(*number, *of, *requests, *failed)));
            }
            event => {
                if let Some(line) = scenario::line(event) {
                    self.printer.err(line);
                }
            }
        }
        let (live, printer) = (self.printer.is_live(), self.printer.clone());
        if let Some(stage) = self.board.record(record)
            && live
            && stage.broken == 0
        {
            printer.err(folded(stage));
        }
        if matches!(record.event, Event::ScenarioFinished { .. } | Event::ComparisonFinished { .. } | Event::RunFinished { .. }) {
            self.region.show(&[]);
        }
    }

    fn tick(&mut self) {
        if self.printer.is_live() {
            self.frame += 1;
            let (columns, rows) = terminal::size();
            let size = (columns.into(), rows.into());
            let lines = self.board.lines(self.now(), self.frame, size, self.printer.colour());
            self.region.show(&lines);
        } else if self.printer.verbosity() > Verbosity::Quiet {
            self.remind();
        }
    }
}

/// A finished stage, as one line.
fn folded(stage: &super::board::Stage) -> String {
    let mut parts = Vec::new();
    if stage.applied > 0 {
        parts.push(format!("{} done", stage.applied));
    }
    if stage.satisfied > 0 {
        parts.push(format!("{} already as wanted", stage.satisfied));
    }
    let (mark, what) = (if stage.applied > 0 { paint(GOOD, "✓") } else { paint(DIM, "=") }, parts.join(", "));
    format!("{mark} {}  {}  {}", stage.name, what, paint(DIM, &duration(stage.seconds())))
}
