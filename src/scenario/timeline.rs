//! Every request of a trial, small enough to be drawn: counts in cells for the usual ones, a mark for each of the others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::{Distribution, Entry, Ledger, Outcome};

/// Width of a column, in microseconds since the load began.
const COLUMN: u32 = 500_000;

/// Cells per factor of ten in the logarithmic grid of latencies.
const CELLS_PER_DECADE: u32 = 20;

/// An answer this many times slower than the median is mentioned separately.
const SLOW: f64 = 20.0;

/// Every request of a trial. Times are in milliseconds; moments are counted from the beginning of the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// Width of a column of cells.
    pub column_ms: f64,
    /// Cell `c` holds latencies from 10^(c / cellsPerDecade) ms up to where the next one begins.
    pub cells_per_decade: u32,
    /// Requests answered well at the first attempt, or at an unknown one: column by due time, cell by latency, number.
    pub first: Vec<(u32, i32, u32)>,
    /// Each request answered well after a retry: when it was due, its latency, the attempt that was answered.
    pub retried: Vec<(f64, f64, u8)>,
    /// Each failed request: when it was due, and when its outcome was known.
    pub failed: Vec<(f64, f64)>,
    /// Each request answered well but more than 20 times slower than the median, as in `retried`.
    pub slow: Vec<(f64, f64, u8)>,
    /// Requests by outcome: each request counts in exactly one row.
    pub tally: Vec<Tally>,
}

/// Requests with the same outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Their outcome.
    pub outcome: Outcome,
    /// The response's status, if there was one.
    pub status: Option<u16>,
    /// The attempt that reached a server, as counted by the proxies; none if unknown.
    pub attempt: Option<u8>,
    /// Their number.
    pub requests: u64,
}

impl Timeline {
    /// From the ledger, in the order of due times. `attempt` is the attempt that reached a server, 0 if unknown.
    pub fn of(ledger: &Ledger, attempt: impl Fn(&Entry) -> u8) -> Self {
        let good = || ledger.entries.iter().filter(|entry| !entry.outcome.failed());
        let median = Distribution::of(good().map(|entry| entry.latency(0))).quantile_ms(0.5);
        let mut cells: BTreeMap<(u32, i32), u32> = BTreeMap::new();
        let mut tally: BTreeMap<(Outcome, u16, u8), u64> = BTreeMap::new();
        let mut drawn =
            Timeline { column_ms: f64::from(COLUMN) / 1e3, cells_per_decade: CELLS_PER_DECADE, ..Timeline::default() };
        for entry in &ledger.entries {
            let attempt = attempt(entry);
            *tally.entry((entry.outcome, entry.status, attempt)).or_default() += 1;
            let (due, latency) = (tenths(entry.scheduled), tenths(entry.latency(0)));
            if entry.outcome.failed() {
                drawn.failed.push((due, tenths(entry.done)));
                continue;
            }
            let mark = (due, latency, attempt);
            if attempt > 1 {
                drawn.retried.push(mark);
            } else {
                *cells.entry((entry.scheduled / COLUMN, cell(entry.latency(0)))).or_default() += 1;
            }
            if median > 0.0 && f64::from(entry.latency(0)) / 1e3 > SLOW * median {
                drawn.slow.push(mark);
            }
        }
        drawn.first = cells.into_iter().map(|((column, cell), requests)| (column, cell, requests)).collect();
        let rows = tally.into_iter().map(|((outcome, status, attempt), requests)| Tally {
            outcome,
            status: (status != 0).then_some(status),
            attempt: (attempt != 0).then_some(attempt),
            requests,
        });
        drawn.tally = rows.collect();
        drawn
    }
}

/// The cell of a latency in microseconds.
fn cell(latency: u32) -> i32 {
    let ms = f64::from(latency.max(1)) / 1e3;
    (ms.log10() * f64::from(CELLS_PER_DECADE)).floor() as i32
}

/// Milliseconds with one decimal: the precision of a mark on a page.
fn tenths(micros: u32) -> f64 {
    (f64::from(micros) / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(sequence: u32, outcome: Outcome, attempt: u32, latency: u32) -> Entry {
        let scheduled = sequence * 10_000;
        let (released, sent, done) = (scheduled, scheduled, scheduled + latency);
        Entry { sequence, scheduled, released, sent, done, target: 0, outcome, status: 200, answer: attempt }
    }

    #[test]
    fn each_request_is_in_one_cell_or_mark_and_in_one_row() {
        let mut entries: Vec<Entry> = (0..200).map(|n| entry(n, Outcome::Ok, 1, 40_000)).collect();
        entries[7] = entry(7, Outcome::Ok, 2, 90_000);
        entries[60] = entry(60, Outcome::Timeout, 0, 20_000_000);
        entries[61] = entry(61, Outcome::Ok, 1, 900_000);
        let drawn = Timeline::of(&Ledger { entries, ..Ledger::default() }, |entry| entry.answer as u8);
        let first: u32 = drawn.first.iter().map(|(_, _, requests)| requests).sum();
        assert_eq!((first, drawn.retried.len(), drawn.failed.len()), (198, 1, 1));
        assert_eq!(drawn.tally.iter().map(|row| row.requests).sum::<u64>(), 200);
        assert_eq!((drawn.retried[0], drawn.failed[0]), ((70.0, 90.0, 2), (600.0, 20_600.0)));
        assert_eq!(drawn.slow, [(610.0, 900.0, 1)]);
        // 40 ms: from 10^(32/20) = 39.8 ms up
        assert_eq!(drawn.first[0], (0, 32, 49));
    }
}
