//! What was measured, held against what was asserted. Pure functions of ledger, counters and scenario.

use std::collections::BTreeMap;

use super::record::{Amount, AssertionRecord, FailureRecord, KillRecord, PartRecord, Quantiles, TrialRecord, WindowRecord};
use super::schema::{Assertion, Bound, Expectation, Part, Spec};
use super::steady::WINDOW;
use super::timeline::Timeline;
use super::trial::{POD, attempt};
use crate::load::{Distribution, Entry, Ledger, micros, request_id};
use crate::quantity::{Requests, Span};
use crate::statistics::zero_failures_upper_95;

/// Most failed requests that a record lists; the ledger has them all.
const LISTED_FAILURES: usize = 20;

/// When the parts of a trial began, in microseconds of the load's time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// The steady state.
    pub steady: u32,
    /// The first fault; none when there was none.
    pub faults: Option<u32>,
    /// The last fault was over.
    pub faults_end: u32,
    /// The steady state was back; none when it did not come.
    pub recovered: Option<u32>,
    /// The schedule ended.
    pub end: u32,
}

/// Fills in everything that follows from the ledger; counters and kills must be there already.
pub(super) fn judge(record: &mut TrialRecord, spec: &Spec, ledger: &Ledger, run: &str, marks: &Marks) {
    let timeout = micros(spec.load.timeout.0);
    count(record, ledger, run);
    record.timeline = Some(Timeline::of(ledger));
    record.windows = windows(ledger, spec, timeout);
    record.parts = parts(ledger, marks, &record.windows, timeout);
    record.recovery_ms = marks.recovered.map(|at| ms(at.saturating_sub(marks.faults_end)));
    record.kills.iter_mut().for_each(|kill| hit(kill, ledger));
    let due = f64::from(marks.end) / 1e6 * spec.load.rate.0;
    let sent = ledger.entries.iter().filter(|entry| entry.outcome != crate::load::Outcome::NotSent).count();
    record.offered_share = if due > 0.0 { (sent as f64 / due).min(1.0) } else { 0.0 };
    record.assertions = spec.assertions.iter().map(|assertion| assess(assertion, record, ledger, marks, timeout)).collect();
    validate(record, spec);
}

fn count(record: &mut TrialRecord, ledger: &Ledger, run: &str) {
    record.requests = ledger.entries.len() as u64;
    record.failed = ledger.failed();
    record.failure_rate_upper95 = (record.failed == 0).then(|| zero_failures_upper_95(record.requests));
    for entry in &ledger.entries {
        *record.outcomes.entry(entry.outcome.name().to_owned()).or_default() += 1;
        if entry.status != 0 {
            *record.statuses.entry(entry.status).or_default() += 1;
        }
        if let Some(pod) = ledger.header(entry, POD) {
            *record.pods.entry(pod.to_owned()).or_default() += 1;
        }
        record.repeated += u64::from(attempt(ledger, entry) > 1);
    }
    let failed = ledger.entries.iter().filter(|entry| entry.outcome.failed());
    record.failures = failed
        .take(LISTED_FAILURES)
        .map(|entry| FailureRecord {
            request_id: request_id(run, entry.sequence),
            scheduled_ms: ms(entry.scheduled),
            done_ms: ms(entry.done),
            outcome: entry.outcome.name().to_owned(),
            status: (entry.status != 0).then_some(entry.status),
        })
        .collect();
}

fn windows(ledger: &Ledger, spec: &Spec, timeout: u32) -> Vec<WindowRecord> {
    let limit = spec.validity.release_error_p99.0.as_secs_f64() * 1e3;
    let mut seconds: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
    for entry in &ledger.entries {
        seconds.entry(entry.scheduled / WINDOW).or_default().push(entry);
    }
    let window = |(second, entries): (u32, Vec<&Entry>)| {
        let latency = Distribution::of(entries.iter().map(|entry| entry.latency(timeout)));
        let release = Distribution::of(entries.iter().map(|entry| entry.release_error())).quantile_ms(0.99);
        WindowRecord {
            from_ms: ms(second * WINDOW),
            requests: entries.len() as u64,
            failed: entries.iter().filter(|entry| entry.outcome.failed()).count() as u64,
            latency_p50_ms: latency.quantile_ms(0.5),
            latency_p99_ms: latency.quantile_ms(0.99),
            release_error_p99_ms: release,
            void: release > limit,
        }
    };
    seconds.into_iter().map(window).collect()
}

fn range(part: Part, marks: &Marks) -> Option<(u32, u32)> {
    let recovered = marks.recovered.unwrap_or(marks.end);
    match part {
        Part::Run => Some((0, u32::MAX)),
        Part::Before => Some((marks.steady, marks.faults.unwrap_or(marks.end))),
        Part::Faults => Some((marks.faults?, recovered)),
        Part::After => Some((marks.recovered?, u32::MAX)),
    }
}

fn parts(ledger: &Ledger, marks: &Marks, windows: &[WindowRecord], timeout: u32) -> Vec<PartRecord> {
    let part = |part: Part| {
        let (from, to) = range(part, marks)?;
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
fn valid<'a>(ledger: &'a Ledger, windows: &[WindowRecord], from: u32, to: u32) -> impl Iterator<Item = &'a Entry> {
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

/// What was in flight at a kill.
fn hit(kill: &mut KillRecord, ledger: &Ledger) {
    let (begun, done) = ((kill.at_ms * 1e3) as u32, (kill.done_ms * 1e3) as u32);
    kill.in_flight = ledger.entries.iter().filter(|entry| entry.in_flight_at(begun)).count() as u64;
    let during = |entry: &&Entry| entry.sent <= done && entry.done > begun && entry.outcome.failed();
    kill.failed = ledger.entries.iter().filter(during).count() as u64;
}

fn assess(assertion: &Assertion, record: &TrialRecord, ledger: &Ledger, marks: &Marks, timeout: u32) -> AssertionRecord {
    let (measured, (comparison, bound), holds) = match &assertion.expect {
        Expectation::Failed(bound) => requests(bound, Some(record.failed)),
        Expectation::Proxies(wanted) => {
            let of_group = |group: &str| wanted.of.as_deref().is_none_or(|of| of == group);
            let observed = record.proxies.iter().filter(|proxy| of_group(&proxy.group));
            requests(&wanted.is, Some(observed.map(|proxy| proxy.delta.get(wanted.counter)).sum()))
        }
        Expectation::Latency(wanted) => {
            let times = range(wanted.during, marks)
                .map(|(from, to)| Distribution::of(valid(ledger, &record.windows, from, to).map(|entry| entry.latency(timeout))));
            let times = times.filter(|times| !times.is_empty());
            span(&wanted.is, times.map(|times| times.quantile_ms(wanted.quantile.0)))
        }
        Expectation::Recovery(bound) => span(bound, record.recovery_ms),
    };
    AssertionRecord {
        id: assertion.id.clone(),
        title: assertion.title.clone(),
        measured,
        comparison: comparison.into(),
        bound,
        holds,
    }
}

type Judged = (Option<Amount>, (&'static str, Amount), bool);

fn requests(bound: &Bound<Requests>, measured: Option<u64>) -> Judged {
    let amount = |value: u64| Amount { value: value as f64, unit: "req".into() };
    let (comparison, limit) = split(bound);
    let holds = measured.is_some_and(|measured| within_requests(bound, measured));
    (measured.map(amount), (comparison, amount(limit.0)), holds)
}

fn span(bound: &Bound<Span>, measured: Option<f64>) -> Judged {
    let amount = |value| Amount { value, unit: "ms".into() };
    let (comparison, limit) = split(bound);
    let holds = measured.is_some_and(|measured| within_span(bound, measured));
    (measured.map(amount), (comparison, amount(limit.0.as_secs_f64() * 1e3)), holds)
}

fn split<T>(bound: &Bound<T>) -> (&'static str, &T) {
    match bound {
        Bound::Equals(value) => ("==", value),
        Bound::AtLeast(value) => (">=", value),
        Bound::AtMost(value) => ("<=", value),
    }
}

/// True when a number of requests is within its bound.
pub(super) fn within_requests(bound: &Bound<Requests>, measured: u64) -> bool {
    match bound {
        Bound::Equals(value) => measured == value.0,
        Bound::AtLeast(value) => measured >= value.0,
        Bound::AtMost(value) => measured <= value.0,
    }
}

/// True when a time in milliseconds is within its bound.
pub(super) fn within_span(bound: &Bound<Span>, measured_ms: f64) -> bool {
    let limit = |value: &Span| value.0.as_secs_f64() * 1e3;
    match bound {
        Bound::Equals(value) => measured_ms == limit(value),
        Bound::AtLeast(value) => measured_ms >= limit(value),
        Bound::AtMost(value) => measured_ms <= limit(value),
    }
}

/// Adds why the trial does not count.
fn validate(record: &mut TrialRecord, spec: &Spec) {
    let validity = &spec.validity;
    let offered = record.offered_share;
    if offered < validity.offered_rate.0 {
        let why = format!("only {:.2} % of the due requests were sent, {} are needed", offered * 100.0, validity.offered_rate);
        record.invalid.push(why);
    }
    let void = record.windows.iter().filter(|window| window.void).count();
    let share = void as f64 / record.windows.len().max(1) as f64;
    if share > validity.void_windows.0 {
        let late = validity.release_error_p99;
        let why = format!("the generator was later than {late} in {void} of {} seconds", record.windows.len());
        record.invalid.push(format!("{why}, {} may be", validity.void_windows));
    }
    let kills = record.kills.len();
    let hit = record.kills.iter().filter(|kill| bit(kill)).count();
    if kills > 0 && (hit as f64) < validity.hits.0 * kills as f64 {
        let why = format!(
            "only {hit} of {kills} kills met requests on the pod, {} must: more load or slower answers help",
            validity.hits
        );
        record.invalid.push(why);
    }
}

/// True when a kill met traffic: a proxy had to retry, or a request was lost. Without counters, when there was any.
pub(super) fn bit(kill: &KillRecord) -> bool {
    kill.failed > 0 || kill.retries.map_or(kill.in_flight > 0, |retries| retries > 0)
}

fn ms(micros: u32) -> f64 {
    f64::from(micros) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Outcome;

    fn entry(sequence: u32, outcome: Outcome, late: u32) -> Entry {
        let scheduled = sequence * 10_000;
        let released = scheduled + late;
        let (sent, done) = (released, released + 2_000);
        Entry { sequence, scheduled, released, sent, done, target: 0, outcome, status: 200, answer: 0 }
    }

    fn judged(entries: Vec<Entry>) -> TrialRecord {
        let text = include_str!("../../scenarios/pod-kill-retry.yaml");
        let scenario = crate::scenario::load_file("s", text).unwrap_or_else(|problems| panic!("{problems}"));
        let ledger = Ledger { entries, ..Ledger::default() };
        let marks =
            Marks { steady: 0, faults: Some(2_000_000), faults_end: 3_000_000, recovered: Some(4_000_000), end: 6_000_000 };
        let mut record = TrialRecord::default();
        judge(&mut record, &scenario.spec, &ledger, "r", &marks);
        record
    }

    #[test]
    fn one_lost_request_breaks_zero_loss_and_spoils_the_tail() {
        let good = judged((0..600).map(|n| entry(n, Outcome::Ok, 0)).collect());
        let holds = |record: &TrialRecord, id: &str| record.assertions.iter().find(|a| a.id == id).map(|a| a.holds);
        assert_eq!((good.failed, holds(&good, "zero-loss"), good.invalid.len()), (0, Some(true), 0));
        assert!((good.failure_rate_upper95.unwrap_or_default() - 3.0 / 600.0).abs() < 1e-4);
        let lost = |n| if n == 300 { Outcome::ResetAfterWrite } else { Outcome::Ok };
        let bad = judged((0..600).map(|n| entry(n, lost(n), 0)).collect());
        assert_eq!((bad.failed, holds(&bad, "zero-loss"), bad.failure_rate_upper95), (1, Some(false), None));
        let faults = &bad.parts[1];
        assert_eq!((faults.part, faults.failed), (Part::Faults, 1));
        assert!(faults.latency.max_ms >= 19_990.0, "{}", faults.latency.max_ms);
        assert_eq!(bad.failures[0].request_id, "r-0000012c");
    }

    #[test]
    fn a_late_generator_voids_windows_then_the_trial_but_hides_no_failure() {
        // one late second of six: its latencies do not count
        let late = |n: u32| if n / 100 == 5 { 900_000 } else { 0 };
        let one = judged((0..600).map(|n| entry(n, if n == 550 { Outcome::Timeout } else { Outcome::Ok }, late(n))).collect());
        assert_eq!(one.windows.iter().filter(|window| window.void).count(), 1);
        assert!(one.invalid.is_empty(), "{:?}", one.invalid);
        let run = &one.parts[3];
        assert_eq!((run.part, run.requests, run.failed, run.latency.count), (Part::Run, 600, 1, 500));
        assert!(run.latency.max_ms < 3.0);
        let all = judged((0..600).map(|n| entry(n, Outcome::Ok, 900_000)).collect());
        assert_eq!(all.invalid, ["the generator was later than 20ms in 6 of 6 seconds, 20 % may be"]);
    }

    #[test]
    fn too_few_requests_are_no_load() {
        let few = judged((0..600).map(|n| entry(n, if n < 6 { Outcome::NotSent } else { Outcome::Ok }, 0)).collect());
        assert_eq!(few.invalid, ["only 99.00 % of the due requests were sent, 99.5 % are needed"]);
    }
}
