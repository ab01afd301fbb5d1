//! The load: an open loop of HTTP/1.1 requests, paced to microseconds, that hides nothing.
//!
//! In: a [`LoadPlan`], with targets, schedule and what to keep of answers. Out: the [`Ledger`]. Only the targets are touched.
//!
//! - Requests are due on a [schedule](Arrivals) that does not depend on the answers; latency counts from there.
//! - One thread does everything: it sleeps until just before the next request on an absolute timer, spins for the rest,
//!   and reads answers in between. How late it was itself is recorded with every request.
//! - A connection carries one request at a time. Nothing is ever sent twice, and no answer is ever dropped:
//!   every request that was due ends as one [`Entry`] of the [`Ledger`].

mod arrivals;
mod calibrate;
mod connection;
mod distribution;
mod generator;
mod http;
mod ledger;
mod loopback;
mod order;
mod priority;
mod sequential;
mod target;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub use arrivals::Arrivals;
pub use calibrate::{Calibration, calibrate};
pub use distribution::Distribution;
pub use ledger::{Batch, Entry, Ledger, Outcome, request_id};
pub use loopback::{Misbehaviour, Server};
pub use order::Order;
pub use priority::Priority;
pub use sequential::{Visit, visit, visits};
pub use target::Target;

use crate::error::{Explain, Family};

/// Longest load possible: times are kept as microseconds in 32 bits.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// What is sent, where and when.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// Where requests go, one or two as `order` needs.
    pub targets: Vec<Target>,
    /// Which request goes where.
    pub order: Order,
    /// CRC-32 of the body of a good answer; none if bodies may differ.
    pub body: Option<u32>,
    /// When requests are due.
    pub arrivals: Arrivals,
    /// Connections kept open to each target.
    pub connections: u32,
    /// A request without a complete answer this long after it was due has failed.
    pub timeout: Duration,
    /// How long to wait at the end for requests in flight.
    pub drain: Duration,
    /// Prefix of every request id.
    pub run: String,
    /// Names of headers whose values are kept for every answer.
    pub capture: Vec<String>,
}

/// The load could not start, or its thread died.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum LoadError {
    /// The target accepted no connection.
    #[error("cannot connect to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// A target cannot be used.
    #[error("cannot send such a request: {problem}")]
    Target {
        /// What is wrong with it.
        problem: String,
    },
    /// A system call failed.
    #[error("the load generator cannot {action}")]
    System {
        action: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// The generator's thread ended without a result.
    #[error("the load generator's thread ended")]
    Thread,
}

impl Explain for LoadError {
    fn family(&self) -> Family {
        match self {
            LoadError::Connect { .. } => Family::NotReady,
            LoadError::Target { .. } => Family::Profile,
            _ => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LoadError::Connect { address, .. } => Some(format!("check that {address} answers: curl -i http://{address}/")),
            LoadError::System { .. } => Some("check the limits on open files and threads".into()),
            LoadError::Target { .. } | LoadError::Thread => None,
        }
    }
}

/// A running load.
#[derive(Debug)]
pub struct Running {
    /// When its schedule began.
    pub started: Instant,
    /// How its thread was scheduled.
    pub priority: Priority,
    /// The entries so far.
    pub ledger: Ledger,
    batches: mpsc::UnboundedReceiver<Batch>,
    stop: Arc<AtomicBool>,
}

/// Opens the connections, then starts the schedule.
///
/// # Errors
/// A target cannot be used or accepts no connection, or the thread cannot be set up.
pub async fn start(plan: LoadPlan) -> Result<Running, LoadError> {
    begin(plan, None).await
}

/// Failure injection for tests of honesty: at this time after its start, for this long, the generator itself stops.
pub(crate) type Stall = Option<(Duration, Duration)>;

pub(crate) async fn begin(plan: LoadPlan, stall: Stall) -> Result<Running, LoadError> {
    if let Some(problem) = plan.targets.iter().find_map(Target::problem) {
        return Err(LoadError::Target { problem });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, batches) = mpsc::unbounded_channel();
    let (ready, started) = oneshot::channel();
    let flag = stop.clone();
    let ledger = Ledger { headers: plan.capture.clone(), ..Ledger::default() };
    std::thread::Builder::new()
        .name("load".into())
        .spawn(move || generator::run(plan, stall, sender, flag, ready))
        .map_err(|source| LoadError::System { action: "start its thread", source })?;
    let (started, priority) = started.await.map_err(|_| LoadError::Thread)??;
    Ok(Running { started, priority, ledger, batches, stop })
}

impl Running {
    /// Adds what the generator has handed over; returns without waiting.
    pub fn catch_up(&mut self) {
        while let Ok(batch) = self.batches.try_recv() {
            self.ledger.absorb(batch);
        }
    }

    /// Microseconds since the start.
    pub fn now(&self) -> u32 {
        micros(self.started.elapsed())
    }

    /// Ends the schedule, waits for requests in flight and returns all entries in the schedule's order.
    pub async fn finish(mut self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(batch) = self.batches.recv().await {
            self.ledger.absorb(batch);
        }
        let mut ledger = std::mem::take(&mut self.ledger);
        ledger.sort();
        ledger
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A time span as the ledger keeps it; longer ones become the largest possible.
pub fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
