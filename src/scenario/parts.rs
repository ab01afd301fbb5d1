//! The parts of a trial: when each began, and the requests in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{PartRecord, Quantiles, WindowRecord};
use super::steady::WINDOW;
use crate::load::{Distribution, Entry, Ledger};

/// A part of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// All of it.
    #[default]
    Run,
    /// The steady state before the first fault.
    Before,
    /// From the first fault until the steady state is back.
    Faults,
    /// The steady state after the last fault.
    After,
}

impl Part {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Part::Run => "whole run",
            Part::Before => "before",
            Part::Faults => "faults",
            Part::After => "after",
        }
    }
}

/// When the parts of a trial began, in microseconds of the load's time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// When the steady state began.
    pub steady: u32,
    /// When the first fault came; none if there was none.
    pub faults: Option<u32>,
    /// When the last fault began: recovery counts from here.
    pub last_fault: u32,
    /// When the steady state was back; none if it never was.
    pub recovered: Option<u32>,
    /// When the schedule ended.
    pub end: u32,
}

impl Marks {
    /// When a part began and ended; none for a part that the trial did not have.
    pub fn range(&self, part: Part) -> Option<(u32, u32)> {
        let recovered = self.recovered.unwrap_or(self.end);
        match part {
            Part::Run => Some((0, u32::MAX)),
            Part::Before => Some((self.steady, self.faults.unwrap_or(self.end))),
            Part::Faults => Some((self.faults?, recovered)),
            Part::After => Some((self.recovered?, u32::MAX)),
        }
    }

    /// Milliseconds from the last fault to the steady state.
    pub fn recovery_ms(&self) -> Option<f64> {
        self.recovered.map(|at| ms(at.saturating_sub(self.last_fault)))
    }
}

/// Every part that the trial had, with its requests.
pub(super) fn parts(ledger: &Ledger, marks: &Marks, windows: &[WindowRecord], timeout: u32) -> Vec<PartRecord> {
    let part = |part: Part| {
        let (from, to) = marks.range(part)?;
        let valid = || valid(ledger, windows, from, to);
        Some(PartRecord {
            part,
            from_ms: ms(from),
            to_ms: ms(to.min(marks.end)),
            requests: ledger.between(from, to).count() as u64,
            failed: ledger.between(from, to).filter(|entry| entry.outcome.failed()).count() as u64,
            latency: quantiles(&Distribution::of(valid().map(|entry| entry.latency(timeout)))),
            service: quantiles(&Distribution::of(valid().map(Entry::service_time))),
        })
    };
    [Part::Before, Part::Faults, Part::After, Part::Run].into_iter().filter_map(part).collect()
}

/// Requests in `from..to` outside void windows.
pub(super) fn valid<'a>(ledger: &'a Ledger, windows: &[WindowRecord], from: u32, to: u32) -> impl Iterator<Item = &'a Entry> {
    let void: Vec<u32> =
        windows.iter().filter(|window| window.void).map(|window| (window.from_ms * 1e3) as u32 / WINDOW).collect();
    ledger.between(from, to).filter(move |entry| !void.contains(&(entry.scheduled / WINDOW)))
}

fn quantiles(times: &Distribution) -> Quantiles {
    Quantiles {
        count: times.len(),
        p50_ms: times.quantile_ms(0.5),
        p90_ms: times.quantile_ms(0.9),
        p99_ms: times.quantile_ms(0.99),
        p999_ms: times.quantile_ms(0.999),
        max_ms: times.max_ms(),
    }
}

/// Microseconds of the load's time as milliseconds.
pub(super) fn ms(micros: u32) -> f64 {
    f64::from(micros) / 1e3
}
