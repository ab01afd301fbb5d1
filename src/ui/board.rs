//! What a run looks like right now, as lines: stages with the steps that run side by side in them, or the scenario being run.
//! It prints nothing and has no clock: the same events at the same times give the same lines.

use std::collections::HashMap;

use super::scenario;
use super::style::{DIM, duration, paint, sentence};
use super::visible::cut;
use crate::event::{Direction, Event, Record, StepInfo, StepOutcome, Trial};
use crate::graph::StepId;

/// A step is shown once it has run this long, in seconds: most checks are over sooner, and would only flicker.
const VISIBLE_AFTER: f64 = 0.25;
/// A step that has run this long, in seconds, is shown with what it waits for, even if it has not reported anything.
const SILENT_FOR: f64 = 2.0;
/// Columns of a step's line used by neither its sentence, its time nor what it waits for.
const BESIDE_SENTENCE: usize = 8;
const SPINNER: [&str; 8] = ["⣾", "⣽", "⣻", "⢿", "⡿", "⣟", "⣯", "⣷"];

/// The state of a run.
#[derive(Default)]
pub(super) struct Board {
    steps: HashMap<StepId, Step>,
    stages: Vec<Stage>,
    running: Vec<Running>,
    undo: bool,
    planned: f64,
    name: String,
    trial: Option<TrialView>,
}

struct Step {
    sentence: String,
    stage: usize,
}

/// A stage, with the numbers of its steps by outcome.
#[derive(Default)]
pub(super) struct Stage {
    pub name: String,
    total: usize,
    pub applied: usize,
    pub satisfied: usize,
    skipped: usize,
    /// Steps that failed or were dropped.
    pub broken: usize,
    began: Option<f64>,
    ended: f64,
}

/// A running step.
pub(super) struct Running {
    pub id: StepId,
    stage: usize,
    pub started: f64,
    pub said: String,
}

/// A scenario or comparison being run.
struct TrialView {
    name: String,
    trial: &'static str,
    doing: String,
    since: f64,
    load: String,
}

impl Stage {
    fn done(&self) -> usize {
        self.applied + self.satisfied + self.skipped + self.broken
    }

    /// Seconds from the start of its first step to the end of its last.
    pub fn seconds(&self) -> f64 {
        self.began.map_or(0.0, |began| self.ended - began)
    }
}

impl Board {
    /// Takes an event; returns the stage that ended with it, if one did.
    pub fn record(&mut self, record: &Record) -> Option<&Stage> {
        match &record.event {
            Event::PlanStarted { direction, steps } => self.plan(*direction, steps, record.at),
            Event::StepStarted { id, .. } => {
                let stage = self.steps.get(id)?.stage;
                self.stages[stage].began.get_or_insert(record.at);
                self.running.push(Running { id: id.clone(), stage, started: record.at, said: String::new() });
            }
            Event::StepProgress { id, text } => self.says(id, text.lines().next().unwrap_or_default().to_owned()),
            Event::StepRetry { id, attempt, error } => self.says(id, format!("attempt {attempt} failed: {}", brief(error))),
            Event::StepFinished { id, outcome, .. } => return self.finished(id, outcome, record.at),
            _ => self.scenario(record),
        }
        None
    }

    fn plan(&mut self, direction: Direction, steps: &[StepInfo], at: f64) {
        *self = Board { undo: direction == Direction::Undo, planned: at, ..Board::default() };
        for info in steps {
            let stage = self.stages.iter().position(|stage| stage.name == info.stage).unwrap_or_else(|| {
                self.stages.push(Stage { name: info.stage.clone(), ..Stage::default() });
                self.stages.len() - 1
            });
            self.stages[stage].total += 1;
            self.steps.insert(info.id.clone(), Step { sentence: info.sentence.clone(), stage });
        }
    }

    fn says(&mut self, id: &StepId, text: String) {
        if let Some(run) = self.running.iter_mut().find(|run| run.id == *id) {
            run.said = text;
        }
    }

    fn finished(&mut self, id: &StepId, outcome: &StepOutcome, at: f64) -> Option<&Stage> {
        self.running.retain(|run| run.id != *id);
        let stage = &mut self.stages[self.steps.get(id)?.stage];
        match outcome {
            StepOutcome::Applied | StepOutcome::Undone => stage.applied += 1,
            StepOutcome::Satisfied => stage.satisfied += 1,
            StepOutcome::Skipped { .. } => stage.skipped += 1,
            StepOutcome::Failed { .. } | StepOutcome::Cancelled => stage.broken += 1,
        }
        stage.ended = at;
        (stage.done() == stage.total).then_some(stage)
    }

    fn scenario(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::RunStarted { name, .. } => self.name = name.clone(),
            Event::ScenarioStarted { scenario, .. } => self.trial = Some(TrialView::new(scenario, at)),
            Event::ScenarioFinished { .. } | Event::ComparisonFinished { .. } => self.trial = None,
            Event::Load { requests, failed } => self.loaded(scenario::load(*requests, *failed)),
            Event::WindowEnded { number, of, requests, failed } => {
                self.loaded(scenario::window(*number, *of, *requests, *failed));
            }
            event => {
                // a comparison starts with a measurement
                if let (Event::Measuring { .. }, None) = (event, &self.trial) {
                    self.trial = Some(TrialView::new(&self.name, at));
                }
                let Some(view) = &mut self.trial else { return };
                let doing = match event {
                    Event::TrialStarted { trial } => {
                        view.load.clear();
                        view.trial = if *trial == Trial::Claim { "as written" } else { "negative control" };
                        return;
                    }
                    Event::Measuring { what } => format!("measuring {what}"),
                    Event::Changing { object, back: false } => format!("changing {object}"),
                    Event::Changing { object, back: true } => format!("changing {object} back"),
                    Event::PhaseStarted { phase } => scenario::phase_text(*phase).to_owned(),
                    Event::FaultInjected { fault, target, number, of } => format!("{fault} {number}/{of}: {target}"),
                    _ => return,
                };
                (view.doing, view.since) = (doing, at);
            }
        }
    }

    fn loaded(&mut self, text: String) {
        if let Some(view) = &mut self.trial {
            view.load = text;
        }
    }

    /// The sentence of a step, in colour if that is wanted.
    pub fn sentence(&self, id: &StepId, colour: bool) -> String {
        sentence(self.steps.get(id).map_or(id.as_str(), |step| step.sentence.as_str()), colour)
    }

    /// The stage of a step, padded to the length of the longest name.
    pub fn stage(&self, id: &StepId) -> String {
        let width = self.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
        let name = self.steps.get(id).map_or("", |step| self.stages[step.stage].name.as_str());
        format!("{name:<width$}")
    }

    /// Running steps, the one running for longest first.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// What a step is doing: its last report, else what it must be doing.
    pub fn said<'a>(&self, run: &'a Running) -> &'a str {
        match (run.said.as_str(), self.undo) {
            ("", false) => "looking at what is there",
            ("", true) => "no word from it yet",
            (said, _) => said,
        }
    }

    /// What the scenario is doing, and since when; none if no scenario runs.
    pub fn scenario_now(&self) -> Option<(String, f64)> {
        self.trial.as_ref().map(|view| (view.text(), view.since))
    }

    /// A running step as one line: if there is little room, its sentence is cut in favour of what it waits for.
    fn line(&self, run: &Running, took: f64, columns: usize, colour: bool) -> String {
        let said = if run.said.is_empty() && took < SILENT_FOR { "" } else { self.said(run) };
        let took = duration(took);
        let room = columns.saturating_sub(BESIDE_SENTENCE + took.chars().count());
        let text = self.steps.get(&run.id).map_or(run.id.as_str(), |step| step.sentence.as_str());
        let kept = match said.chars().count() {
            0 => room,
            said => room.saturating_sub(said + 2).max(room / 2),
        };
        let line = format!("{}  {}", sentence(&cut(text, kept), colour), paint(DIM, &took));
        if said.is_empty() { line } else { format!("{line}  {}", paint(DIM, said)) }
    }

    /// Everything in at most `rows` lines, for a terminal with that many `columns`, at the time `at`. `frame` counts redraws.
    pub fn lines(&self, at: f64, frame: usize, (columns, rows): (usize, usize), colour: bool) -> Vec<String> {
        let spinner = SPINNER[frame % SPINNER.len()];
        if let Some((text, since)) = self.scenario_now() {
            return vec![format!("{spinner} {text}  {}", paint(DIM, &duration(at - since)))];
        }
        let mut lines = Vec::new();
        let mut hidden = 0;
        // a heading for each stage, and a footer
        let mut room = rows.saturating_sub(self.stages.iter().filter(|stage| stage.is_open()).count() + 2);
        for (number, stage) in self.stages.iter().enumerate().filter(|(_, stage)| stage.is_open()) {
            let counts = paint(DIM, &format!("{}/{}", stage.done(), stage.total));
            lines.push(format!("  {}  {counts}", stage.name));
            for run in self.running.iter().filter(|run| run.stage == number && at - run.started >= VISIBLE_AFTER) {
                if room == 0 {
                    hidden += 1;
                    continue;
                }
                room -= 1;
                lines.push(format!("    {spinner} {}", self.line(run, at - run.started, columns, colour)));
            }
        }
        if !self.steps.is_empty() {
            let done: usize = self.stages.iter().map(Stage::done).sum();
            let more = if hidden > 0 { format!(", {hidden} more at work") } else { String::new() };
            let foot = format!("{done}/{} steps, {}{more}", self.steps.len(), duration(at - self.planned));
            lines.push(paint(DIM, &foot));
        }
        lines
    }
}

impl Stage {
    fn is_open(&self) -> bool {
        self.began.is_some() && self.done() < self.total
    }
}

impl TrialView {
    fn new(name: &str, since: f64) -> TrialView {
        let doing = "looking at what it needs".into();
        TrialView { name: name.to_owned(), trial: "", doing, since, load: String::new() }
    }

    fn text(&self) -> String {
        let parts = [self.name.as_str(), self.trial, &self.doing, &self.load];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }
}

/// The first and the last line of an error.
pub(super) fn brief(error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    match error.trim_end().rsplit_once('\n') {
        Some((_, last)) => format!("{first}: {}", last.trim().trim_start_matches("caused by: ")),
        None => error.to_owned(),
    }
}
