//! The experiment, phase by phase: calibration, warm-up, A/A, duet, blocks, visits, turns. Each phase may end it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use kube::Client;

use super::arm::Ready;
use super::measure::{Bench, Kind, Measured};
use super::plan::Declaration;
use super::record::WarmUp;
use super::resources::Turn;
use super::warm_up::warm_up;
use super::window::{Window, block_boundaries, boundaries, gate, of_blocks, of_pairs};
use crate::event::{Event, Events};
use crate::load::{Arrivals, Calibration, Ledger, LoadError, Order, Target, Visit, calibrate, visits};

/// Number of calibrations; the middle one counts, so that a moment of disturbance spoils nothing.
const CALIBRATIONS: usize = 3;
/// The beginning of each phase, in seconds, is left out: its connections are new.
const SETTLE: f64 = 0.3;
/// Longest time for sending requests one after the other, for each arm.
const VISITS_TIME: Duration = Duration::from_secs(15);

/// The measurements so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub calibration: Option<Calibration>,
    pub warm_up: Option<WarmUp>,
    /// The largest release error allowed in a window, in milliseconds.
    pub finest_ms: f64,
    pub same_arm: Vec<Window>,
    pub duet: Vec<Window>,
    pub blocks: Vec<Window>,
    pub visits: [Vec<Visit>; 2],
    /// The kubelets' figures while one arm had the load alone, or why there are none; none if they were not asked.
    pub turns: Option<Result<Vec<Turn>, String>>,
    pub arms: [Tally; 2],
    /// Why it ended early, so that the measurement does not count.
    pub stopped: Option<String>,
    /// It was cancelled.
    pub interrupted: bool,
}

/// The outcomes of an arm's requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub requests: u64,
    pub failed: u64,
    pub outcomes: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, name: &'static str, failed: bool) {
        self.requests += 1;
        self.failed += u64::from(failed);
        *self.outcomes.entry(name.to_owned()).or_default() += 1;
    }

    /// Share of the requests that failed.
    pub fn share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.failed as f64 / self.requests as f64 }
    }
}

/// The experiment in progress.
pub(super) struct Experiment<'a> {
    pub bench: Bench<'a>,
    pub arms: &'a [Ready],
    /// The cluster that the arms are services of.
    pub client: Option<&'a Client>,
    pub events: &'a Events,
    pub found: Found,
}

/// Whether the next phase makes sense.
pub(super) type Phase = Result<ControlFlow<()>, LoadError>;

impl<'a> Experiment<'a> {
    /// Runs all phases, or as many as make sense.
    ///
    /// # Errors
    /// A load could not start.
    pub async fn run(mut self) -> Result<Found, LoadError> {
        let _ = self.phases().await?;
        Ok(self.found)
    }

    async fn phases(&mut self) -> Phase {
        for phase in 0..7 {
            let next = match phase {
                0 => self.calibrate().await?,
                1 => self.warm_up().await?,
                2 => self.same_arm().await?,
                3 => self.duet().await?,
                4 => self.blocks().await?,
                5 => self.visits().await?,
                _ => self.turns().await?,
            };
            if next.is_break() {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    pub fn declaration(&self) -> &'a Declaration {
        self.bench.declaration
    }

    pub fn targets(&self) -> [&'a Target; 2] {
        [&self.arms[0].target, &self.arms[1].target]
    }

    pub fn measuring(&self, what: &str) {
        self.events.emit(Event::Measuring { what: what.to_owned() });
    }

    fn stop(&mut self, why: String) -> ControlFlow<()> {
        self.found.stopped = Some(why);
        ControlFlow::Break(())
    }

    /// Measures how finely this machine can measure, against a server that does nothing.
    async fn calibrate(&mut self) -> Phase {
        self.measuring("how finely this machine measures");
        let load = &self.declaration().load;
        let mut runs = Vec::new();
        for _ in 0..CALIBRATIONS {
            let arrivals = Arrivals::new(2.0 * load.rate.0, load.jitter.0, self.declaration().seed);
            runs.push(calibrate(arrivals, Duration::from_millis(400)).await?);
        }
        runs.sort_by(|one, other| one.release_error_p99_ms.total_cmp(&other.release_error_p99_ms));
        let middle = runs.swap_remove(CALIBRATIONS / 2);
        let failed = middle.failed;
        self.found.calibration = Some(middle);
        if failed > 0 {
            return Ok(self.stop(format!("the generator lost {failed} requests to a server on this machine that does nothing")));
        }
        Ok(self.unless_interrupted(self.bench.cancel.is_cancelled()))
    }

    async fn warm_up(&mut self) -> Phase {
        self.measuring("both arms until they are warm; this is thrown away");
        let (warm_up, measured) = warm_up(&self.bench, self.targets()).await?;
        self.found.warm_up = Some(warm_up);
        let next = self.account(&measured, [0, 1]);
        let declaration = self.declaration();
        // the faster arm is harder to measure
        let level = warm_up.a_ms.zip(warm_up.b_ms).map_or(0.0, |(a, b)| a.min(b));
        let question = level.max(warm_up.a_ms.map_or(0.0, |a| declaration.margin.ms(a)));
        self.found.finest_ms = question / declaration.validity.release_error_times;
        let late = self.found.calibration.as_ref().map_or(f64::INFINITY, |calibration| calibration.release_error_p99_ms);
        if next.is_continue() && late > self.found.finest_ms {
            return Ok(self.stop(format!(
                "the generator is {late:.3} ms late at the 99th percentile on this machine: {} of {level:.3} ms is too small \
                 to be measured, {:.3} ms would be enough",
                declaration.metric,
                late * declaration.validity.release_error_times
            )));
        }
        Ok(next)
    }

    /// Both arms are the first one: any difference found comes from the instrument itself.
    async fn same_arm(&mut self) -> Phase {
        let (target, windows) = (self.targets()[0], self.declaration().same_arm_windows);
        self.measuring(&format!("`{}` against itself, {windows} windows", self.declaration().arms[0].name));
        let (found, next) = self.pairs("s", [target, target], windows, [0, 0]).await?;
        self.found.same_arm = found;
        Ok(next)
    }

    async fn duet(&mut self) -> Phase {
        let windows = self.declaration().windows;
        self.measuring(&format!("both arms in pairs of requests, {windows} windows"));
        let (found, next) = self.pairs("d", self.targets(), windows, [0, 1]).await?;
        self.found.duet = found;
        Ok(next)
    }

    /// A load in pairs; `owners` are the arms that the two targets stand for.
    async fn pairs(
        &mut self,
        name: &'static str,
        targets: [&Target; 2],
        windows: u32,
        owners: [usize; 2],
    ) -> Result<(Vec<Window>, ControlFlow<()>), LoadError> {
        if windows == 0 {
            return Ok((Vec::new(), ControlFlow::Continue(())));
        }
        let declaration = self.declaration();
        let (rate, pairs) = (declaration.load.rate.0, declaration.requests_per_window);
        let skip = (rate * SETTLE).ceil() as u32;
        // if there are more failures than the whole phase may have, continuing makes no sense
        let most = f64::from(pairs * windows) * declaration.validity.failed_share;
        let events = self.events;
        let watch = |ledger: &Ledger, number: usize| {
            ended(events, ledger, number, windows);
            let failed = |arm| ledger.entries.iter().filter(|entry| entry.target == arm && entry.outcome.failed()).count();
            if failed(0).max(failed(1)) as f64 > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let kind = Kind {
            name,
            order: Order::Duet { seed: declaration.seed },
            rate: 2.0 * rate,
            boundaries: boundaries(declaration, windows, skip),
            stall: name == "d",
        };
        let measured = self.bench.load(targets, kind, watch).await?;
        let next = self.account(&measured, owners);
        let mut found = of_pairs(&measured.ledger, pairs, skip, &measured.samples);
        gate(&mut found, &declaration.validity, self.found.finest_ms);
        Ok((found, next))
    }

    /// In blocks, one arm has the load alone.
    async fn blocks(&mut self) -> Phase {
        let declaration = self.declaration();
        if declaration.blocks == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        self.measuring(&format!("one arm at a time, {} blocks", declaration.blocks));
        let (requests, events) = (declaration.requests_per_window, self.events);
        let watch = |ledger: &Ledger, number: usize| {
            ended(events, ledger, number, declaration.blocks / 2);
            ControlFlow::Continue(())
        };
        let kind = Kind {
            name: "b",
            order: Order::Blocks { requests, seed: declaration.seed },
            rate: declaration.load.rate.0,
            boundaries: block_boundaries(declaration),
            stall: false,
        };
        let measured = self.bench.load(self.targets(), kind, watch).await?;
        let next = self.account(&measured, [0, 1]);
        self.found.blocks = of_blocks(&measured.ledger, requests, &measured.samples);
        gate(&mut self.found.blocks, &declaration.validity, self.found.finest_ms);
        Ok(next)
    }

    /// Sends requests as `curl` would in a loop.
    async fn visits(&mut self) -> Phase {
        let declaration = self.declaration();
        for arm in 0..2 {
            if declaration.visits == 0 || self.bench.cancel.is_cancelled() {
                break;
            }
            self.measuring(&format!("`{}`, one request after the other", declaration.arms[arm].name));
            let (target, timeout) = (self.targets()[arm].clone(), declaration.load.timeout.0);
            let run = format!("{}-v{arm}", self.bench.run);
            self.found.visits[arm] = visits(target, run, declaration.visits, timeout, VISITS_TIME).await?;
        }
        Ok(self.unless_interrupted(self.bench.cancel.is_cancelled()))
    }

    /// Counts the requests of a load for the arms that its targets stand for, and decides whether to go on.
    pub fn account(&mut self, measured: &Measured, owners: [usize; 2]) -> ControlFlow<()> {
        for entry in &measured.ledger.entries {
            let owner = owners[usize::from(entry.target)];
            self.found.arms[owner].add(entry.outcome.name(), entry.outcome.failed());
        }
        let most = self.declaration().validity.failed_share;
        for (arm, tally) in self.declaration().arms.iter().zip(&self.found.arms) {
            if tally.share() > most {
                let (failed, all, name) = (tally.failed, tally.requests, &arm.name);
                let (share, most) = (tally.share() * 100.0, most * 100.0);
                let why = format!("arm `{name}` failed {failed} of {all} requests ({share:.1} %), at most {most} % may fail");
                return self.stop(why);
            }
        }
        self.unless_interrupted(measured.interrupted)
    }

    fn unless_interrupted(&mut self, interrupted: bool) -> ControlFlow<()> {
        self.found.interrupted |= interrupted;
        if interrupted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Emits an event for each window that is over; boundary 0 is the beginning of the first.
fn ended(events: &Events, ledger: &Ledger, number: usize, of: u32) {
    if number > 0 {
        let (requests, failed) = (ledger.entries.len() as u64, ledger.failed());
        events.emit(Event::WindowEnded { number: number as u32, of, requests, failed });
    }
}
