//! The progress display: a sink that shows running steps on a terminal, and plain lines elsewhere.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use indicatif::{ProgressBar, ProgressStyle};

use super::scenario;
use super::style::{BAD, CAUTION, DIM, GOOD, duration, paint, sentence};
use super::{Printer, Verbosity};
use crate::event::{Event, Record, RunOutcome, Sink, StepOutcome};
use crate::graph::StepId;

/// A step is shown once it has run this long: most checks are over sooner, and would only flicker.
const VISIBLE_AFTER: Duration = Duration::from_millis(250);
/// Without a terminal, a long step is told about again after this long.
const REMIND_AFTER: Duration = Duration::from_secs(30);
const SPINNER: [&str; 8] = ["⣾", "⣽", "⣻", "⢿", "⡿", "⣟", "⣯", "⣷"];

/// Shows a run while it happens. Give it to [`crate::engine::Events::open`].
pub struct Display {
    printer: Printer,
    sentences: HashMap<StepId, String>,
    running: Vec<Running>,
    bottom: Option<ProgressBar>,
    started: Instant,
    total: usize,
    done: usize,
    applied: usize,
    satisfied: usize,
    skipped: usize,
    frame: usize,
}

struct Running {
    id: StepId,
    started: Instant,
    said: String,
    /// Its line on the terminal, once it is shown.
    bar: Option<ProgressBar>,
    /// When it was last told about without a terminal.
    told: Option<Instant>,
}

impl Display {
    /// A display that writes through `printer`.
    pub fn new(printer: Printer) -> Display {
        Display {
            printer,
            sentences: HashMap::new(),
            running: Vec::new(),
            bottom: None,
            started: Instant::now(),
            total: 0,
            done: 0,
            applied: 0,
            satisfied: 0,
            skipped: 0,
            frame: 0,
        }
    }

    fn sentence(&self, id: &StepId) -> String {
        sentence(self.sentences.get(id).map_or(id.as_str(), String::as_str), self.printer.colour())
    }

    fn begin(&mut self) {
        self.started = Instant::now();
        (self.done, self.applied, self.satisfied, self.skipped) = (0, 0, 0, 0);
        if self.printer.is_live() {
            self.bottom = Some(self.printer.bars().add(line()));
            self.redraw();
        }
    }

    fn finish_step(&mut self, id: &StepId, outcome: &StepOutcome, seconds: f64) {
        if let Some(at) = self.running.iter().position(|run| run.id == *id)
            && let Some(bar) = self.running.remove(at).bar
        {
            bar.finish_and_clear();
            self.printer.bars().remove(&bar);
        }
        self.done += 1;
        let (mark, note) = match outcome {
            StepOutcome::Applied | StepOutcome::Undone => (paint(GOOD, "✓"), String::new()),
            StepOutcome::Failed { .. } => (paint(BAD, "✗"), format!("  {}", paint(BAD, "failed"))),
            StepOutcome::Cancelled => (paint(CAUTION, "-"), "  cancelled".to_owned()),
            StepOutcome::Satisfied => {
                self.satisfied += 1;
                return self.printer.detail(format!("= {}", self.sentence(id)));
            }
            StepOutcome::Skipped { .. } => {
                self.skipped += 1;
                return;
            }
        };
        if matches!(outcome, StepOutcome::Applied | StepOutcome::Undone) {
            self.applied += 1;
        }
        let took = paint(DIM, &duration(seconds));
        self.printer.err(format!("{mark} {}  {took}{note}", self.sentence(id)));
    }

    fn finish(&mut self, outcome: RunOutcome, seconds: f64) {
        if let Some(bottom) = self.bottom.take() {
            bottom.finish_and_clear();
            self.printer.bars().remove(&bottom);
        }
        let mut parts = vec![format!("{} done", self.applied)];
        if self.satisfied > 0 {
            parts.push(format!("{} already as wanted", self.satisfied));
        }
        if self.skipped > 0 {
            parts.push(format!("{} not started", self.skipped));
        }
        let what = match outcome {
            RunOutcome::Completed => paint(GOOD, "Completed"),
            RunOutcome::Failed => paint(BAD, "Failed"),
            RunOutcome::Cancelled => paint(CAUTION, "Interrupted"),
        };
        self.printer.err(format!("{what} after {}: {}", duration(seconds), parts.join(", ")));
    }

    fn redraw(&mut self) {
        self.frame = (self.frame + 1) % SPINNER.len();
        let Some(bottom) = &self.bottom else { return };
        let elapsed = duration(self.started.elapsed().as_secs_f64());
        self.show(bottom, &paint(DIM, &format!("{}/{} steps, {elapsed}", self.done, self.total)));
        for at in 0..self.running.len() {
            let run = &self.running[at];
            if run.bar.is_none() && run.started.elapsed() >= VISIBLE_AFTER {
                self.running[at].bar = Some(self.printer.bars().insert_before(bottom, line()));
            }
            let run = &self.running[at];
            let Some(bar) = &run.bar else { continue };
            let took = duration(run.started.elapsed().as_secs_f64());
            let text = format!("{} {}  {}", SPINNER[self.frame], self.sentence(&run.id), paint(DIM, &took));
            let said = if run.said.is_empty() { String::new() } else { format!("  {}", paint(DIM, &run.said)) };
            self.show(bar, &format!("{text}{said}"));
        }
    }

    fn show(&self, bar: &ProgressBar, text: &str) {
        bar.set_message(if self.printer.colour() { text.to_owned() } else { strip_str(text).to_string() });
    }

    /// Without a terminal: that a step runs, once it does so visibly, and again while it takes long.
    fn remind(&mut self) {
        for at in 0..self.running.len() {
            let run = &self.running[at];
            let due = match run.told {
                None => run.started.elapsed() >= VISIBLE_AFTER,
                Some(told) => told.elapsed() >= REMIND_AFTER,
            };
            if !due {
                continue;
            }
            let mut text = format!("… {}", self.sentence(&run.id));
            if run.told.is_some() {
                let took = duration(run.started.elapsed().as_secs_f64());
                text = format!("{text}  {took}  {}", run.said).trim_end().to_owned();
            }
            self.printer.err(text);
            self.running[at].told = Some(Instant::now());
        }
    }
}

impl Sink for Display {
    fn record(&mut self, record: &Record) {
        match &record.event {
            Event::PlanStarted { steps, .. } => {
                self.sentences = steps.iter().map(|step| (step.id.clone(), step.sentence.clone())).collect();
                self.total = steps.len();
                self.begin();
            }
            Event::StepStarted { id, .. } => {
                let run = Running { id: id.clone(), started: Instant::now(), said: String::new(), bar: None, told: None };
                self.running.push(run);
            }
            Event::StepProgress { id, text } => {
                self.printer.detail(format!("  {}: {text}", self.sentence(id)));
                if let Some(run) = self.running.iter_mut().find(|run| run.id == *id) {
                    run.said = first_line(text);
                }
            }
            Event::StepRetry { id, attempt, error } => {
                let text = format!("attempt {attempt} failed: {}", brief(error));
                if !self.printer.is_live() {
                    self.printer.err(format!("{} {}: {text}", paint(CAUTION, "!"), self.sentence(id)));
                }
                if let Some(run) = self.running.iter_mut().find(|run| run.id == *id) {
                    run.said = text;
                }
            }
            Event::StepFinished { id, outcome, seconds } => self.finish_step(id, outcome, *seconds),
            // The end follows at once, and tells why.
            Event::PlanStopping { running: 0, .. } => {}
            Event::PlanStopping { interrupted, running, .. } => {
                let again = if *interrupted { "; Ctrl-C again ends at once" } else { "" };
                let steps = if *running == 1 { "step" } else { "steps" };
                let wait = format!("Starting nothing new, waiting for {running} running {steps}{again}");
                self.printer.err(paint(CAUTION, &wait));
            }
            Event::Log { text } => self.printer.err(text),
            Event::PlanFinished { outcome, seconds } => self.finish(*outcome, *seconds),
            Event::RunStarted { .. } | Event::RunFinished { .. } | Event::Failed { .. } => {}
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
    }

    fn tick(&mut self) {
        if self.printer.is_live() {
            self.redraw();
        } else if self.printer.verbosity() > Verbosity::Quiet {
            self.remind();
        }
    }
}

/// A line of the display that holds one message, cut at the terminal's edge.
fn line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What failed, and the last thing that was said of it.
fn brief(error: &str) -> String {
    match error.trim_end().rsplit_once('\n') {
        Some((_, last)) => format!("{}: {}", first_line(error), last.trim().trim_start_matches("caused by: ")),
        None => error.to_owned(),
    }
}
