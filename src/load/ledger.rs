//! The ledger: one entry for every request that was due. All numbers in a report are counted from it.

use std::borrow::Cow;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Values of the captured headers of an answer; none for a header that is missing.
pub type Answer = Vec<Option<String>>;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A complete response with the expected status.
    Ok,
    /// A complete response with another status.
    BadStatus,
    /// A complete response with the expected status and another body.
    WrongBody,
    /// The address refused the connection.
    ConnectRefused,
    /// The address did not answer in time.
    ConnectTimeout,
    /// The connection could not be opened for another reason.
    ConnectFailed,
    /// The connection was closed before the first byte of the request was sent.
    ResetBeforeWrite,
    /// The connection was closed between the request and the response's head.
    ResetAfterWrite,
    /// The connection was closed within the response's body.
    TruncatedBody,
    /// The response is not HTTP/1.
    Malformed,
    /// No complete response in time.
    Timeout,
    /// All connections were busy until its time was over: it was never sent.
    NotSent,
    /// Still unanswered when the wait at the end of the load was over.
    Unfinished,
}

impl Outcome {
    /// True for every outcome except a good answer.
    pub fn failed(self) -> bool {
        self != Outcome::Ok
    }

    /// The name used in reports.
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
    /// Number in the schedule, from 0; also the end of its `x-request-id`.
    pub sequence: u32,
    /// When it was due.
    pub scheduled: u32,
    /// When the generator got to it: only the generator itself can make this later than `scheduled`.
    pub released: u32,
    /// When it was written; later than `released` if all connections were busy. Equal to `done` if it never was.
    pub sent: u32,
    /// When its outcome was known.
    pub done: u32,
    /// Index of its target.
    pub target: u8,
    /// What happened to it.
    pub outcome: Outcome,
    /// The response's status; 0 without one.
    pub status: u16,
    /// Index into [`Ledger::answers`] of the captured headers, plus 1; 0 without a response.
    pub answer: u32,
}

impl Entry {
    /// Time from the moment it was due, in microseconds. A failed request counts as at least as slow as the timeout: failing
    /// fast must not look fast.
    pub fn latency(&self, timeout: u32) -> u32 {
        let latency = self.done.saturating_sub(self.scheduled);
        if self.outcome.failed() { latency.max(timeout) } else { latency }
    }

    /// Time from the moment it was sent, in microseconds.
    pub fn service_time(&self) -> u32 {
        self.done.saturating_sub(self.sent)
    }

    /// How late the generator was, in microseconds.
    pub fn release_error(&self) -> u32 {
        self.released.saturating_sub(self.scheduled)
    }

    /// True if it was in flight at this time.
    pub fn in_flight_at(&self, time: u32) -> bool {
        self.sent <= time && time < self.done
    }
}

/// Entries that the generator hands over, about ten times a second.
#[derive(Debug, Default)]
pub struct Batch {
    /// Requests whose outcome became known, in that order.
    pub entries: Vec<Entry>,
    /// Combinations of captured headers not seen before.
    pub answers: Vec<Answer>,
    /// Every request due before this time, in microseconds, is in this batch or an earlier one.
    pub settled: u32,
}

/// All requests of a load.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// In the order in which their outcome became known; [`Ledger::sort`] puts them into the order of the schedule.
    pub entries: Vec<Entry>,
    /// Names of the captured headers.
    pub headers: Vec<String>,
    /// Values of the captured headers: each combination once, in the order of `headers`.
    pub answers: Vec<Answer>,
    /// Every request due before this time, in microseconds, has an entry.
    pub settled: u32,
}

impl Ledger {
    /// Adds a batch from the generator.
    pub fn absorb(&mut self, batch: Batch) {
        self.entries.extend(batch.entries);
        self.answers.extend(batch.answers);
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

    /// The value of a captured header in the answer to a request.
    pub fn header(&self, entry: &Entry, name: &str) -> Option<&str> {
        let index = self.headers.iter().position(|header| header.eq_ignore_ascii_case(name))?;
        self.answer(entry)?.get(index)?.as_deref()
    }

    fn answer(&self, entry: &Entry) -> Option<&Answer> {
        self.answers.get((entry.answer as usize).checked_sub(1)?)
    }

    /// The entries as comma-separated values with a heading; one line per request.
    pub fn to_csv(&self, run: &str) -> String {
        let mut text = String::from("request_id,scheduled_us,released_us,sent_us,done_us,outcome,status,target");
        self.headers.iter().for_each(|name| text.extend([",", &csv(name)]));
        text.push('\n');
        for entry in &self.entries {
            let Entry { sequence, scheduled, released, sent, done, outcome, status, target, .. } = entry;
            let (id, outcome) = (request_id(run, *sequence), outcome.name());
            // writing to a String cannot fail
            let _ = write!(text, "{id},{scheduled},{released},{sent},{done},{outcome},{status},{target}");
            for index in 0..self.headers.len() {
                let value = self.answer(entry).and_then(|answer| answer.get(index)?.as_deref());
                text.extend([",", &csv(value.unwrap_or_default())]);
            }
            text.push('\n');
        }
        text
    }
}

/// A field in comma-separated values (RFC 4180, 2).
fn csv(value: &str) -> Cow<'_, str> {
    if value.contains([',', '"', '\n', '\r']) { format!("\"{}\"", value.replace('"', "\"\"")).into() } else { value.into() }
}

/// The `x-request-id` of a request.
pub fn request_id(run: &str, sequence: u32) -> String {
    format!("{run}-{sequence:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_headers_are_columns_and_an_entry_stays_small() {
        assert_eq!(size_of::<Entry>(), 28);
        let entry = |sequence, answer, outcome| Entry {
            sequence,
            scheduled: 10,
            released: 11,
            sent: 12,
            done: 30,
            target: 0,
            outcome,
            status: 200,
            answer,
        };
        let ledger = Ledger {
            entries: vec![entry(0, 1, Outcome::Ok), entry(1, 0, Outcome::Timeout)],
            headers: vec!["x-pod".into(), "via".into()],
            answers: vec![vec![Some("a,\"b\"".into()), None]],
            settled: 0,
        };
        assert_eq!(ledger.header(&ledger.entries[0], "X-Pod"), Some("a,\"b\""));
        assert_eq!(ledger.header(&ledger.entries[0], "via"), None);
        let csv = ledger.to_csv("r");
        let lines: Vec<&str> = csv.lines().skip(1).collect();
        assert_eq!(lines, ["r-00000000,10,11,12,30,ok,200,0,\"a,\"\"b\"\"\",", "r-00000001,10,11,12,30,timeout,200,0,,"]);
    }
}
