//! Generic tests of the engine on a small world of its own: things that either exist or do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

use super::*;
use crate::error::{Explain, Family, chain};
use crate::event::{Collector, Direction, Event, Events, Record, Sinks, StepOutcome};
use crate::graph::{Class, Kind, Plan, StepId, StepLimits};
use crate::journal::steps::{Phase, StepEntry};
use crate::journal::{Journal, standing};

/// A thing to make, on a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Make {
    name: &'static str,
    target: Option<&'static str>,
    #[serde(skip)]
    limits: StepLimits,
    waits: bool,
}

impl Kind for Make {
    fn sentence(&self) -> String {
        format!("Make `{}`", self.name)
    }
    fn target(&self) -> Option<&str> {
        self.target
    }
    fn class(&self) -> Class {
        Class::InPlace
    }
    fn limits(&self) -> StepLimits {
        self.limits
    }
    fn interruptible(&self) -> bool {
        self.waits
    }
}

fn make(name: &'static str) -> Make {
    let limits = StepLimits { pause: Duration::from_millis(1), ..StepLimits::default() };
    Make { name, target: None, limits, waits: false }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    FailBefore,
    FailAfter,
    Panic,
    Hang,
}

/// What exists, what fails once, and what was seen.
#[derive(Default)]
struct World {
    things: Mutex<BTreeSet<&'static str>>,
    trouble: Mutex<BTreeMap<&'static str, Vec<Trouble>>>,
    mutations: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    order: Mutex<Vec<&'static str>>,
    /// How long a mutation takes.
    takes: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` broke")]
struct Broke(&'static str);

impl Explain for Broke {
    fn family(&self) -> Family {
        Family::Docker
    }
    fn hint(&self) -> Option<String> {
        Some("mend it".into())
    }
}

impl World {
    fn things(&self) -> Vec<&'static str> {
        self.things.lock().expect("lock").iter().copied().collect()
    }

    fn plan_trouble(&self, name: &'static str, trouble: &[Trouble]) {
        self.trouble.lock().expect("lock").insert(name, trouble.iter().rev().copied().collect());
    }

    async fn mutate(&self, name: &'static str, change: impl FnOnce(&mut BTreeSet<&'static str>)) -> Result<()> {
        let trouble = self.trouble.lock().expect("lock").get_mut(name).and_then(Vec::pop);
        match trouble {
            Some(Trouble::FailBefore) => return Err(Broke(name).into()),
            Some(Trouble::Panic) => panic!("{name} fell over"),
            Some(Trouble::Hang) => std::future::pending().await,
            Some(Trouble::FailAfter) | None => {}
        }
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.mutations.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        change(&mut self.things.lock().expect("lock"));
        self.order.lock().expect("lock").push(name);
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        if trouble == Some(Trouble::FailAfter) { Err(Broke(name).into()) } else { Ok(()) }
    }
}

impl Actor<Make> for World {
    async fn check(&self, kind: &Make) -> Result<Check> {
        let there = self.things.lock().expect("lock").contains(kind.name);
        Ok(if there { Check::Satisfied } else { Check::Needed("absent".into()) })
    }
    async fn apply(&self, kind: &Make, progress: &Progress) -> Result<()> {
        progress.say("making");
        self.mutate(kind.name, |things| _ = things.insert(kind.name)).await
    }
    async fn undo(&self, kind: &Make, _: &Progress) -> Result<()> {
        if !self.things.lock().expect("lock").contains(kind.name) {
            return Ok(());
        }
        self.mutate(kind.name, |things| _ = things.remove(kind.name)).await
    }
}

/// A diamond with a tail and a side branch, in an order that is not the one it runs in.
fn diamond() -> Plan<Make> {
    let mut plan = Plan::builder("demo");
    let root = plan.add("root", make("root"), []);
    let left = plan.add("left", make("left"), [&root]);
    let right = plan.add("right", make("right"), [&root]);
    let join = plan.add("join", make("join"), [&left, &right]);
    plan.add("tail", make("tail"), [&join]);
    plan.add("side", make("side"), []);
    plan.build().expect("valid")
}

const ALL: [&str; 6] = ["join", "left", "right", "root", "side", "tail"];

/// A world with the plumbing of a run around it.
struct Lab {
    world: Arc<World>,
    options: Options,
    collector: Collector,
    events: Events,
    cancel: Cancel,
    sinks: Sinks,
    scratch: tempfile::TempDir,
}

impl Lab {
    fn new(world: World) -> Lab {
        let scratch = tempfile::tempdir().expect("scratch");
        let collector = Collector::default();
        let (events, sinks) = Events::open("test-run", vec![Box::new(collector.clone())]);
        let (journal, _) = Journal::open(&scratch.path().join("journal")).expect("new");
        let options = Options { journal: Some(Arc::new(journal)), grace: Duration::from_millis(200), ..Options::default() };
        Lab { world: Arc::new(world), options, collector, events, cancel: Cancel::default(), sinks, scratch }
    }

    async fn run(&self, plan: &Plan<Make>) -> Outcome {
        run(plan, Direction::Apply, &self.world, &self.options, &self.events, &self.cancel).await
    }

    async fn undo(&self, plan: &Plan<Make>) -> Outcome {
        run(plan, Direction::Undo, &self.world, &self.options, &self.events, &self.cancel).await
    }

    fn entries(&self) -> Vec<StepEntry> {
        Journal::read(&self.scratch.path().join("journal")).expect("readable")
    }

    async fn outcomes(self) -> BTreeMap<String, StepOutcome> {
        self.sinks.finish().await;
        let finished = self.collector.records().into_iter().filter_map(|record| match record.event {
            Event::StepFinished { id, outcome, .. } => Some((id.to_string(), outcome)),
            _ => None,
        });
        finished.collect()
    }
}

fn failures(outcome: Outcome) -> Vec<StepFailure> {
    match outcome {
        Outcome::Failed { failures } => failures,
        other => panic!("not failed: {other:?}"),
    }
}

fn assert_completed(outcome: &Outcome, applied: usize, satisfied: usize, case: impl fmt::Display) {
    let Outcome::Completed { applied: a, satisfied: s } = outcome else { panic!("{case}: {outcome:?}") };
    assert_eq!((*a, *s), (applied, satisfied), "{case}");
}

#[tokio::test]
async fn the_second_run_changes_nothing() {
    let lab = Lab::new(World::default());
    assert_completed(&lab.run(&diamond()).await, 6, 0, "first");
    assert_completed(&lab.run(&diamond()).await, 0, 6, "second");
    assert_eq!(lab.world.things(), ALL);
    assert_eq!(lab.world.mutations.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn every_step_applied_or_undone_twice_changes_nothing_more() {
    let world = World::default();
    for step in diamond().steps() {
        for _ in 0..2 {
            world.apply(&step.kind, &Progress::silent()).await.expect("applies");
            assert_eq!(world.check(&step.kind).await.expect("checks"), Check::Satisfied);
        }
    }
    assert_eq!(world.things(), ALL);
    for step in diamond().steps() {
        for _ in 0..2 {
            world.undo(&step.kind, &Progress::silent()).await.expect("undoes");
        }
    }
    assert!(world.things().is_empty());
}

#[tokio::test]
async fn a_failure_anywhere_resumes_to_the_same_end_and_undoes_to_nothing() {
    for broken in ALL {
        for trouble in [Trouble::FailBefore, Trouble::FailAfter, Trouble::Panic] {
            for parallel in [1, 4] {
                let case = format!("{broken} {trouble:?} {parallel}");
                let mut lab = Lab::new(World::default());
                lab.options.parallel = parallel;
                lab.world.plan_trouble(broken, &[trouble]);
                let failed = failures(lab.run(&diamond()).await);
                assert_eq!(failed.iter().map(|failure| failure.id.as_str()).collect::<Vec<_>>(), [broken], "{case}");
                let touched: BTreeSet<String> = standing(lab.entries()).iter().map(|entry| entry.step.to_string()).collect();
                assert!(lab.world.things().iter().all(|thing| touched.contains(*thing)), "{case}: journal knows all");
                let left = lab.world.things().len();
                assert_completed(&lab.run(&diamond()).await, 6 - left, left, &case);
                assert_eq!(lab.world.things(), ALL, "{case}");
                // the same failure again, but straight back
                let lab = Lab::new(World::default());
                lab.world.plan_trouble(broken, &[trouble]);
                failures(lab.run(&diamond()).await);
                assert_completed(&lab.undo(&diamond()).await, 6, 0, &case);
                assert!(lab.world.things().is_empty(), "{case}");
                assert!(standing(lab.entries()).is_empty(), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn undo_goes_backwards_and_on_after_errors() {
    let lab = Lab::new(World::default());
    assert_completed(&lab.run(&diamond()).await, 6, 0, "run");
    lab.world.order.lock().expect("lock").clear();
    lab.world.plan_trouble("join", &[Trouble::FailBefore]);
    lab.world.plan_trouble("side", &[Trouble::Panic]);
    let failed: BTreeSet<String> = failures(lab.undo(&diamond()).await).iter().map(|failure| failure.to_string()).collect();
    assert_eq!(failed, BTreeSet::from(["failed to undo: make `join`".to_owned(), "failed to undo: make `side`".to_owned()]));
    assert_eq!(lab.world.things(), ["join", "side"]);
    let order = lab.world.order.lock().expect("lock").clone();
    assert_eq!((order[0], order[order.len() - 1]), ("tail", "root"));
    let left: BTreeSet<String> = standing(lab.entries()).iter().map(|entry| entry.step.to_string()).collect();
    assert_eq!(left, BTreeSet::from(["join".to_owned(), "side".to_owned()]));
}

#[tokio::test]
async fn limits_are_kept() {
    let plan = |target: fn(usize) -> Option<&'static str>| {
        let mut plan = Plan::builder("demo");
        for (at, name) in ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
            plan.add(name, Make { target: target(at), ..make(name) }, []);
        }
        plan.build().expect("valid")
    };
    let most = async |plan: Plan<Make>, parallel, per_target| {
        let mut lab = Lab::new(World { takes: Duration::from_millis(20), ..World::default() });
        (lab.options.parallel, lab.options.per_target) = (parallel, per_target);
        assert_completed(&lab.run(&plan).await, 8, 0, "all");
        lab.world.most_at_once.load(Ordering::SeqCst)
    };
    assert_eq!(most(plan(|_| None), 3, 1).await, 3, "overall");
    assert_eq!(most(plan(|_| Some("node")), 8, 2).await, 2, "one target");
    assert_eq!(most(plan(|at| Some(["one", "two"][at % 2])), 8, 2).await, 4, "two targets");
}

#[tokio::test]
async fn cancelled_before_the_first_step() {
    let lab = Lab::new(World::default());
    lab.cancel.cancel(Reason::Signal("SIGINT"));
    let outcome = lab.run(&diamond()).await;
    assert!(matches!(&outcome, Outcome::Cancelled(stopped) if stopped.failures.is_empty()), "{outcome:?}");
    assert_eq!(outcome.into_result().expect_err("interrupted").family(), Family::Interrupted);
    assert!(lab.world.things().is_empty() && lab.entries().is_empty());
    let outcomes = lab.outcomes().await;
    assert_eq!(outcomes.len(), 6);
    assert!(outcomes.values().all(|outcome| matches!(outcome, StepOutcome::Skipped { .. })));
}

#[tokio::test]
async fn cancelled_midway_running_steps_finish_waiting_ones_are_dropped() {
    let lab = Lab::new(World { takes: Duration::from_millis(100), ..World::default() });
    let mut plan = Plan::builder("demo");
    let work = plan.add("work", make("work"), []);
    plan.add("wait", Make { waits: true, ..make("wait") }, []);
    plan.add("hang", make("hang"), []);
    plan.add("later", make("later"), [&work]);
    lab.world.plan_trouble("wait", &[Trouble::Hang]);
    lab.world.plan_trouble("hang", &[Trouble::Hang]);
    // as soon as both are in the journal, however busy the machine is
    let both_began = async {
        let journal = lab.scratch.path().join("journal");
        let has = |step: &str| std::fs::read_to_string(&journal).is_ok_and(|text| text.contains(&format!("\"{step}\"")));
        while !(has("work") && has("hang")) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        lab.cancel.cancel(Reason::Signal("SIGTERM"));
    };
    let plan = plan.build().expect("valid");
    let (outcome, ()) = tokio::join!(lab.run(&plan), both_began);
    let Outcome::Cancelled(stopped) = outcome else { panic!("not cancelled: {outcome:?}") };
    assert_eq!((stopped.unfinished.len(), stopped.to_string()), (2, "ended by SIGTERM before everything was done".into()));
    assert_eq!(lab.world.things(), ["work"]);
    let left: Vec<String> = standing(lab.entries()).iter().map(|entry| entry.step.to_string()).collect();
    assert_eq!(
        BTreeSet::from_iter(left),
        BTreeSet::from(["work".into(), "hang".into()]),
        "a dropped step stays in the journal, unless it only waits"
    );
    let outcomes = lab.outcomes().await;
    assert_eq!(outcomes["work"], StepOutcome::Applied);
    assert_eq!((&outcomes["wait"], &outcomes["hang"]), (&StepOutcome::Cancelled, &StepOutcome::Cancelled));
    assert_eq!(outcomes["later"], StepOutcome::Skipped { reason: "interrupted".into() });
}

#[tokio::test]
async fn after_a_failure_others_finish_and_every_error_is_told() {
    let lab = Lab::new(World { takes: Duration::from_millis(30), ..World::default() });
    let mut plan = Plan::builder("demo");
    plan.add("a", make("a"), []);
    plan.add("b", make("b"), []);
    plan.add("c", make("c"), []);
    lab.world.plan_trouble("a", &[Trouble::FailBefore]);
    lab.world.plan_trouble("b", &[Trouble::FailAfter]);
    let error = lab.run(&plan.build().expect("valid")).await.into_result().expect_err("failed");
    assert_eq!(lab.world.things(), ["b", "c"]);
    assert_eq!((error.family(), error.hint()), (Family::Docker, Some("mend it".into())));
    insta::assert_snapshot!(chain(&*error), @r"
    2 steps failed
    - failed to make `a`
        caused by: `a` broke
    - failed to make `b`
        caused by: `b` broke
    ");
}

#[tokio::test]
async fn attempts_are_counted_and_the_deadline_tells_the_last_error() {
    let lab = Lab::new(World::default());
    let mut plan = Plan::builder("demo");
    let limits = StepLimits { attempts: 3, ..make("a").limits };
    plan.add("a", Make { limits, ..make("a") }, []);
    lab.world.plan_trouble("a", &[Trouble::FailBefore, Trouble::FailAfter]);
    assert_completed(&lab.run(&plan.build().expect("valid")).await, 1, 0, "third attempt finds it done");
    let phases: Vec<Phase> = lab.entries().iter().map(|entry| entry.phase).collect();
    assert_eq!(phases, [Phase::Applying, Phase::Applied]);

    let lab = Lab::new(World::default());
    let mut plan = Plan::builder("demo");
    plan.add("a", Make { limits: StepLimits { deadline: Duration::from_millis(50), ..limits }, ..make("a") }, []);
    lab.world.plan_trouble("a", &[Trouble::FailBefore, Trouble::Hang]);
    let error = lab.run(&plan.build().expect("valid")).await.into_result().expect_err("failed");
    insta::assert_snapshot!(chain(&*error), @r"
    failed to make `a`
      caused by: not done within 50ms
      caused by: `a` broke
    ");
    assert_eq!((error.family(), error.hint()), (Family::Docker, Some("mend it".into())));
}

/// Images that take long are what a longer `--timeout` is for.
#[tokio::test]
async fn a_patient_step_may_take_as_long_as_the_run() {
    for (patient, code) in [(true, None), (false, Some(Family::NotReady))] {
        let mut lab = Lab::new(World { takes: Duration::from_millis(100), ..World::default() });
        lab.options.timeout = Duration::from_secs(60);
        let mut plan = Plan::builder("demo");
        let limits = StepLimits { deadline: Duration::from_millis(20), patient, ..StepLimits::default() };
        plan.add("a", Make { limits, ..make("a") }, []);
        let error = lab.run(&plan.build().expect("valid")).await.into_result().err();
        assert_eq!(error.map(|error| error.family()), code);
    }
    let limits = StepLimits::USUAL.patient();
    assert_eq!(limits.deadline_in(Duration::from_secs(1)), limits.deadline, "never shorter");
}

#[tokio::test]
async fn a_silent_deadline_tells_what_was_said_last() {
    let lab = Lab::new(World::default());
    let mut plan = Plan::builder("demo");
    let limits = StepLimits { deadline: Duration::from_millis(50), ..StepLimits::default() };
    plan.add("a", Make { limits, ..make("a") }, []);
    lab.world.plan_trouble("a", &[Trouble::Hang]);
    let failed = failures(lab.run(&plan.build().expect("valid")).await);
    assert_eq!(failed[0].error.to_string(), "not done within 50ms; last seen: making");
    assert_eq!(failed[0].family(), Family::NotReady);
}

#[tokio::test]
async fn checking_only_mutates_nothing() {
    let lab = Lab::new(World::default());
    lab.world.things.lock().expect("lock").insert("root");
    let found = check_all(&diamond(), &lab.world, &lab.options).await;
    let satisfied: Vec<&str> =
        found.iter().filter(|(_, check)| matches!(check, Ok(Check::Satisfied))).map(|(id, _)| id.as_str()).collect();
    assert_eq!((found.len(), satisfied), (6, vec!["root"]));
    assert_eq!(lab.world.mutations.load(Ordering::SeqCst), 0);
    assert!(lab.entries().is_empty());
}

#[tokio::test]
async fn a_run_out_of_time_is_no_interruption_and_names_what_it_was_amid() {
    let lab = Lab::new(World::default());
    let mut plan = Plan::builder("demo");
    plan.add("wait", Make { waits: true, ..make("wait") }, []);
    lab.world.plan_trouble("wait", &[Trouble::Hang]);
    let cancel = lab.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        cancel.cancel(Reason::Overtime(Duration::from_secs(60)));
    });
    let error = lab.run(&plan.build().expect("valid")).await.into_result().expect_err("out of time");
    assert_eq!(error.family(), Family::NotReady);
    assert_eq!(error.to_string(), "not done within 1min (--timeout): dropped while running\n- Make `wait`");
}

#[tokio::test]
async fn nothing_is_touched_without_a_journal_entry() {
    let mut lab = Lab::new(World::default());
    let journal = Journal::unwritable(&lab.scratch.path().join("journal"));
    lab.options.journal = Some(Arc::new(journal));
    let failed = failures(lab.run(&diamond()).await);
    assert!(failed.iter().all(|failure| matches!(failure.error, StepError::Journal(_))), "{failed:?}");
    assert_eq!(lab.world.mutations.load(Ordering::SeqCst), 0);
}

/// The disk is full by the time the failure is to be recorded.
#[tokio::test]
async fn a_step_s_own_error_outlives_a_journal_that_cannot_be_written() {
    let attempt = attempt::Attempt {
        step: diamond().steps()[0].clone(),
        sentence: "Make `root`".into(),
        actor: Arc::new(World::default()),
        direction: crate::event::Direction::Apply,
        deadline: Duration::from_secs(1),
        progress: Progress::silent(),
        journal: None,
        run_id: "test-run".into(),
        cancel: Cancel::default(),
    };
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("journal");
    drop(Journal::<StepEntry>::open(&path).expect("new"));
    let attempt = attempt::Attempt { journal: Some(Arc::new(Journal::unwritable(&path))), ..attempt };
    let error = attempt.given_up(StepError::Actor(Broke("root").into())).await;
    assert_eq!(error.to_string(), "`root` broke");
}

#[test]
fn events_are_plain_json() {
    let id = StepId::from("a");
    let event = Event::StepFinished { id, outcome: StepOutcome::Failed { error: "broke".into() }, seconds: 1.5 };
    let text = serde_json::to_string(&Record { at: 2.25, event }).expect("plain data");
    assert_eq!(
        text,
        r#"{"at":2.25,"event":"step-finished","id":"a","outcome":{"state":"failed","error":"broke"},"seconds":1.5}"#
    );
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Record>(&text).expect("reads back")).expect("plain"), text);
}
