//! What a user sees, as snapshots.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;
use crate::error::{BoxError, Explain, Family};
use crate::event::{Direction, Event, Phase, Record, RunOutcome, Sink, StepInfo, StepOutcome, Trial, Verdict};
use crate::graph::StepId;

/// What a terminal with this many rows shows at a moment of the story, and the stages folded until then.
fn at(moment: f64, rows: usize) -> String {
    on(moment, (80, rows))
}

/// The same for a terminal with these columns and rows.
fn on(moment: f64, size: (usize, usize)) -> String {
    let mut board = board::Board::default();
    let mut folded = Vec::new();
    for record in story().iter().filter(|record| record.at <= moment) {
        folded.extend(board.record(record).map(|stage| format!("[{} is done]", stage.name)));
    }
    folded.extend(board.lines(moment + 0.5, 0, size, false));
    anstream::adapter::strip_str(&folded.join("\n")).to_string()
}

#[test]
fn a_terminal_shows_stages_with_what_runs_side_by_side() {
    insta::assert_snapshot!(at(1.0, 24), @r"
      Nodes  1/3
        ⣾ Start node `one`  1.5 s  pulling
    1/4 steps, 1.5 s
    ");
    insta::assert_snapshot!(at(4.0, 24), @r"
      Nodes  2/3
        ⣾ Start node `two`  0.5 s
    2/4 steps, 4.5 s
    ");
    insta::assert_snapshot!(at(9.0, 24), @r"
      Nodes  2/3
        ⣾ Start node `two`  5.5 s  attempt 1 failed: no answer: refused
    2/4 steps, 9.5 s
    ");
    // a narrow terminal still shows what a step waits for
    insta::assert_snapshot!(on(9.0, (40, 24)), @r"
      Nodes  2/3
        ⣾ Start node `…  5.5 s  attempt 1 failed: no answer: refused
    2/4 steps, 9.5 s
    ");
    // nothing is hidden silently: steps that do not fit are counted
    insta::assert_snapshot!(at(1.0, 3), @r"
      Nodes  1/3
    1/4 steps, 1.5 s, 1 more at work
    ");
    insta::assert_snapshot!(at(10.0, 24), @r"
    [Nodes is done]
    [Cluster is done]
    4/4 steps, 10.5 s
    ");
}

/// A stream whose content can be inspected.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("lock").clone()).expect("UTF-8")
    }
}

fn printer(verbosity: Verbosity) -> (Printer, Paper, Paper) {
    let (out, err) = (Paper::default(), Paper::default());
    (Printer::into_streams(verbosity, out.clone(), err.clone()), out, err)
}

/// Four steps: one satisfied, one that waits its turn, one that fails, one that never starts.
fn story() -> Vec<Record> {
    let info = |id: &str, sentence: &str, after: &[&str]| StepInfo {
        id: id.into(),
        sentence: sentence.into(),
        stage: if id == "api" { "Cluster".into() } else { "Nodes".into() },
        target: None,
        after: after.iter().map(|id| StepId::from(*id)).collect(),
        milestone: ["one", "two"].contains(&id).then(|| format!("answer of `{id}`")),
    };
    let steps = vec![
        info("network", "Create network `kind`", &[]),
        info("one", "Start node `one`", &["network"]),
        info("two", "Start node `two`", &["network"]),
        info("api", "Wait for the API server", &["one"]),
    ];
    let started = |id: &str, waited| Event::StepStarted { id: id.into(), waited };
    let finished = |id: &str, outcome, seconds| Event::StepFinished { id: id.into(), outcome, seconds };
    let events = [
        (0.0, Event::PlanStarted { direction: Direction::Apply, steps }),
        (0.0, started("network", 0.0)),
        (0.0, finished("network", StepOutcome::Satisfied, 0.0)),
        (0.0, started("one", 0.0)),
        (1.0, Event::StepProgress { id: "one".into(), text: "pulling".into() }),
        (4.0, finished("one", StepOutcome::Applied, 4.0)),
        (4.0, started("two", 4.0)),
        (5.0, Event::StepRetry { id: "two".into(), attempt: 1, error: "no answer\n  caused by: refused".into() }),
        (10.0, finished("two", StepOutcome::Failed { error: "no answer".into() }, 6.0)),
        (10.0, Event::PlanStopping { reason: "step `two` failed".into(), interrupted: false, running: 0 }),
        (10.0, finished("api", StepOutcome::Skipped { reason: "step `two` failed".into() }, 0.0)),
        (10.0, Event::PlanFinished { outcome: RunOutcome::Failed, seconds: 10.0 }),
    ];
    events.into_iter().map(|(at, event)| Record { at, event }).collect()
}

fn shown(verbosity: Verbosity) -> String {
    let (printer, out, err) = printer(verbosity);
    let mut display = Display::new(printer);
    story().iter().for_each(|record| display.record(record));
    assert_eq!(out.text(), "", "stdout is for data");
    err.text()
}

#[test]
fn plain_progress() {
    insta::assert_snapshot!(shown(Verbosity::Normal), @r"
    ✓ Nodes    Start node `one`  4.0 s
    ! Nodes    Start node `two`: attempt 1 failed: no answer: refused
    ✗ Nodes    Start node `two`  6.0 s  no answer
    Failed after 10.0 s: 1 done, 1 already as wanted, 1 not started
    ");
    insta::assert_snapshot!(shown(Verbosity::Verbose), @r"
    = Nodes    Create network `kind`
      Start node `one`: pulling
    ✓ Nodes    Start node `one`  4.0 s
    ! Nodes    Start node `two`: attempt 1 failed: no answer: refused
    ✗ Nodes    Start node `two`  6.0 s  no answer
    Failed after 10.0 s: 1 done, 1 already as wanted, 1 not started
    ");
    assert_eq!(shown(Verbosity::Quiet), "");
}

#[test]
fn a_scenario_in_the_same_display() {
    let (printer, _, err) = printer(Verbosity::Normal);
    let mut display = Display::new(printer);
    let events = [
        Event::ScenarioStarted { scenario: "pod-kill".into(), title: "No request is lost".into() },
        Event::Measuring { what: "how well this machine generates load".into() },
        Event::TrialStarted { trial: Trial::Claim },
        Event::PhaseStarted { phase: Phase::Before },
        Event::Load { requests: 10, failed: 0 },
        Event::Steady { after_ms: 5000.0 },
        Event::PhaseStarted { phase: Phase::Faults },
        Event::FaultInjected { fault: "podKill".into(), target: "pod was-1 on demo-worker".into(), number: 1, of: 3 },
        Event::FaultRecovered { fault: "podKill".into(), after_ms: 2100.0 },
        Event::ScenarioFinished { scenario: "pod-kill".into(), verdict: Verdict::Pass },
    ];
    events.into_iter().for_each(|event| display.record(&Record { at: 0.0, event }));
    insta::assert_snapshot!(err.text(), @r"
    scenario pod-kill
      measuring how well this machine generates load
      as written
        waiting for the steady state
          steady after 5.0 s
        faults
        podKill 1/3: pod was-1 on demo-worker
          back after 2.1 s
      PASS
    ");
}

#[test]
fn timings() {
    let table = timing_table(&story(), 60, true).expect("steps ran");
    insta::assert_snapshot!(table.replace('\u{a0}', " "), @r"
        step              waited   took
        Start node `one`          4.0 s  █████
     *  Start node `two`   4.0 s  6.0 s  ░░░░░███████
    ");
    assert_eq!(timing_table(&story()[..3], 60, true), None);
}

#[test]
fn a_milestone_is_said_once_it_is_reached() {
    assert_eq!(milestones(&story()), ["answer of `one` after 4.0 s"], "the other step failed");
}

#[test]
fn events_as_lines() {
    let (printer, _, err) = printer(Verbosity::Quiet);
    let mut lines = JsonLines(printer);
    story().iter().for_each(|record| lines.record(record));
    let read: Vec<Record> = err.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(read, story());
}

#[derive(Debug, thiserror::Error)]
#[error("cannot reach the Docker engine")]
struct Unreachable(#[source] io::Error);

impl Explain for Unreachable {
    fn family(&self) -> Family {
        Family::Docker
    }
    fn hint(&self) -> Option<String> {
        Some("start it: `systemctl start docker`".into())
    }
}

#[test]
fn failures_tell_cause_hint_and_log() {
    let (printer, _, err) = printer(Verbosity::Quiet);
    let error: BoxError = Unreachable(io::Error::other("connection refused")).into();
    failure(&printer, &error, Some(std::path::Path::new("/tmp/debug.log")));
    insta::assert_snapshot!(err.text(), @r"
    error: cannot reach the Docker engine
      caused by: connection refused
    hint: start it: `systemctl start docker`
    debug log: /tmp/debug.log
    ");
}

#[test]
fn data_goes_to_stdout_and_colours_do_not() {
    let (printer, out, err) = printer(Verbosity::Quiet);
    printer.out("\u{1b}[32mgreen\u{1b}[0m");
    printer.json(&serde_json::json!({"a": 1}));
    printer.err("talk");
    assert_eq!((out.text(), err.text()), ("green\n{\n  \"a\": 1\n}\n".to_owned(), String::new()));
}
