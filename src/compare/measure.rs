//! One load of the comparison, with the machine's counters read at the ends of its windows.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::machine::Sample;
use super::plan::Declaration;
use crate::load::{Arrivals, Ledger, LoadError, LoadPlan, Order, Stall, Target, begin};

/// What every load of a comparison has in common.
pub(super) struct Bench<'a> {
    pub declaration: &'a Declaration,
    pub run: &'a str,
    /// CRC-32 of the body of a good answer; none if bodies may differ.
    pub body: Option<u32>,
    pub cancel: &'a CancellationToken,
    /// Failure injection for tests: when the generator stops during the duet, and for how long.
    pub stall: Stall,
}

/// The measurements of one load.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub ledger: Ledger,
    /// One sample for each boundary that was reached.
    pub samples: Vec<Sample>,
    /// True if it was cancelled.
    pub interrupted: bool,
}

/// The properties of one load.
pub(super) struct Kind {
    /// Appended to the run's name in the requests' ids.
    pub name: &'static str,
    pub order: Order,
    /// Requests per second, both arms together.
    pub rate: f64,
    /// When windows begin and end, in microseconds after the start of the load.
    pub boundaries: Vec<u32>,
    pub stall: bool,
}

impl Bench<'_> {
    /// Runs a load until its last boundary, until `watch`, which is called at each boundary with its number, stops it, or until
    /// it is cancelled. Waits for requests in flight.
    pub async fn load(
        &self,
        targets: [&Target; 2],
        kind: Kind,
        mut watch: impl FnMut(&Ledger, usize) -> ControlFlow<()>,
    ) -> Result<Measured, LoadError> {
        let load = &self.declaration.load;
        let plan = LoadPlan {
            targets: targets.map(Target::clone).to_vec(),
            order: kind.order,
            body: self.body,
            arrivals: Arrivals::new(kind.rate, load.jitter.0, self.declaration.seed),
            connections: load.connections,
            timeout: load.timeout.0,
            drain: load.timeout.0,
            run: format!("{}-{}", self.run, kind.name),
            capture: Vec::new(),
        };
        let mut running = begin(plan, self.stall.filter(|_| kind.stall)).await?;
        let mut measured = Measured::default();
        for (number, boundary) in kind.boundaries.iter().enumerate() {
            let at = Instant::from_std(running.started + Duration::from_micros(u64::from(*boundary)));
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.cancel.cancelled() => {
                    measured.interrupted = true;
                    break;
                }
            }
            measured.samples.push(Sample::now());
            running.catch_up();
            if watch(&running.ledger, number).is_break() {
                break;
            }
        }
        measured.ledger = running.finish().await;
        Ok(measured)
    }
}
