//! A run: heal, check, measure, take away what the claim rests on, measure again, clean up, judge.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinError;

use super::record::{Cleanup, ControlRecord, Method, RunRecord, TrialRecord};
use super::schema::Patch;
use super::trial::target;
use super::undo::{Changes, heal};
use super::{Context, Scenario, ScenarioError, requirement, trial};
use crate::error::{Explain, Family, chain};
use crate::event::{Event, Trial, Verdict};
use crate::load::{Arrivals, calibrate};

/// How long the generator is tried out before a run.
const CALIBRATION: Duration = Duration::from_secs(2);

/// Runs a scenario. There is always a record: whatever goes wrong is in it.
///
/// Clean-up cannot be interrupted: cancelling ends the measurement, dropping this future ends nothing.
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

/// A defect of our own must not leave the cluster changed.
async fn after_panic(context: &Context, scenario: &Scenario, error: JoinError) -> RunRecord {
    let mut run = Run::new(context.clone(), scenario.clone()).await;
    run.error(&ScenarioError::Panicked(error));
    match heal(&context.client, &context.journal).await {
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

    /// Something is still changed: that outweighs every verdict.
    fn leave(&mut self, what: String) {
        self.record.cleanup.left.push(what.clone());
        self.record.verdict = Verdict::Error;
        self.record.family = Some(Family::Leftover);
        self.record.reasons.push(format!("clean-up failed: {what}"));
    }

    async fn measure(&mut self) -> Result<(), ScenarioError> {
        self.record.cleanup.healed = heal(&self.context.client, &self.context.journal).await?;
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
        self.record.calibration = Some(calibrate(arrivals, CALIBRATION).await?);

        let setup = self.scenario.spec.setup.clone();
        let claim = self.trial(Trial::Claim, &setup).await?;
        let (verdict, reasons) = judge_claim(&claim);
        self.record.trial = Some(claim);
        self.end(verdict, reasons);
        // a control says something about a claim that holds; about another it says nothing
        let Some(control) = self.scenario.spec.control.clone().filter(|_| self.record.verdict == Verdict::Pass) else {
            return Ok(());
        };
        let patches: Vec<Patch> = setup.into_iter().chain(control.negative.patches).collect();
        let trial = self.trial(Trial::Control, &patches).await?;
        let failed = |id: &String| trial.assertions.iter().any(|assertion| assertion.id == *id && !assertion.holds);
        let must_fail = control.negative.must_fail;
        let held: Vec<String> = must_fail.iter().filter(|id| !failed(id)).cloned().collect();
        let control = ControlRecord { title: control.negative.title, must_fail, held, trial };
        if let Some(reasons) = judge_control(&control) {
            self.end(Verdict::Inconclusive, reasons);
        }
        self.record.control = Some(control);
        Ok(())
    }

    /// Sets up, measures, and takes everything back whatever happened.
    async fn trial(&mut self, kind: Trial, patches: &[Patch]) -> Result<TrialRecord, ScenarioError> {
        let events = self.context.events.clone();
        events.emit(Event::TrialStarted { trial: kind });
        let mut changes = Changes::open(self.context.client.clone(), &self.context.journal, &self.undo_name(kind))?;
        let mut result = Ok(());
        for patch in patches {
            events.emit(Event::Changing { object: patch.object.to_string(), back: false });
            result = changes.apply(patch).await.map(drop);
            if result.is_ok() && self.context.cancel.is_cancelled() {
                result = Err(ScenarioError::Cancelled);
            }
            if result.is_err() {
                break;
            }
        }
        let trial = match result {
            Ok(()) => trial::run(&self.context, &self.scenario, kind).await,
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
        format!("{}-{}-{trial}", self.context.run, self.scenario.metadata.name)
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

fn judge_claim(trial: &TrialRecord) -> (Verdict, Vec<String>) {
    if !trial.invalid.is_empty() {
        return (Verdict::Invalid, trial.invalid.clone());
    }
    let broken = trial.assertions.iter().filter(|assertion| !assertion.holds);
    let mut reasons: Vec<String> = broken.map(|assertion| format!("{}: not so: {}", assertion.id, assertion.title)).collect();
    reasons.extend(trial.unrecovered.clone());
    (if reasons.is_empty() { Verdict::Pass } else { Verdict::Fail }, reasons)
}

/// Why the control proves nothing; none when it failed as it must.
fn judge_control(control: &ControlRecord) -> Option<Vec<String>> {
    if !control.trial.invalid.is_empty() {
        return Some(control.trial.invalid.iter().map(|why| format!("negative control: {why}")).collect());
    }
    let held = control.held.iter();
    let reasons: Vec<String> =
        held.map(|id| format!("negative control: {id} holds without what it rests on: the test cannot fail")).collect();
    (!reasons.is_empty()).then_some(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::record::{Amount, AssertionRecord};

    fn trial(holds: bool, invalid: &[&str]) -> TrialRecord {
        let amount = Amount { value: 0.0, unit: "req".into() };
        let assertion = AssertionRecord {
            id: "zero-loss".into(),
            title: "No request is lost".into(),
            measured: Some(amount.clone()),
            comparison: "==".into(),
            bound: amount,
            holds,
        };
        let invalid = invalid.iter().map(|&why| why.to_owned()).collect();
        TrialRecord { assertions: vec![assertion], invalid, ..TrialRecord::default() }
    }

    #[test]
    fn what_does_not_count_is_neither_pass_nor_fail() {
        assert_eq!(judge_claim(&trial(true, &[])).0, Verdict::Pass);
        assert_eq!(judge_claim(&trial(false, &[])), (Verdict::Fail, vec!["zero-loss: not so: No request is lost".into()]));
        assert_eq!(judge_claim(&trial(false, &["late"])).0, Verdict::Invalid);
        let unrecovered = TrialRecord { unrecovered: Some("gone".into()), ..trial(true, &[]) };
        assert_eq!(judge_claim(&unrecovered).0, Verdict::Fail);
    }

    #[test]
    fn a_control_that_holds_or_does_not_count_proves_nothing() {
        let control = |held: &[&str], trial| ControlRecord {
            title: "no retries".into(),
            must_fail: vec!["zero-loss".into()],
            held: held.iter().map(|&id| id.to_owned()).collect(),
            trial,
        };
        assert_eq!(judge_control(&control(&[], trial(false, &[]))), None);
        assert!(judge_control(&control(&["zero-loss"], trial(true, &[]))).is_some());
        assert!(judge_control(&control(&[], trial(false, &["late"]))).is_some());
    }
}
