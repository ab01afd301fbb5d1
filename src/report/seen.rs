//! What reports show of faults and counters, whatever kind they are of.

use super::number::{SPACE, count};
use crate::scenario::record::{KillRecord, ProxyRecord, TrialRecord};
use crate::scenario::schema::{Counter, Death};

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its number in the trial, from 1.
    pub number: usize,
    /// What one of its kind is called: `kill`.
    pub noun: &'static str,
    /// What it was when it was over: `replaced`.
    pub healed_word: &'static str,
    /// What it was done to.
    pub target: String,
    /// Where that was.
    pub node: Option<String>,
    /// How it was done.
    pub how: String,
    /// When it began, in milliseconds of the load's time.
    pub at_ms: f64,
    /// When it was done.
    pub done_ms: f64,
    /// When what it broke was whole again; none if that was not waited for, or never.
    pub healed_ms: Option<f64>,
    /// Requests on their way when it began.
    pub in_flight: u64,
    /// Those of them that failed.
    pub lost: u64,
    /// What else is known of it, by name; none where it could not be found out.
    pub facts: Vec<(&'static str, Option<String>)>,
    /// Whether it met traffic.
    pub hit: bool,
}

/// The faults of a trial, in order.
pub fn faults(trial: &TrialRecord) -> Vec<Fault> {
    trial.kills.iter().enumerate().map(|(at, kill)| of_kill(at + 1, kill)).collect()
}

fn of_kill(number: usize, kill: &KillRecord) -> Fault {
    Fault {
        number,
        noun: "kill",
        healed_word: "replaced",
        target: kill.pod.clone(),
        node: Some(kill.node.clone()),
        how: match kill.how {
            Death::Delete => "The pod was deleted".to_owned(),
            Death::Sigkill => "SIGKILL to every process of the pod".to_owned(),
        },
        at_ms: kill.at_ms,
        done_ms: kill.done_ms,
        healed_ms: kill.replaced_ms,
        in_flight: kill.in_flight,
        lost: kill.failed,
        facts: vec![("Retries", kill.retries.map(count))],
        // as the scenario's own validity check counts
        hit: kill.failed > 0 || kill.retries.map_or(kill.in_flight > 0, |retries| retries > 0),
    }
}

/// What the proxies of one group counted in a trial, all pods and upstreams together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The group's name in the scenario.
    pub group: String,
    /// Retries sent.
    pub retried: u64,
    /// Retries that were answered well.
    pub saved: u64,
    /// Requests given up after the last attempt.
    pub given_up: u64,
    /// Retries not sent because of a budget or circuit breaker.
    pub refused: u64,
}

impl Counted {
    /// In a few words.
    pub fn words(&self) -> String {
        format!("{} retried, {} saved", count(self.retried), count(self.saved))
    }
}

/// What each group of proxies counted, in the order of the record.
pub fn counted(trial: &TrialRecord) -> Vec<Counted> {
    let mut groups: Vec<Counted> = Vec::new();
    for proxy in &trial.proxies {
        let at = groups.iter().position(|group| group.group == proxy.group).unwrap_or_else(|| {
            groups.push(Counted { group: proxy.group.clone(), retried: 0, saved: 0, given_up: 0, refused: 0 });
            groups.len() - 1
        });
        groups[at].retried += proxy.delta.get(Counter::Retry);
        groups[at].saved += proxy.delta.get(Counter::RetrySuccess);
        groups[at].given_up += proxy.delta.get(Counter::RetryLimitExceeded);
        groups[at].refused += proxy.delta.get(Counter::RetryOverflow);
    }
    groups
}

/// One counter of one proxy: its name, and what it read before, after, and grew by.
pub struct Reading {
    /// Envoy's name of the counter.
    pub counter: &'static str,
    /// Before the load.
    pub before: u64,
    /// After it.
    pub after: u64,
    /// The growth.
    pub growth: u64,
}

/// All counters of one proxy and upstream.
pub fn readings(proxy: &ProxyRecord) -> [Reading; 4] {
    [
        (Counter::Retry, "upstream_rq_retry"),
        (Counter::RetrySuccess, "upstream_rq_retry_success"),
        (Counter::RetryLimitExceeded, "upstream_rq_retry_limit_exceeded"),
        (Counter::RetryOverflow, "upstream_rq_retry_overflow"),
    ]
    .map(|(counter, name)| Reading {
        counter: name,
        before: proxy.before.get(counter),
        after: proxy.after.get(counter),
        growth: proxy.delta.get(counter),
    })
}

/// Why requests failed, as far as counters and answers show it, and what may help: by Envoy's response flags.
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
    Some(format!("{} of them were answered {status}, and no proxy counted a retry it gave up.", count(*requests)))
}

/// A time after the load began, with its unit.
pub fn after_start(ms: f64) -> String {
    format!("{}{SPACE}s", super::number::fixed(ms / 1e3, 1))
}
