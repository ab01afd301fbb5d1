//! What reports show about faults and counters, of any kind.

use super::number::{SPACE, amount, count};
use crate::scenario::record::{Fact, Facts, FaultRecord, ObservationRecord, TrialRecord};

/// One fault, in the form that reports show.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its number in the trial, from 1.
    pub number: usize,
    /// The word for it: `kill`.
    pub noun: String,
    /// The state of its target when it was over: `replaced`.
    pub healed_word: String,
    /// What it hit.
    pub target: String,
    /// The node of its target.
    pub node: Option<String>,
    /// How it was done.
    pub how: String,
    /// The kind of thing it hits: `was pod`.
    pub subject: String,
    /// When it began, in milliseconds since the load began.
    pub at_ms: f64,
    /// When it was in full effect, or over.
    pub done_ms: f64,
    /// When what it broke was whole again; none if that was not waited for, or never happened.
    pub healed_ms: Option<f64>,
    /// Number of requests in flight when it began.
    pub in_flight: u64,
    /// Number of those that failed.
    pub lost: u64,
    /// Other facts about it, by name; none if a fact could not be found out.
    pub facts: Vec<(String, Option<String>)>,
    /// Whether it hit traffic.
    pub hit: bool,
}

/// Facts that are shown in fields of their own.
const PLACED: [&str; 4] = ["node", "how", "in flight", "lost"];

/// The faults of a trial, in order.
pub fn faults(trial: &TrialRecord) -> Vec<Fault> {
    trial.faults.iter().enumerate().map(|(at, fault)| of_record(at + 1, fault)).collect()
}

fn of_record(number: usize, fault: &FaultRecord) -> Fault {
    let facts = &fault.facts;
    let others = facts.names().filter(|name| !PLACED.contains(name));
    Fault {
        number,
        noun: fault.words.noun.clone(),
        healed_word: fault.words.healed.clone(),
        target: fault.target.clone(),
        node: text(facts, "node"),
        how: text(facts, "how").unwrap_or_else(|| fault.fault.clone()),
        subject: fault.words.subject.clone(),
        at_ms: fault.at_ms,
        done_ms: fault.done_ms.unwrap_or(fault.at_ms),
        healed_ms: fault.recovered_ms,
        in_flight: number_of(facts, "in flight").unwrap_or(0),
        lost: number_of(facts, "lost").unwrap_or(0),
        facts: others.map(|name| (super::sentence::capital(name), shown(facts, name))).collect(),
        hit: fault.bit,
    }
}

/// A fact in words.
fn text(facts: &Facts, name: &str) -> Option<String> {
    match facts.get(name)? {
        Fact::Text(text) => Some(text),
        Fact::Amount(_) | Fact::Unknown => None,
    }
}

/// A fact that counts something.
fn number_of(facts: &Facts, name: &str) -> Option<u64> {
    match facts.get(name)? {
        Fact::Amount(amount) => Some(amount.value as u64),
        Fact::Text(_) | Fact::Unknown => None,
    }
}

/// A fact as a table shows it; none if it could not be found out.
fn shown(facts: &Facts, name: &str) -> Option<String> {
    match facts.get(name)? {
        Fact::Text(text) => Some(text),
        Fact::Amount(value) if value.unit == "req" => Some(count(value.value as u64)),
        Fact::Amount(value) => Some(amount(value.value, &value.unit)),
        Fact::Unknown => None,
    }
}

/// An observation by its name in files.
fn observation<'a>(trial: &'a TrialRecord, name: &str) -> Option<&'a ObservationRecord> {
    trial.observations.iter().find(|observation| observation.observation == name)
}

/// The counters of proxies; none if no proxy was observed.
pub fn proxies(trial: &TrialRecord) -> Option<&ObservationRecord> {
    observation(trial, "proxies")
}

/// How many servers answered, according to the headers in which they identify themselves.
pub fn servers(trial: &TrialRecord) -> usize {
    observation(trial, "answers").map_or(0, |answers| answers.rows.len())
}

/// What the proxies of one group counted in a trial, all pods and upstreams together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The group's name in the scenario.
    pub group: String,
    /// Retries sent.
    pub retried: u64,
    /// Retries that led to a good answer.
    pub saved: u64,
    /// Requests given up after the last attempt.
    pub given_up: u64,
    /// Retries not sent because of a budget or circuit breaker.
    pub refused: u64,
}

impl Counted {
    /// The counters in a few words.
    pub fn words(&self) -> String {
        format!("{} retried, {} saved", count(self.retried), count(self.saved))
    }
}

/// The counters of each group of proxies, in the order of the record; without groups whose retries are not known.
pub fn counted(trial: &TrialRecord) -> Vec<Counted> {
    let totals = proxies(trial).map_or(&[][..], |proxies| &proxies.totals);
    let mut groups: Vec<Counted> = Vec::new();
    for total in totals {
        let (Some(group), Some(counter)) = (text(total, "group"), text(total, "counter")) else { continue };
        let Some(growth) = number_of(total, "growth") else { continue };
        let at = groups.iter().position(|known| known.group == group).unwrap_or_else(|| {
            groups.push(Counted { group, retried: 0, saved: 0, given_up: 0, refused: 0 });
            groups.len() - 1
        });
        match counter.as_str() {
            "upstream_rq_retry" => groups[at].retried = growth,
            "upstream_rq_retry_success" => groups[at].saved = growth,
            "upstream_rq_retry_limit_exceeded" => groups[at].given_up = growth,
            "upstream_rq_retry_overflow" => groups[at].refused = growth,
            _ => {}
        }
    }
    groups
}

/// One counter of one upstream in one proxy: its value before, after, and its growth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The proxy's group in the scenario.
    pub group: String,
    /// The proxy's pod.
    pub pod: String,
    /// The upstream cluster.
    pub upstream: String,
    /// Envoy's name for the counter.
    pub counter: String,
    /// The value before the load.
    pub before: u64,
    /// The value after the load.
    pub after: u64,
    /// The difference.
    pub growth: u64,
}

impl Reading {
    /// True when both are readings of the same counter.
    pub fn same(&self, other: &Reading) -> bool {
        (&self.group, &self.pod, &self.upstream, &self.counter) == (&other.group, &other.pod, &other.upstream, &other.counter)
    }
}

/// All counters that ever counted anything.
pub fn readings(trial: &TrialRecord) -> Vec<Reading> {
    let rows = proxies(trial).map_or(&[][..], |proxies| &proxies.rows);
    let reading = |row: &Facts| {
        Some(Reading {
            group: text(row, "group")?,
            pod: text(row, "pod")?,
            upstream: text(row, "upstream")?,
            counter: text(row, "counter")?,
            before: number_of(row, "before")?,
            after: number_of(row, "after")?,
            growth: number_of(row, "growth")?,
        })
    };
    rows.iter().filter_map(reading).collect()
}

/// Why requests failed, as far as counters and answers show it, and what may help: from Envoy's response flags.
pub fn cause(trial: &TrialRecord) -> Option<String> {
    if trial.failed == 0 {
        return None;
    }
    let all = counted(trial);
    let given_up: u64 = all.iter().map(|group| group.given_up).sum();
    let refused: u64 = all.iter().map(|group| group.refused).sum();
    if refused > 0 {
        return Some(format!(
            "503 UO: {} retries were refused by a retry budget or circuit breaker. Raise `connectionPool` limits or the retry budget.",
            count(refused)
        ));
    }
    if given_up > 0 {
        return Some(format!(
            "503 URX: retries were used up for {} requests. Raise `retries.attempts`, or run more replicas.",
            count(given_up)
        ));
    }
    let (status, requests) = trial.statuses.iter().filter(|(status, _)| **status >= 500).max_by_key(|(_, n)| **n)?;
    let were = super::sentence::plural(*requests, "was", "were");
    let answered = format!("{} of the failed requests {were} answered {status}", count(*requests));
    // proxies that were not read counted nothing that is known
    Some(if all.is_empty() { format!("{answered}.") } else { format!("{answered}, and no proxy counted a retry it gave up.") })
}

/// A time after the load began, with its unit.
pub fn after_start(ms: f64) -> String {
    format!("{}{SPACE}s", super::number::fixed(ms / 1e3, 1))
}
