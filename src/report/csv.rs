//! Comma-separated values: every number of the report on its own line, with its unit, for spreadsheets and scripts.

use serde::Serialize;

use super::model::Report;
use crate::compare::record::{Comparison, Estimate, MetricRecord};
use crate::scenario::RunRecord;
use crate::scenario::record::{Fact, FaultRecord, PartRecord, TrialRecord};

/// One number.
#[derive(Debug, Serialize)]
struct Row<'a> {
    result: &'a str,
    /// The claim, its control, or the name of an arm.
    of: &'a str,
    /// A phase, a second, a fault; empty for the whole run.
    place: &'a str,
    measure: &'a str,
    value: f64,
    unit: &'a str,
    low95: Option<f64>,
    high95: Option<f64>,
}

struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn row(&mut self, row: Row) {
        // writing to a vector cannot fail, and a row of plain fields is always one line
        let _ = self.0.serialize(row);
    }
}

pub(super) fn render(report: &Report) -> String {
    let mut table = Table(csv::Writer::from_writer(Vec::new()));
    report.comparisons.iter().for_each(|of| comparison(&mut table, of));
    for run in &report.scenarios {
        scenario(&mut table, run);
    }
    // the writer only wrote text
    table.0.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn comparison(table: &mut Table, of: &Comparison) {
    let result = of.name.as_str();
    for arm in &of.arms {
        for (measure, value) in [("requests", arm.requests), ("failed", arm.failed)] {
            let row =
                Row { result, of: &arm.name, place: "", measure, value: value as f64, unit: "req", low95: None, high95: None };
            table.row(row);
        }
    }
    let names: Vec<&str> = of.declaration.content.arms.iter().map(|arm| arm.name.as_str()).collect();
    for metric in &of.metrics {
        let MetricRecord { a_ms, b_ms, estimate, .. } = metric;
        let measure = metric.metric.name();
        for (arm, value) in names.iter().zip([a_ms, b_ms]) {
            if let Some(value) = *value {
                table.row(Row { result, of: arm, place: "", measure, value, unit: "ms", low95: None, high95: None });
            }
        }
        if let Some(estimate) = estimate {
            let value = estimate.value;
            let row = Row { result, of: "difference", place: "", measure, value, unit: "ms", low95: None, high95: None };
            table.row(with_ends(row, estimate));
        }
    }
    claim(table, of);
}

/// What was measured of what others claimed.
fn claim(table: &mut Table, of: &Comparison) {
    for line in &of.claim {
        if let Some(estimate) = &line.estimate {
            let (measure, value, unit) = (line.claim.name(), estimate.value, estimate.unit.as_str());
            let row = Row { result: &of.name, of: "claim", place: "", measure, value, unit, low95: None, high95: None };
            table.row(with_ends(row, estimate));
        }
    }
}

/// The columns are for 95 %; the ends for another level are in the JSON.
fn with_ends<'a>(row: Row<'a>, estimate: &Estimate) -> Row<'a> {
    let is95 = (estimate.level - 0.95).abs() < 1e-9;
    let (low95, high95) = if is95 { (estimate.low, estimate.high) } else { (None, None) };
    Row { low95, high95, ..row }
}

fn scenario(table: &mut Table, run: &RunRecord) {
    let control = run.control.as_ref().map(|control| ("control", &control.trial));
    for (of, trial) in run.trial.iter().map(|trial| ("claim", trial)).chain(control) {
        trial_rows(table, &run.scenario, of, trial);
    }
}

fn trial_rows(table: &mut Table, result: &str, of: &str, trial: &TrialRecord) {
    let mut whole = |measure: &str, value: f64, unit: &str, high95: Option<f64>| {
        table.row(Row { result, of, place: "", measure, value, unit, low95: None, high95 });
    };
    whole("requests", trial.requests as f64, "req", None);
    whole("failed", trial.failed as f64, "req", None);
    let rate = if trial.requests > 0 { trial.failed as f64 / trial.requests as f64 } else { 0.0 };
    whole("failure rate", rate, "ratio", trial.failure_rate_upper95);
    whole("answered after a retry", trial.repeated as f64, "req", None);
    if let Some(recovery) = trial.recovery_ms {
        whole("steady again after", recovery, "ms", None);
    }
    for assertion in &trial.assertions {
        if let Some(measured) = &assertion.measured {
            whole(&assertion.id, measured.value, &measured.unit, None);
        }
    }
    trial.faults.iter().enumerate().for_each(|(index, fault)| fault_rows(table, result, of, (index + 1, fault)));
    trial.parts.iter().for_each(|part| part_rows(table, result, of, part));
    for window in &trial.windows {
        let place = format!("second {}", window.from_ms / 1e3);
        let mut second = |measure: &str, value: f64, unit: &str| {
            table.row(Row { result, of, place: &place, measure, value, unit, low95: None, high95: None });
        };
        second("requests", window.requests as f64, "req");
        second("failed", window.failed as f64, "req");
        second("latency p50", window.latency_p50_ms, "ms");
        second("latency p99", window.latency_p99_ms, "ms");
        second("generator late p99", window.release_error_p99_ms, "ms");
    }
}

fn fault_rows(table: &mut Table, result: &str, of: &str, (number, fault): (usize, &FaultRecord)) {
    let place = format!("{} {number}", fault.fault);
    let mut row = |measure: &str, value: f64, unit: &str| {
        table.row(Row { result, of, place: &place, measure, value, unit, low95: None, high95: None });
    };
    row("at", fault.at_ms, "ms");
    if let Some(back) = fault.recovered_ms {
        row("back after", back - fault.at_ms, "ms");
    }
    for name in fault.facts.names() {
        if let Some(Fact::Amount(amount)) = fault.facts.get(name) {
            row(name, amount.value, &amount.unit);
        }
    }
}

fn part_rows(table: &mut Table, result: &str, of: &str, part: &PartRecord) {
    let place = part.part.name();
    let mut row = |measure: &str, value: f64, unit: &str| {
        table.row(Row { result, of, place, measure, value, unit, low95: None, high95: None });
    };
    row("requests", part.requests as f64, "req");
    row("failed", part.failed as f64, "req");
    for (kind, times) in [("latency", &part.latency), ("service time", &part.service)] {
        let quantiles = [("p50", times.p50_ms), ("p90", times.p90_ms), ("p99", times.p99_ms), ("p99.9", times.p999_ms)];
        for (quantile, value) in quantiles.into_iter().chain([("max", times.max_ms)]) {
            row(&format!("{kind} {quantile}"), value, "ms");
        }
    }
}
