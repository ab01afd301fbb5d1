//! Faults: what goes wrong while the load runs. Each fault is one file with its format, its requirements, how it is injected
//! and healed, and what shows that it bit. To add one, write its file and its line below.
//!
//! A fault makes every lasting change through the undo journal, so that it is undone when the fault is over, when the run ends
//! for whatever reason, and also after the run was killed.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::Context;
use super::error::ScenarioError;
use super::facts::{Amount, Fact};
use super::observe::{ProxyGroup, snapshot};
use super::record::{FaultRecord, FaultWords};
use super::undo::Changes;
use crate::event::Event;
use crate::load::{Entry, Ledger};

/// Interval between two looks during a wait, and so the precision of recovery times.
const LOOK: Duration = Duration::from_millis(100);

/// Name of the fact with the number of retries that the observed proxies sent because of a fault.
const RETRIES: &str = "retries";

/// What a fault has to work with.
pub(super) struct Stage<'a> {
    /// The context of the run.
    pub context: &'a Context,
    /// Where lasting changes are recorded first.
    pub changes: &'a mut Changes,
    /// The faults so far; each is added at once, so that it is known whatever happens next.
    pub records: &'a mut Vec<FaultRecord>,
    /// Proxies whose retries show whether a fault bit.
    pub proxies: &'a [ProxyGroup],
    /// When the load began.
    pub clock: Instant,
    /// The index of this moment in the timeline.
    pub moment: usize,
    /// The number of changes that stood before the fault.
    pub standing: usize,
    /// The number of retries that the observed proxies had sent at the last look.
    pub counted: Option<u64>,
}

impl Stage<'_> {
    /// Milliseconds since the load began.
    pub fn now_ms(&self) -> f64 {
        self.clock.elapsed().as_secs_f64() * 1e3
    }

    /// Records that a fault hits `target`, as the `number`-th of `of`. Until the next call, [`Stage::record`] is its record.
    pub fn begin(&mut self, fault: &'static str, target: String, words: FaultWords, (number, of): (u32, u32)) {
        self.context.events.emit(Event::FaultInjected { fault: fault.to_owned(), target: target.clone(), number, of });
        let at_ms = self.now_ms();
        let record = FaultRecord { moment: self.moment, fault: fault.to_owned(), target, words, at_ms, ..FaultRecord::default() };
        self.records.push(record);
    }

    /// The target of this moment's fault; none if the fault did not begin.
    pub fn target(&self) -> Option<String> {
        self.records.last().filter(|record| record.moment == self.moment).map(|record| record.target.clone())
    }

    /// The record of the latest fault.
    pub fn record(&mut self) -> &mut FaultRecord {
        if self.records.is_empty() {
            self.records.push(FaultRecord::default());
        }
        let last = self.records.len() - 1;
        &mut self.records[last]
    }

    /// Records that the latest fault is in full effect, or over.
    pub fn done(&mut self) {
        let now = self.now_ms();
        self.record().done_ms = Some(now);
    }

    /// Records that what the latest fault took away is back.
    pub fn recovered(&mut self) {
        let now = self.now_ms();
        let record = self.record();
        record.recovered_ms = Some(now);
        let (fault, after_ms) = (record.fault.clone(), now - record.at_ms);
        self.context.events.emit(Event::FaultRecovered { fault, after_ms });
    }

    /// Reads how many retries the observed proxies have sent; unknown unless all of them count retries.
    pub async fn count_retries(&mut self) {
        let now = snapshot(&self.context.client, self.proxies).await;
        self.counted = now.ok().and_then(|now| now.retries());
    }

    /// Reads again; retries sent since belong to the latest fault.
    pub async fn retried(&mut self) {
        let then = self.counted;
        self.count_retries().await;
        let sent = self.counted.zip(then).map(|(now, then)| Amount::requests(now.saturating_sub(then)));
        self.record().facts.set(RETRIES, sent);
    }

    /// Waits until a number is large enough.
    ///
    /// # Errors
    /// The number was not reached within `limit`, or could not be read at the end.
    pub async fn wait_for<F: Future<Output = Result<usize, ScenarioError>>>(
        &self,
        what: &str,
        wanted: usize,
        limit: Duration,
        look: impl Fn() -> F,
    ) -> Result<(), ScenarioError> {
        let begun = Instant::now();
        let mut seen = Ok(0);
        while begun.elapsed() <= limit {
            sleep(LOOK).await;
            // an API server that does not answer for a moment is asked again
            seen = look().await;
            if seen.as_ref().is_ok_and(|seen| *seen >= wanted) {
                return Ok(());
            }
        }
        Err(ScenarioError::NotRecovered { what: what.to_owned(), seen: seen?, wanted, limit })
    }
}

/// The interface of every fault.
pub(super) trait Inject {
    /// Requirements that `context` does not meet, one sentence each; if there are any, the scenario is skipped.
    ///
    /// # Errors
    /// The cluster does not answer.
    fn lacks(&self, context: &Context) -> impl Future<Output = Result<Vec<String>, ScenarioError>> + Send;

    /// Injects the fault; each time it hits something, a record is added.
    ///
    /// # Errors
    /// It could not be injected, or what it took away did not come back in time.
    fn inject(&self, stage: &mut Stage<'_>) -> impl Future<Output = Result<(), ScenarioError>> + Send;

    /// Ends a fault that does not end by itself: undoes its changes.
    ///
    /// # Errors
    /// It could not be ended, or what it took away did not come back in time.
    fn heal(&self, stage: &mut Stage<'_>) -> impl Future<Output = Result<(), ScenarioError>> + Send {
        async { stage.changes.take_back_to(stage.standing).await }
    }

    /// Adds to the fault's record what the requests show, and whether it bit.
    fn evidence(&self, record: &mut FaultRecord, ledger: &Ledger) {
        traffic(record, ledger);
    }

    /// Namespace and label selector of the pods it hits, if it hits pods; reports name their images.
    fn pods(&self) -> Option<(&str, &str)> {
        None
    }

    /// Problems that a schema cannot express: the path below it, and a sentence.
    fn problems(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:literal => $variant:ident in $module:ident,)+) => {
        $(mod $module;)+

        /// What goes wrong.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum Fault {
            $($(#[$doc])+ #[serde(rename = $name)] $variant($module::$variant),)+
        }

        impl Fault {
            /// The fault's name in files and records.
            pub fn name(&self) -> &'static str {
                match self { $(Fault::$variant(_) => $name,)+ }
            }

            pub(super) async fn lacks(&self, context: &Context) -> Result<Vec<String>, ScenarioError> {
                match self { $(Fault::$variant(one) => one.lacks(context).await,)+ }
            }

            pub(super) async fn inject(&self, stage: &mut Stage<'_>) -> Result<(), ScenarioError> {
                match self { $(Fault::$variant(one) => one.inject(stage).await,)+ }
            }

            pub(super) async fn heal(&self, stage: &mut Stage<'_>) -> Result<(), ScenarioError> {
                match self { $(Fault::$variant(one) => one.heal(stage).await,)+ }
            }

            pub(super) fn evidence(&self, record: &mut FaultRecord, ledger: &Ledger) {
                match self { $(Fault::$variant(one) => one.evidence(record, ledger),)+ }
            }

            pub(super) fn pods(&self) -> Option<(&str, &str)> {
                match self { $(Fault::$variant(one) => one.pods(),)+ }
            }

            /// Problems that a schema cannot express: the path below the moment's `fault`, and a sentence.
            pub(super) fn problems(&self) -> Vec<(String, String)> {
                let problems = match self { $(Fault::$variant(one) => one.problems(),)+ };
                problems.into_iter().map(|(path, message)| (format!("{}.{path}", self.name()), message)).collect()
            }
        }
    };
}

faults! {
    /// Pods die.
    "podKill" => PodKill in pod_kill,
    /// A worker stands still.
    "nodePause" => NodePause in node_pause,
}

/// Counts the requests that a fault met on their way and how many of them failed, and decides whether it bit: a proxy had to
/// retry, or a request was lost. Without counters, it bit if there was any request to hit.
fn traffic(record: &mut FaultRecord, ledger: &Ledger) {
    let begun = (record.at_ms * 1e3) as u32;
    let done = record.done_ms.map_or(begun, |done| (done * 1e3) as u32);
    let in_flight = ledger.entries.iter().filter(|entry| entry.in_flight_at(begun)).count() as u64;
    let lost = |entry: &&Entry| entry.sent <= done && entry.done > begun && entry.outcome.failed();
    let failed = ledger.entries.iter().filter(lost).count() as u64;
    let retried = match record.facts.get(RETRIES) {
        Some(Fact::Amount(retries)) => retries.value > 0.0,
        _ => in_flight > 0,
    };
    record.bit = failed > 0 || retried;
    record.facts.set("in flight", Amount::requests(in_flight));
    record.facts.set("lost", Amount::requests(failed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Outcome;
    use crate::scenario::facts::Facts;

    #[test]
    fn a_fault_bit_when_something_was_lost_or_retried_and_without_counters_when_it_met_requests() {
        let entry = |sent, done, outcome| Entry {
            sequence: 0,
            scheduled: sent,
            released: sent,
            sent,
            done,
            target: 0,
            outcome,
            status: 0,
            answer: 0,
        };
        let bit = |retries: Option<u64>, entries: Vec<Entry>| {
            let facts = Facts::default().with(RETRIES, retries.map(Amount::requests));
            let mut record = FaultRecord { at_ms: 10.0, done_ms: Some(20.0), facts, ..FaultRecord::default() };
            traffic(&mut record, &Ledger { entries, ..Ledger::default() });
            (record.bit, record.facts.get("in flight"), record.facts.get("lost"))
        };
        let found = |bit, in_flight, lost| (bit, Some(amount(in_flight)), Some(amount(lost)));
        fn amount(count: u64) -> Fact {
            Fact::Amount(Amount::requests(count))
        }
        let met = entry(9_000, 30_000, Outcome::Ok);
        assert_eq!(bit(Some(0), vec![met]), found(false, 1, 0));
        assert_eq!(bit(Some(1), vec![met]), found(true, 1, 0));
        assert_eq!(bit(None, vec![met]), found(true, 1, 0));
        assert_eq!(bit(None, vec![entry(21_000, 30_000, Outcome::Ok)]), found(false, 0, 0));
        // sent while the fault came, and lost
        assert_eq!(bit(Some(0), vec![entry(15_000, 30_000, Outcome::ResetAfterWrite)]), found(true, 0, 1));
    }
}
