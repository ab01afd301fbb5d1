//! Compares what was seen with the assertions. Pure functions of ledger, observations and scenario.

use std::collections::BTreeMap;

use super::bound::Finding;
use super::expect::Seen;
use super::observe::{Answers, Observed};
use super::parts::{Marks, ms, parts};
use super::record::{AssertionRecord, FailureRecord, TrialRecord, WindowRecord};
use super::schema::{Assertion, Spec, Validity};
use super::steady::WINDOW;
use super::timeline::Timeline;
use crate::load::{Distribution, Entry, Ledger, Outcome, micros, request_id};
use crate::statistics::zero_failures_upper_95;

/// Most failed requests that a record lists; the ledger has all of them.
const LISTED_FAILURES: usize = 20;

/// The results of a trial.
pub(super) struct Trialled<'a> {
    /// All its requests.
    pub ledger: &'a Ledger,
    /// When its parts began.
    pub marks: &'a Marks,
    /// What was observed besides.
    pub observed: &'a Observed,
    /// Its name, the prefix of request ids.
    pub run: &'a str,
}

/// Fills in everything that follows from what was seen; faults must already be recorded.
pub(super) fn judge(record: &mut TrialRecord, spec: &Spec, trial: &Trialled) {
    let Trialled { ledger, marks, observed, run } = trial;
    let timeout = micros(spec.load.timeout.0);
    count(record, ledger, &spec.observe.answers, run);
    record.windows = windows(ledger, spec, timeout);
    record.parts = parts(ledger, marks, &record.windows, timeout);
    record.recovery_ms = marks.recovery_ms();
    for fault in &mut record.faults {
        if let Some(moment) = spec.timeline.get(fault.moment) {
            moment.fault.evidence(fault, ledger);
        }
    }
    let due = f64::from(marks.end) / 1e6 * spec.load.rate.0;
    let sent = ledger.entries.iter().filter(|entry| entry.outcome != Outcome::NotSent).count();
    record.offered_share = if due > 0.0 { (sent as f64 / due).min(1.0) } else { 0.0 };
    let seen = Seen { ledger, marks, windows: &record.windows, observed, timeout };
    record.assertions = spec.assertions.iter().map(|assertion| assess(assertion, &seen, &spec.validity)).collect();
    validate(record, spec);
}

fn count(record: &mut TrialRecord, ledger: &Ledger, answers: &Answers, run: &str) {
    record.requests = ledger.entries.len() as u64;
    record.failed = ledger.failed();
    record.failure_rate_upper95 = (record.failed == 0).then(|| zero_failures_upper_95(record.requests));
    for entry in &ledger.entries {
        *record.outcomes.entry(entry.outcome.name().to_owned()).or_default() += 1;
        if entry.status != 0 {
            *record.statuses.entry(entry.status).or_default() += 1;
        }
        record.repeated += u64::from(answers.attempt(ledger, entry) > 1);
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
    record.timeline = Some(Timeline::of(ledger, |entry| answers.attempt(ledger, entry)));
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

fn assess(assertion: &Assertion, seen: &Seen, validity: &Validity) -> AssertionRecord {
    let measured = assertion.expect.measure(seen);
    let holds = measured.holds();
    let by_generator = !holds && {
        let sound = sound(seen.ledger, validity);
        assertion.expect.measure(&Seen { ledger: &sound, ..*seen }).holds()
    };
    AssertionRecord {
        id: assertion.id.clone(),
        title: assertion.title.clone(),
        measured: measured.amount(),
        unknown: match &measured.finding {
            Finding::Unknown(why) => Some(why.clone()),
            Finding::Is(_) | Finding::Never => None,
        },
        comparison: measured.comparison.to_owned(),
        bound: measured.bound(),
        holds,
        by_generator,
    }
}

/// The requests that the generator sent in time: the others say nothing about the system.
fn sound(ledger: &Ledger, validity: &Validity) -> Ledger {
    let limit = micros(validity.release_error_p99.0);
    let mut sound = ledger.clone();
    sound.entries.retain(|entry| entry.outcome != Outcome::NotSent && entry.release_error() <= limit);
    sound
}

/// Adds the reasons why the trial does not count.
fn validate(record: &mut TrialRecord, spec: &Spec) {
    let validity = &spec.validity;
    let offered = record.offered_share;
    if offered < validity.offered_rate.0 {
        let why =
            format!("only {:.2} % of the due requests were sent, at least {} are needed", offered * 100.0, validity.offered_rate);
        record.invalid.push(why);
    }
    let void = record.windows.iter().filter(|window| window.void).count();
    let share = void as f64 / record.windows.len().max(1) as f64;
    if share > validity.void_windows.0 {
        let late = validity.release_error_p99;
        let why = format!("the generator was later than {late} in {void} of {} seconds", record.windows.len());
        record.invalid.push(format!("{why}, at most {} may be", validity.void_windows));
    }
    let faults = record.faults.len();
    let bit = record.faults.iter().filter(|fault| fault.bit).count();
    if faults > 0 && (bit as f64) < validity.bites.0 * faults as f64 {
        let why = format!(
            "only {bit} of {faults} faults met requests, at least {} must: more load or slower answers help",
            validity.bites
        );
        record.invalid.push(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parts::Part;

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
            Marks { steady: 0, faults: Some(2_000_000), last_fault: 3_000_000, recovered: Some(4_000_000), end: 6_000_000 };
        let mut record = TrialRecord::default();
        let observed = Observed::default();
        judge(&mut record, &scenario.spec, &Trialled { ledger: &ledger, marks: &marks, observed: &observed, run: "r" });
        record
    }

    fn assertion<'a>(record: &'a TrialRecord, id: &str) -> &'a AssertionRecord {
        record.assertions.iter().find(|assertion| assertion.id == id).expect("the scenario has it")
    }

    #[test]
    fn one_lost_request_breaks_zero_loss_and_spoils_the_tail() {
        let good = judged((0..600).map(|n| entry(n, Outcome::Ok, 0)).collect());
        assert_eq!((good.failed, assertion(&good, "zero-loss").holds, good.invalid.len()), (0, true, 0));
        assert!((good.failure_rate_upper95.unwrap_or_default() - 3.0 / 600.0).abs() < 1e-4);
        assert_eq!(assertion(&good, "recovery").measured.as_ref().map(|time| time.value), Some(1000.0));
        let lost = |n| if n == 300 { Outcome::ResetAfterWrite } else { Outcome::Ok };
        let bad = judged((0..600).map(|n| entry(n, lost(n), 0)).collect());
        assert_eq!((bad.failed, assertion(&bad, "zero-loss").holds, bad.failure_rate_upper95), (1, false, None));
        let faults = &bad.parts[1];
        assert_eq!((faults.part, faults.failed), (Part::Faults, 1));
        assert!(faults.latency.max_ms >= 19_990.0, "{}", faults.latency.max_ms);
        assert_eq!(bad.failures[0].request_id, "r-0000012c");
    }

    #[test]
    fn a_counter_that_was_not_read_is_unknown_even_for_exactly_zero() {
        let record = judged((0..600).map(|n| entry(n, Outcome::Ok, 0)).collect());
        for id in ["saved-by-gateway", "no-retry-overflow"] {
            let found = assertion(&record, id);
            assert!(!found.holds && found.measured.is_none() && found.unknown.is_some(), "{found:?}");
        }
    }

    #[test]
    fn what_the_generator_broke_is_known_as_its_doing() {
        let broken = |outcome, late| {
            let at = |n| if n == 300 { entry(n, outcome, late) } else { entry(n, Outcome::Ok, 0) };
            let record = judged((0..600).map(at).collect());
            let found = assertion(&record, "zero-loss");
            (found.holds, found.by_generator)
        };
        assert_eq!(broken(Outcome::NotSent, 0), (false, true));
        assert_eq!(broken(Outcome::Timeout, 900_000), (false, true));
        assert_eq!(broken(Outcome::Timeout, 0), (false, false));
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
        assert_eq!(all.invalid, ["the generator was later than 20ms in 6 of 6 seconds, at most 20 % may be"]);
    }

    #[test]
    fn too_few_requests_are_no_load() {
        let few = judged((0..600).map(|n| entry(n, if n < 6 { Outcome::NotSent } else { Outcome::Ok }, 0)).collect());
        assert_eq!(few.invalid, ["only 99.00 % of the due requests were sent, at least 99.5 % are needed"]);
    }
}
