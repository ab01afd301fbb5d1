//! The ledger: one entry for every request that was due. Every number of a report is counted from it.

use serde::{Deserialize, Serialize};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A whole response with the wanted status.
    Ok,
    /// A whole response with another status.
    BadStatus,
    /// A whole response with the wanted status and another body.
    WrongBody,
    /// Nothing listens at the address.
    ConnectRefused,
    /// The address did not answer in time.
    ConnectTimeout,
    /// The connection could not be opened for another reason.
    ConnectFailed,
    /// The connection was gone before the first byte of the request was sent.
    ResetBeforeWrite,
    /// The connection ended between the request and the response's head.
    ResetAfterWrite,
    /// The connection ended within the response's body.
    TruncatedBody,
    /// What came back is not HTTP/1.
    Malformed,
    /// No whole response in time.
    Timeout,
    /// All connections were busy until the time was over: it was never sent.
    NotSent,
    /// Still unanswered when the wait at the end of the load was over.
    Unfinished,
}

impl Outcome {
    /// True for anything but a good answer.
    pub fn failed(self) -> bool {
        self != Outcome::Ok
    }

    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::BadStatus => "bad-status",
            Outcome::WrongBody => "wrong-body",
            Outcome::ConnectRefused => "connect-refused",
            Outcome::ConnectTimeout => "connect-timeout",
            Outcome::ConnectFailed => "connect-failed",
            Outcome::ResetBeforeWrite => "reset-before-write",
            Outcome::ResetAfterWrite => "reset-after-write",
            Outcome::TruncatedBody => "truncated-body",
            Outcome::Malformed => "malformed",
            Outcome::Timeout => "timeout",
            Outcome::NotSent => "not-sent",
            Outcome::Unfinished => "unfinished",
        }
    }
}

/// One request. Times are microseconds after the start of the load; 28 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Number in the schedule, from 0; the end of its `x-request-id`.
    pub sequence: u32,
    /// When it was due.
    pub scheduled: u32,
    /// When the generator got to it: later than `scheduled` only by the generator's own fault.
    pub released: u32,
    /// When it was written; later than `released` when all connections were busy. Same as `done` if it never was.
    pub sent: u32,
    /// When its fate was known.
    pub done: u32,
    /// Index of its target.
    pub target: u8,
    /// What became of it.
    pub outcome: Outcome,
    /// Which attempt reached the server, as the proxies count; 0 if unknown.
    pub attempt: u8,
    /// The response's status; 0 without one.
    pub status: u16,
    /// Index into [`Ledger::pods`] of who answered, plus 1; 0 if unknown.
    pub pod: u16,
}

impl Entry {
    /// From the moment it was due, in microseconds. A failed request counts as slow as the timeout at least: failing fast
    /// must not look fast.
    pub fn latency(&self, timeout: u32) -> u32 {
        let latency = self.done.saturating_sub(self.scheduled);
        if self.outcome.failed() { latency.max(timeout) } else { latency }
    }

    /// From the moment it was sent, in microseconds.
    pub fn service_time(&self) -> u32 {
        self.done.saturating_sub(self.sent)
    }

    /// How late the generator was, in microseconds.
    pub fn release_error(&self) -> u32 {
        self.released.saturating_sub(self.scheduled)
    }

    /// True while it was on its way at this time.
    pub fn in_flight_at(&self, time: u32) -> bool {
        self.sent <= time && time < self.done
    }
}

/// Entries as the generator hands them over, some ten times a second.
#[derive(Debug, Default)]
pub struct Batch {
    /// Requests whose fate became known, in that order.
    pub entries: Vec<Entry>,
    /// Pods seen for the first time.
    pub pods: Vec<String>,
    /// Every request due before this time, in microseconds, is in this batch or an earlier one.
    pub settled: u32,
}

/// All requests of a load.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// In the order in which their fate became known; [`Ledger::sort`] puts them into that of the schedule.
    pub entries: Vec<Entry>,
    /// Names of the pods that answered.
    pub pods: Vec<String>,
    /// Every request due before this time, in microseconds, is here.
    pub settled: u32,
}

impl Ledger {
    /// Adds what the generator hands over.
    pub fn absorb(&mut self, batch: Batch) {
        self.entries.extend(batch.entries);
        self.pods.extend(batch.pods);
        self.settled = batch.settled;
    }

    /// Puts the entries into the order of the schedule.
    pub fn sort(&mut self) {
        self.entries.sort_unstable_by_key(|entry| entry.sequence);
    }

    /// Requests that were due in `from..to`, in microseconds.
    pub fn between(&self, from: u32, to: u32) -> impl Iterator<Item = &Entry> + Clone {
        self.entries.iter().filter(move |entry| (from..to).contains(&entry.scheduled))
    }

    /// Number of failed requests.
    pub fn failed(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.outcome.failed()).count() as u64
    }

    /// Name of the pod that answered.
    pub fn pod(&self, entry: &Entry) -> Option<&str> {
        self.pods.get(usize::from(entry.pod).checked_sub(1)?).map(String::as_str)
    }

    /// As comma-separated values with a heading; one line per request.
    pub fn to_csv(&self, run: &str) -> String {
        use std::fmt::Write;
        let mut text = String::from("request_id,scheduled_us,released_us,sent_us,done_us,outcome,status,attempt,pod\n");
        for entry in &self.entries {
            let Entry { sequence, scheduled, released, sent, done, outcome, attempt, status, .. } = entry;
            let pod = self.pod(entry).unwrap_or_default();
            let outcome = outcome.name();
            // writing to a String cannot fail
            let _ = writeln!(
                text,
                "{},{scheduled},{released},{sent},{done},{outcome},{status},{attempt},{pod}",
                request_id(run, *sequence)
            );
        }
        text
    }
}

/// The `x-request-id` of a request.
pub fn request_id(run: &str, sequence: u32) -> String {
    format!("{run}-{sequence:08x}")
}
