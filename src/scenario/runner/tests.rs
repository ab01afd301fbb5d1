use super::*;
use crate::load::Priority;
use crate::scenario::facts::Amount;

fn assertion(holds: bool) -> AssertionRecord {
    let amount = Amount::requests(0);
    AssertionRecord {
        id: "zero-loss".into(),
        title: "No request is lost".into(),
        measured: Some(amount.clone()),
        unknown: None,
        comparison: "==".into(),
        bound: amount,
        holds,
        by_generator: false,
    }
}

fn trial(holds: bool, invalid: &[&str]) -> TrialRecord {
    let invalid = invalid.iter().map(|&why| why.to_owned()).collect();
    TrialRecord { assertions: vec![assertion(holds)], invalid, ..TrialRecord::default() }
}

#[test]
fn what_does_not_count_is_neither_pass_nor_fail() {
    assert_eq!(judge_claim(&trial(true, &[])).0, Verdict::Pass);
    assert_eq!(judge_claim(&trial(false, &[])), (Verdict::Fail, vec!["zero-loss: not so: No request is lost".into()]));
    assert_eq!(judge_claim(&trial(false, &["late"])).0, Verdict::Invalid);
    let unrecovered = TrialRecord { unrecovered: Some("gone".into()), ..trial(true, &[]) };
    assert_eq!(judge_claim(&unrecovered).0, Verdict::Fail);
}

#[test]
fn the_unknown_is_neither_and_what_is_known_to_be_broken_outweighs_it() {
    let unknown = AssertionRecord { measured: None, unknown: Some("gateway p is gone".into()), ..assertion(false) };
    let one = TrialRecord { assertions: vec![unknown.clone()], ..TrialRecord::default() };
    assert_eq!(judge_claim(&one), (Verdict::Invalid, vec!["zero-loss: unknown: gateway p is gone".into()]));
    let late = AssertionRecord { by_generator: true, ..assertion(false) };
    let one = TrialRecord { assertions: vec![late.clone()], ..TrialRecord::default() };
    assert_eq!(judge_claim(&one).0, Verdict::Invalid);
    let broken = AssertionRecord { id: "other".into(), ..assertion(false) };
    let all = TrialRecord { assertions: vec![unknown, late, broken], ..TrialRecord::default() };
    assert_eq!(judge_claim(&all), (Verdict::Fail, vec!["other: not so: No request is lost".into()]));
}

fn control(held: &[&str], trial: TrialRecord) -> ControlRecord {
    let held = held.iter().map(|&id| id.to_owned()).collect();
    ControlRecord { title: "no retries".into(), must_fail: vec!["zero-loss".into()], held, trial }
}

#[test]
fn a_control_that_holds_or_does_not_count_proves_nothing() {
    assert_eq!(judge_control(&control(&[], trial(false, &[]))), None);
    assert!(judge_control(&control(&["zero-loss"], trial(true, &[]))).is_some());
    assert!(judge_control(&control(&[], trial(false, &["late"]))).is_some());
}

#[test]
fn a_control_that_the_generator_failed_did_not_fail_as_it_must() {
    assert!(failed_by_system(&trial(false, &[]), "zero-loss"));
    let late = TrialRecord { assertions: vec![AssertionRecord { by_generator: true, ..assertion(false) }], ..trial(false, &[]) };
    assert!(!failed_by_system(&late, "zero-loss"));
    let unread = AssertionRecord { unknown: Some("not read".into()), ..assertion(false) };
    let unread = TrialRecord { assertions: vec![unread], ..trial(false, &[]) };
    assert!(!failed_by_system(&unread, "zero-loss"));
    let reasons = judge_control(&control(&["zero-loss"], unread)).expect("it proves nothing");
    assert_eq!(reasons, ["negative control: zero-loss: unknown: not read"]);
}

#[test]
fn a_machine_that_cannot_be_measured_on_is_named() {
    let good = Calibration {
        requests: 200,
        failed: 0,
        offered_share: 1.0,
        priority: Priority::Normal,
        release_error_p50_ms: 0.1,
        release_error_p99_ms: 4.9,
        latency_p50_ms: 0.1,
        latency_p99_ms: 0.2,
    };
    let validity = Validity::default();
    assert_eq!(unfit(&good, &validity), Vec::<String>::new());
    for bad in [
        Calibration { failed: 1, ..good.clone() },
        Calibration { release_error_p99_ms: 5.1, ..good.clone() },
        Calibration { offered_share: 0.9, ..good },
    ] {
        assert_eq!(unfit(&bad, &validity).len(), 1, "{bad:?}");
    }
}
