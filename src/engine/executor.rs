//! The ready queue: starts what can start, within limits; stops on failure or cancellation; applies a plan or undoes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::attempt::{Attempt, panicked};
use super::outcome::{Outcome, StepError, StepFailure};
use super::{Actor, Cancel, Reason, Stopped};
use crate::error::chain;
use crate::event::{Direction, Event, Events, RunOutcome, StepInfo, StepOutcome, seconds};
use crate::graph::{Kind, Plan, Step, StepId};
use crate::journal::Journal;
use crate::journal::steps::StepEntry;

/// Limits of a run, and its journal.
#[derive(Clone)]
pub struct Options {
    /// Steps at once.
    pub parallel: usize,
    /// Steps at once that work on the same target.
    pub per_target: usize,
    /// How long running steps may go on after a cancellation, and waiting steps after a failure.
    pub grace: Duration,
    /// How long the run may take.
    pub timeout: Duration,
    /// Where each mutation is noted before it happens.
    pub journal: Option<Arc<Journal<StepEntry>>>,
}

impl Default for Options {
    fn default() -> Self {
        Options { parallel: 16, per_target: 4, grace: Duration::from_secs(20), timeout: Duration::ZERO, journal: None }
    }
}

/// Runs `plan` in one direction. To apply it, each step is checked once everything it depends on is done, and applied if
/// needed; the first failure or a cancellation keeps further steps from starting. To undo it, every step is taken back,
/// dependents first; errors do not stop that: everything that can be undone is.
pub async fn run<K: Kind, A: Actor<K>>(
    plan: &Plan<K>,
    direction: Direction,
    actor: &Arc<A>,
    options: &Options,
    events: &Events,
    cancel: &Cancel,
) -> Outcome {
    Executor::new(plan, direction, actor, options, events, cancel).run().await
}

/// A step in the order of the run, in either direction.
struct Node<K> {
    step: Step<K>,
    sentence: String,
    /// Number of steps that still have to finish before it.
    blocked_by: usize,
    /// Steps that are waiting for it.
    unlocks: Vec<usize>,
}

struct Running {
    position: usize,
    started: Instant,
    abort: AbortHandle,
}

struct Executor<'a, K, A> {
    direction: Direction,
    actor: &'a Arc<A>,
    options: &'a Options,
    events: &'a Events,
    cancel: &'a Cancel,
    nodes: Vec<Node<K>>,
    /// Steps that may start, with the time since when.
    ready: BTreeMap<usize, Instant>,
    running: HashMap<Id, Running>,
    tasks: JoinSet<Result<StepOutcome, StepError>>,
    /// The reason, once nothing new may start.
    stopping: Option<String>,
    /// When running steps are dropped: those that only wait, and all of them.
    drop_waiting: Option<Instant>,
    drop_all: Option<Instant>,
    applied: usize,
    satisfied: usize,
    failures: Vec<StepFailure>,
    /// Sentences of dropped steps.
    dropped: Vec<String>,
}

impl<'a, K: Kind, A: Actor<K>> Executor<'a, K, A> {
    fn new(
        plan: &Plan<K>,
        direction: Direction,
        actor: &'a Arc<A>,
        options: &'a Options,
        events: &'a Events,
        cancel: &'a Cancel,
    ) -> Self {
        let nodes = nodes(plan, direction);
        let now = Instant::now();
        let ready = (0..nodes.len()).filter(|at| nodes[*at].blocked_by == 0).map(|at| (at, now)).collect();
        Executor {
            direction,
            actor,
            options,
            events,
            cancel,
            nodes,
            ready,
            running: HashMap::new(),
            tasks: JoinSet::new(),
            stopping: None,
            drop_waiting: None,
            drop_all: None,
            applied: 0,
            satisfied: 0,
            failures: Vec::new(),
            dropped: Vec::new(),
        }
    }

    async fn run(mut self) -> Outcome {
        let started = Instant::now();
        self.emit_started();
        loop {
            if self.cancel.is_cancelled() {
                self.on_cancel();
            }
            if self.stopping.is_none() {
                self.start_ready();
            }
            if self.running.is_empty() {
                break;
            }
            let wake = [self.drop_waiting, self.drop_all].into_iter().flatten().min();
            tokio::select! {
                Some(joined) = self.tasks.join_next_with_id() => self.on_end(joined),
                () = self.cancel.cancelled(), if self.drop_all.is_none() => {}
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.drop_overdue(),
            }
        }
        let outcome = self.finish();
        let told = match outcome {
            Outcome::Completed { .. } => RunOutcome::Completed,
            Outcome::Failed { .. } => RunOutcome::Failed,
            Outcome::Cancelled(_) => RunOutcome::Cancelled,
        };
        self.events.emit(Event::PlanFinished { outcome: told, seconds: seconds(started.elapsed()) });
        outcome
    }

    fn emit_started(&self) {
        let mut after: Vec<Vec<StepId>> = vec![Vec::new(); self.nodes.len()];
        for node in &self.nodes {
            for later in &node.unlocks {
                after[*later].push(node.step.id.clone());
            }
        }
        let info = self.nodes.iter().zip(after).map(|(node, after)| StepInfo {
            id: node.step.id.clone(),
            sentence: node.sentence.clone(),
            stage: node.step.kind.stage().to_owned(),
            target: node.step.kind.target().map(str::to_owned),
            after,
            milestone: node.step.kind.milestone().map(str::to_owned),
        });
        self.events.emit(Event::PlanStarted { direction: self.direction, steps: info.collect() });
    }

    /// Starts every ready step for which there is room, in the run's order.
    fn start_ready(&mut self) {
        let candidates: Vec<(usize, Instant)> = self.ready.iter().map(|(at, since)| (*at, *since)).collect();
        for (position, since) in candidates {
            if self.has_room(position) {
                self.ready.remove(&position);
                self.start(position, since);
            }
        }
    }

    fn has_room(&self, position: usize) -> bool {
        let kind = &self.nodes[position].step.kind;
        if kind.interruptible() {
            return true;
        }
        let working =
            || self.running.values().map(|run| &self.nodes[run.position].step.kind).filter(|kind| !kind.interruptible());
        let on_target = || working().filter(|other| other.target() == kind.target()).count();
        working().count() < self.options.parallel.max(1)
            && (kind.target().is_none() || on_target() < self.options.per_target.max(1))
    }

    fn start(&mut self, position: usize, since: Instant) {
        let step = self.nodes[position].step.clone();
        self.events.emit(Event::StepStarted { id: step.id.clone(), waited: seconds(since.elapsed()) });
        let attempt = Attempt {
            progress: self.events.voice(&step.id),
            sentence: self.nodes[position].sentence.clone(),
            actor: self.actor.clone(),
            direction: self.direction,
            deadline: step.kind.limits().deadline_in(self.options.timeout),
            step,
            journal: self.options.journal.clone(),
            run_id: self.events.run_id().to_owned(),
            cancel: self.cancel.clone(),
        };
        let abort = self.tasks.spawn(attempt.perform());
        self.running.insert(abort.id(), Running { position, started: Instant::now(), abort });
    }

    fn on_end(&mut self, joined: Result<(Id, Result<StepOutcome, StepError>), JoinError>) {
        let (task, result) = match joined {
            Ok((task, result)) => (task, result),
            Err(error) if error.is_cancelled() => (error.id(), Ok(StepOutcome::Cancelled)),
            Err(error) => (error.id(), Err(panicked(error))),
        };
        let Some(Running { position, started, .. }) = self.running.remove(&task) else { return };
        let id = self.nodes[position].step.id.clone();
        let outcome = result.unwrap_or_else(|error| self.on_failure(position, error));
        match outcome {
            StepOutcome::Applied | StepOutcome::Undone => self.applied += 1,
            StepOutcome::Satisfied => self.satisfied += 1,
            StepOutcome::Cancelled => self.dropped.push(self.nodes[position].sentence.clone()),
            StepOutcome::Failed { .. } | StepOutcome::Skipped { .. } => {}
        }
        let done = matches!(outcome, StepOutcome::Applied | StepOutcome::Satisfied | StepOutcome::Undone);
        // a step that could not be undone does not keep the rest from being undone
        if done || (self.direction == Direction::Undo && matches!(outcome, StepOutcome::Failed { .. })) {
            self.unlock(position);
        }
        let failed = matches!(outcome, StepOutcome::Failed { .. });
        let reason = format!("step `{id}` failed");
        self.events.emit(Event::StepFinished { id, outcome, seconds: seconds(started.elapsed()) });
        if failed && self.direction == Direction::Apply && self.stopping.is_none() {
            self.stop(reason);
            self.drop_waiting = Some(Instant::now() + self.options.grace);
        }
    }

    fn on_failure(&mut self, position: usize, error: StepError) -> StepOutcome {
        let node = &self.nodes[position];
        let failure = StepFailure { id: node.step.id.clone(), sentence: node.sentence.clone(), error };
        let outcome = StepOutcome::Failed { error: chain(&failure) };
        self.failures.push(failure);
        outcome
    }

    fn unlock(&mut self, position: usize) {
        for later in self.nodes[position].unlocks.clone() {
            self.nodes[later].blocked_by -= 1;
            if self.nodes[later].blocked_by == 0 {
                self.ready.insert(later, Instant::now());
            }
        }
    }

    fn stop(&mut self, reason: String) {
        let interrupted = self.cancel.is_cancelled();
        self.events.emit(Event::PlanStopping { reason: reason.clone(), interrupted, running: self.running.len() });
        self.stopping = Some(reason);
    }

    /// On the first call: starts nothing new, drops steps that only wait, and gives the rest its grace.
    fn on_cancel(&mut self) {
        if self.drop_all.is_some() {
            return;
        }
        self.stop(match self.cancel.reason() {
            Some(Reason::Overtime(_)) => "out of time".to_owned(),
            _ => "interrupted".to_owned(),
        });
        let now = Instant::now();
        self.drop_waiting = Some(now);
        self.drop_all = Some(now + self.options.grace);
    }

    fn drop_overdue(&mut self) {
        let now = Instant::now();
        let passed = |limit: Option<Instant>| limit.is_some_and(|limit| limit <= now);
        for run in self.running.values() {
            if passed(self.drop_all) || self.nodes[run.position].step.kind.interruptible() {
                run.abort.abort();
            }
        }
        self.drop_waiting = None;
        if passed(self.drop_all) {
            // aborted tasks end at their next await; a far limit keeps this from spinning until then
            self.drop_all = Some(now + Duration::from_secs(3600));
        }
    }

    /// Reports the steps that never started, and sums up.
    fn finish(&mut self) -> Outcome {
        let done = self.applied + self.satisfied;
        if let Some(reason) = &self.stopping {
            let started = |position: usize| self.nodes[position].blocked_by == 0 && !self.ready.contains_key(&position);
            for position in (0..self.nodes.len()).filter(|position| !started(*position)) {
                let outcome = StepOutcome::Skipped { reason: reason.clone() };
                let id = self.nodes[position].step.id.clone();
                self.events.emit(Event::StepFinished { id, outcome, seconds: 0.0 });
            }
        }
        let failures = std::mem::take(&mut self.failures);
        if done == self.nodes.len() {
            Outcome::Completed { applied: self.applied, satisfied: self.satisfied }
        } else if self.drop_all.is_some() && done + failures.len() < self.nodes.len() {
            // only a cancellation sets drop_all, and it has a reason
            let reason = self.cancel.reason().unwrap_or(Reason::Signal("SIGINT"));
            Outcome::Cancelled(Stopped { reason, unfinished: std::mem::take(&mut self.dropped), failures })
        } else {
            Outcome::Failed { failures }
        }
    }
}

/// The plan's steps in the order of the run, with their edges in its direction.
fn nodes<K: Kind>(plan: &Plan<K>, direction: Direction) -> Vec<Node<K>> {
    let last = plan.steps().len().saturating_sub(1);
    let place = |position: usize| if direction == Direction::Apply { position } else { last - position };
    let mut nodes: Vec<Node<K>> = plan
        .steps()
        .iter()
        .map(|step| {
            let sentence = if direction == Direction::Apply { step.kind.sentence() } else { step.kind.undo_sentence() };
            Node { step: step.clone(), sentence, blocked_by: 0, unlocks: Vec::new() }
        })
        .collect();
    if direction == Direction::Undo {
        nodes.reverse();
    }
    for (later, earlier) in plan.dependencies().iter().enumerate().flat_map(|(at, list)| list.iter().map(move |dep| (at, *dep))) {
        let (first, second) = if direction == Direction::Apply { (earlier, later) } else { (later, earlier) };
        nodes[place(first)].unlocks.push(place(second));
        nodes[place(second)].blocked_by += 1;
    }
    nodes
}
