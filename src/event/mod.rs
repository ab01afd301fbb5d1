//! What happens during a run, as values; every verb that changes something uses the same ones.
//!
//! In: what running work emits into one channel, instead of printing it. Out: the same values with their times, for the
//! sinks at the other end: displays, logs, reports. Nothing is touched.

mod channel;
mod scenario;
mod sinks;
mod step;

use serde::{Deserialize, Serialize};

pub use channel::{Events, Record, Sink, Sinks};
pub use scenario::{Phase, Trial, Verdict};
pub use sinks::{Collector, LogSink};
pub use step::{Direction, StepInfo, StepOutcome};

pub(crate) use channel::seconds;

use crate::graph::StepId;

/// How a run, or the plan in it, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// All of it is done.
    Completed,
    /// Something failed.
    Failed,
    /// It was stopped: by the user, or because its time was over.
    Cancelled,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// First event of a run, whatever its verb.
    RunStarted {
        /// The run's name.
        run_id: String,
        /// The verb that was typed: `up`, `down`, `test`.
        verb: String,
        /// The cluster's name.
        name: String,
        /// The wall-clock time.
        started: jiff::Timestamp,
    },
    /// Last event of a run.
    RunFinished {
        /// How it ended.
        outcome: RunOutcome,
        /// Seconds since the run started.
        seconds: f64,
    },
    /// The error that the command ended with; sent after the run, or without one.
    Failed {
        /// The message with its causes.
        message: String,
        /// What to do next.
        hint: Option<String>,
        /// The exit code.
        code: u8,
    },
    /// A message that belongs to no step.
    Log {
        /// The message.
        text: String,
    },

    /// A plan begins to run.
    PlanStarted {
        /// Which way it goes.
        direction: Direction,
        /// All steps, in an order in which they can run.
        steps: Vec<StepInfo>,
    },
    /// A step began, with its check.
    StepStarted {
        /// The step.
        id: StepId,
        /// Seconds between the end of its last dependency and now: the delay caused by the limits.
        waited: f64,
    },
    /// What a step is doing now.
    StepProgress {
        /// The step.
        id: StepId,
        /// A fragment such as "2 of 3 ready".
        text: String,
    },
    /// An attempt failed and another one follows.
    StepRetry {
        /// The step.
        id: StepId,
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// The message with its causes.
        error: String,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        id: StepId,
        /// How it ended.
        outcome: StepOutcome,
        /// Seconds since the step started; 0 if it never did.
        seconds: f64,
    },
    /// Nothing new is started from here on.
    PlanStopping {
        /// A fragment such as "step `x` failed".
        reason: String,
        /// True when stopped from outside, false after a failure.
        interrupted: bool,
        /// Number of steps still running.
        running: usize,
    },
    /// The plan has ended; a step that never started has been reported as skipped.
    PlanFinished {
        /// How it ended.
        outcome: RunOutcome,
        /// Seconds since the plan started.
        seconds: f64,
    },

    /// A scenario begins.
    ScenarioStarted {
        /// The scenario's name.
        scenario: String,
        /// The claim it makes.
        title: String,
    },
    /// A change left by an earlier run was taken back.
    Healed {
        /// What had been changed.
        object: String,
    },
    /// Something that is not under test is being measured.
    Measuring {
        /// A fragment such as "how well this machine generates load".
        what: String,
    },
    /// A trial begins.
    TrialStarted {
        /// With or without what the claim depends on.
        trial: Trial,
    },
    /// An object of the cluster is changed, or changed back.
    Changing {
        /// Kind, namespace and name.
        object: String,
        /// True when a change is taken back.
        back: bool,
    },
    /// A part of a trial begins.
    PhaseStarted {
        /// Which part.
        phase: Phase,
    },
    /// The load so far, sent a few times a second.
    Load {
        /// Number of requests with a known outcome.
        requests: u64,
        /// How many of them failed.
        failed: u64,
    },
    /// A fault is injected.
    FaultInjected {
        /// The kind of fault, as scenario files spell it.
        fault: String,
        /// What it hits, for example "pod was-1 on quick-worker".
        target: String,
        /// Its number in the series, counted from 1.
        number: u32,
        /// How many there will be.
        of: u32,
    },
    /// What a fault took away is back.
    FaultRecovered {
        /// The kind of fault, as scenario files spell it.
        fault: String,
        /// Milliseconds since it was injected.
        after_ms: f64,
    },
    /// The steady state holds.
    Steady {
        /// Milliseconds since the load began, or since the last fault.
        after_ms: f64,
    },
    /// A window of a comparison is over.
    WindowEnded {
        /// Its number within the part, counted from 1.
        number: u32,
        /// How many windows the part has.
        of: u32,
        /// Requests so far in this part.
        requests: u64,
        /// How many of them failed.
        failed: u64,
    },
    /// A comparison has ended.
    ComparisonFinished {
        /// The comparison's name.
        comparison: String,
        /// The result: `better`, `worse`, `equivalent`, `inconclusive` or `INVALID`.
        verdict: String,
    },
    /// A scenario has ended, clean-up included.
    ScenarioFinished {
        /// The scenario's name.
        scenario: String,
        /// How it ended.
        verdict: Verdict,
    },
}
