//! A run: heal, check, measure, take away what the claim depends on, measure again, clean up, judge.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinError;

use super::change::Edit;
use super::record::{AssertionRecord, Cleanup, ControlRecord, Method, RunRecord, TrialRecord};
use super::schema::{Negative, Validity};
use super::trial::target;
use super::undo::{Changes, Until, heal};
use super::{Context, Scenario, ScenarioError, requirement, trial};
use crate::error::{Explain, Family, chain};
use crate::event::{Event, Trial, Verdict};
use crate::load::{Arrivals, Calibration, calibrate};

/// How long the generator is calibrated before a run.
const CALIBRATION: Duration = Duration::from_secs(2);

/// Runs a scenario. There is always a record, which also contains whatever went wrong.
///
/// Clean-up cannot be interrupted: cancelling only ends the measurement, and dropping this future ends nothing.
pub async fn run(context: &Context, scenario: &Scenario) -> RunRecord {
    let (inner, task) = (context.clone(), scenario.clone());
    let (name, title) = (scenario.metadata.name.clone(), scenario.metadata.title.clone());
    context.events.emit(Event::ScenarioStarted { scenario: name.clone(), title });
    let record = match tokio::spawn(async move { Run::new(inner, task).await.go().await }).await {
        Ok(record) => record,
        Err(error) => after_panic(context, scenario, error).await,
    };
    context.events.emit(Event::ScenarioFinished { scenario: name, verdict: record.verdict });
    record
}

/// A defect of Hearth must not leave the cluster changed.
async fn after_panic(context: &Context, scenario: &Scenario, error: JoinError) -> RunRecord {
    let mut run = Run::new(context.clone(), scenario.clone()).await;
    run.error(&ScenarioError::Panicked(error));
    match heal(&context.hands(), &context.journal, Until::Settled).await {
        Ok(undone) => run.record.cleanup.undone = undone,
        Err(error) => run.leave(error.to_string()),
    }
    run.record
}

struct Run {
    context: Context,
    scenario: Scenario,
    record: RunRecord,
}

impl Run {
    async fn new(context: Context, scenario: Scenario) -> Self {
        let record = RunRecord {
            scenario: scenario.metadata.name.clone(),
            title: scenario.metadata.title.clone(),
            file: scenario.file.clone(),
            run: context.run.clone(),
            started: Timestamp::now(),
            finished: Timestamp::now(),
            verdict: Verdict::Error,
            reasons: Vec::new(),
            family: None,
            environment: requirement::environment(&context, &scenario).await,
            method: method(&context, &scenario),
            calibration: None,
            trial: None,
            control: None,
            cleanup: Cleanup::default(),
        };
        Run { context, scenario, record }
    }

    async fn go(mut self) -> RunRecord {
        if let Err(error) = self.measure().await {
            self.error(&error);
        }
        self.record.finished = Timestamp::now();
        self.record
    }

    fn end(&mut self, verdict: Verdict, reasons: Vec<String>) {
        self.record.verdict = verdict;
        self.record.reasons = reasons;
    }

    fn error(&mut self, error: &ScenarioError) {
        self.record.family = Some(error.family());
        self.end(Verdict::Error, vec![chain(error)]);
    }

    /// Records that something is still changed, which outweighs every verdict.
    fn leave(&mut self, what: String) {
        self.record.cleanup.left.push(what.clone());
        self.record.verdict = Verdict::Error;
        self.record.family = Some(Family::Leftover);
        self.record.reasons.push(format!("clean-up failed: {what}"));
    }

    async fn measure(&mut self) -> Result<(), ScenarioError> {
        let hands = self.context.hands();
        self.record.cleanup.healed = tokio::select! {
            healed = heal(&hands, &self.context.journal, Until::Settled) => healed?,
            () = self.context.cancel.cancelled() => return Err(ScenarioError::Cancelled),
        };
        for object in self.record.cleanup.healed.clone() {
            self.context.events.emit(Event::Healed { object });
        }
        let missing = requirement::missing(&self.context, &self.scenario).await?;
        if !missing.is_empty() {
            self.end(Verdict::Skipped, missing);
            return Ok(());
        }
        self.context.events.emit(Event::Measuring { what: "how well this machine generates load".into() });
        let load = &self.scenario.spec.load;
        let arrivals = Arrivals::new(load.rate.0, load.arrivals.jitter.0, load.arrivals.seed);
        let calibration = calibrate(arrivals, CALIBRATION).await?;
        let unfit = unfit(&calibration, &self.scenario.spec.validity);
        self.record.calibration = Some(calibration);
        if !unfit.is_empty() {
            self.end(Verdict::Invalid, unfit);
            return Ok(());
        }
        let edits: Vec<Edit> = self.scenario.spec.setup.iter().map(|setup| setup.edit.clone()).collect();
        let claim = self.trial(Trial::Claim, &edits).await?;
        let (verdict, reasons) = judge_claim(&claim);
        self.record.trial = Some(claim);
        self.end(verdict, reasons);
        // a control proves something only about a claim that holds
        let Some(control) = self.scenario.spec.control.clone().filter(|_| self.record.verdict == Verdict::Pass) else {
            return Ok(());
        };
        let Negative { title, without, patches, must_fail } = control.negative;
        let kept = self.scenario.spec.setup.iter().filter(|setup| !without.contains(&setup.id));
        let edits: Vec<Edit> = kept.map(|setup| setup.edit.clone()).chain(patches.into_iter().map(Edit::Patch)).collect();
        let trial = self.trial(Trial::Control, &edits).await?;
        let held: Vec<String> = must_fail.iter().filter(|id| !failed_by_system(&trial, id)).cloned().collect();
        let control = ControlRecord { title, must_fail, held, trial };
        if let Some(reasons) = judge_control(&control) {
            self.end(Verdict::Inconclusive, reasons);
        }
        self.record.control = Some(control);
        Ok(())
    }

    /// Sets up, measures, and undoes everything whatever happened.
    async fn trial(&mut self, kind: Trial, edits: &[Edit]) -> Result<TrialRecord, ScenarioError> {
        let events = self.context.events.clone();
        events.emit(Event::TrialStarted { trial: kind });
        let name = self.undo_name(kind);
        let mut changes = Changes::new(self.context.hands(), &self.context.journal, &self.context.run, &name)?;
        let mut result = Ok(());
        for edit in edits {
            events.emit(Event::Changing { object: edit.object(), back: false });
            result = edit.make(&mut changes).await;
            if result.is_ok() && self.context.cancel.is_cancelled() {
                result = Err(ScenarioError::Cancelled);
            }
            if result.is_err() {
                break;
            }
        }
        let trial = match result {
            Ok(()) => trial::run(&self.context, &self.scenario, kind, &mut changes).await,
            Err(error) => Err(error),
        };
        for undone in changes.undo_all().await {
            match undone {
                Ok(object) => {
                    events.emit(Event::Changing { object: object.clone(), back: true });
                    self.record.cleanup.undone.push(object);
                }
                Err((object, error)) => self.leave(format!("{object}: {}", chain(&error))),
            }
        }
        trial
    }

    fn undo_name(&self, kind: Trial) -> String {
        let trial = match kind {
            Trial::Claim => "a",
            Trial::Control => "b",
        };
        format!("{}-{trial}", self.scenario.metadata.name)
    }
}

fn method(context: &Context, scenario: &Scenario) -> Method {
    let load = &scenario.spec.load;
    Method {
        target: target(context, scenario).to_string(),
        rate_per_second: load.rate.0,
        arrivals: load.arrivals,
        connections: load.connections,
        timeout_ms: load.timeout.0.as_secs_f64() * 1e3,
        client_retries: 0,
        validity: scenario.spec.validity,
    }
}

/// Why nothing can be measured on this machine: the generator fails even against a server that does nothing.
fn unfit(calibration: &Calibration, validity: &Validity) -> Vec<String> {
    let mut unfit = Vec::new();
    if calibration.failed > 0 {
        let Calibration { failed, requests, .. } = calibration;
        unfit.push(format!("this machine cannot be measured on: {failed} of {requests} requests to a server of its own failed"));
    }
    let (late, limit) = (calibration.release_error_p99_ms, validity.release_error_p99);
    if late > limit.0.as_secs_f64() * 1e3 {
        unfit.push(format!(
            "this machine cannot be measured on: alone, the generator is {late:.1} ms late (p99), at most {limit} may be"
        ));
    }
    let (offered, needed) = (calibration.offered_share, validity.offered_rate);
    if offered < needed.0 {
        let offered = offered * 100.0;
        unfit.push(format!(
            "this machine cannot be measured on: alone, the generator sends {offered:.1} % of what is due, at least {needed} are needed"
        ));
    }
    unfit
}

/// True when an expectation is known to be broken, and not by the generator.
fn failed_by_system(trial: &TrialRecord, id: &str) -> bool {
    let broken = |assertion: &AssertionRecord| !assertion.holds && !assertion.by_generator && assertion.unknown.is_none();
    trial.assertions.iter().any(|assertion| assertion.id == id && broken(assertion))
}

fn judge_claim(trial: &TrialRecord) -> (Verdict, Vec<String>) {
    if !trial.invalid.is_empty() {
        return (Verdict::Invalid, trial.invalid.clone());
    }
    let broken = trial.assertions.iter().filter(|assertion| failed_by_system(trial, &assertion.id));
    let mut reasons: Vec<String> = broken.map(|assertion| format!("{}: not so: {}", assertion.id, assertion.title)).collect();
    reasons.extend(trial.unrecovered.clone());
    if !reasons.is_empty() {
        return (Verdict::Fail, reasons);
    }
    let open = trial.assertions.iter().filter(|assertion| !assertion.holds);
    let open: Vec<String> = open.map(undecided).collect();
    (if open.is_empty() { Verdict::Pass } else { Verdict::Invalid }, open)
}

/// Why nothing can be concluded from an expectation that was not seen to hold.
fn undecided(assertion: &AssertionRecord) -> String {
    match &assertion.unknown {
        Some(why) => format!("{}: unknown: {why}", assertion.id),
        None => {
            format!("{}: broken only by requests that the generator did not send in time: more connections help", assertion.id)
        }
    }
}

/// Why the control proves nothing; none if it failed as it must.
fn judge_control(control: &ControlRecord) -> Option<Vec<String>> {
    if !control.trial.invalid.is_empty() {
        return Some(control.trial.invalid.iter().map(|why| format!("negative control: {why}")).collect());
    }
    let because = |id: &String| match control.trial.assertions.iter().find(|assertion| assertion.id == *id && !assertion.holds) {
        Some(assertion) => format!("negative control: {}", undecided(assertion)),
        None => format!("negative control: {id} holds without what it rests on: the test cannot fail"),
    };
    let reasons: Vec<String> = control.held.iter().map(because).collect();
    (!reasons.is_empty()).then_some(reasons)
}

#[cfg(test)]
mod tests;
