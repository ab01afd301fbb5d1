use std::collections::BTreeMap;

use super::model::Verdict as Standing;
use super::*;
use crate::load::{Calibration, Priority};
use crate::scenario::record::{Environment, *};
use crate::scenario::schema::{Arrivals, Validity};

fn assertion(id: &str, title: &str, measured: f64, comparison: &str, bound: f64, holds: bool) -> AssertionRecord {
    let amount = |value| Amount { value, unit: "req".into() };
    let (measured, bound) = (Some(amount(measured)), amount(bound));
    let (id, title, comparison) = (id.into(), title.into(), comparison.into());
    AssertionRecord { id, title, measured, unknown: None, comparison, bound, holds, by_generator: false }
}

fn part(part: Part, from_ms: f64, to_ms: f64, requests: u64, failed: u64) -> PartRecord {
    let latency = Quantiles { count: requests, p50_ms: 42.1, p90_ms: 44.0, p99_ms: 61.5, p999_ms: 131.0, max_ms: 1204.0 };
    PartRecord { part, from_ms, to_ms, requests, failed, latency, service: latency }
}

fn window(from_ms: f64, void: bool) -> WindowRecord {
    let release_error_p99_ms = if void { 31.0 } else { 0.21 };
    WindowRecord { from_ms, requests: 100, failed: 0, latency_p50_ms: 42.0, latency_p99_ms: 60.0, release_error_p99_ms, void }
}

fn kill(retries: u64, failed: u64) -> FaultRecord {
    FaultRecord {
        moment: 0,
        fault: "podKill".into(),
        target: "was-6c5d9c7b8-x2x4z".into(),
        words: FaultWords {
            noun: "kill".into(),
            subject: "was pod".into(),
            done: "killed".into(),
            did: "died".into(),
            does: "dies".into(),
            do_many: "die".into(),
            healed: "replaced".into(),
        },
        at_ms: 7001.2,
        done_ms: Some(7098.0),
        recovered_ms: Some(9404.0),
        bit: true,
        facts: Facts::default()
            .with("node", "demo-worker")
            .with("how", "SIGKILL to every process of the pod")
            .with("retries", Amount::requests(retries))
            .with("in flight", Amount::requests(4))
            .with("lost", Amount::requests(failed)),
    }
}

fn counters(retries: u64) -> ObservationRecord {
    let total = |counter: &str| {
        Facts::default().with("group", "gateway").with("counter", counter).with("growth", Amount::requests(retries))
    };
    let counted = |counter: &str| {
        Facts::default()
            .with("group", "gateway")
            .with("pod", "istio-ingressgateway-1")
            .with("upstream", "outbound|80|stable|web-service.blog-system.svc.cluster.local")
            .with("counter", counter)
            .with("before", Amount::requests(5))
            .with("after", Amount::requests(5 + retries))
            .with("growth", Amount::requests(retries))
    };
    ObservationRecord {
        observation: "proxies".into(),
        title: "What the proxies counted".into(),
        totals: ["upstream_rq_retry", "upstream_rq_retry_success"].map(total).to_vec(),
        rows: if retries > 0 { vec![counted("upstream_rq_retry"), counted("upstream_rq_retry_success")] } else { Vec::new() },
        notes: Vec::new(),
    }
}

fn trial(failed: u64) -> TrialRecord {
    let retries = if failed == 0 { 2 } else { 0 };
    let mut outcomes = BTreeMap::from([("ok".to_owned(), 2000 - failed)]);
    if failed > 0 {
        outcomes.insert("bad-status".into(), failed);
    }
    let lost = FailureRecord {
        request_id: "20261121-042115-k3f9-b-000002bc".into(),
        scheduled_ms: 7003.0,
        done_ms: 7021.5,
        outcome: "bad-status".into(),
        status: Some(503),
    };
    TrialRecord {
        requests: 2000,
        failed,
        failure_rate_upper95: (failed == 0).then_some(0.0014967),
        outcomes,
        repeated: retries,
        parts: vec![part(Part::Before, 0.0, 6000.0, 600, 0), part(Part::Faults, 6000.0, 12_000.0, 600, failed)],
        recovery_ms: Some(1002.0),
        faults: vec![kill(retries, failed)],
        observations: vec![counters(retries)],
        assertions: vec![
            assertion("zero-loss", "No request is lost", failed as f64, "==", 0.0, failed == 0),
            assertion("saved", "Retries saved requests", retries as f64, ">=", 1.0, retries > 0),
        ],
        offered_share: 1.0,
        windows: vec![window(0.0, false), window(1000.0, failed == 0)],
        failures: if failed > 0 { vec![lost] } else { Vec::new() },
        ..TrialRecord::default()
    }
}

fn run() -> RunRecord {
    RunRecord {
        scenario: "pod-kill-retry".into(),
        title: "WAS pods die under load, and no request is lost".into(),
        file: "scenarios/pod-kill-retry.yaml".into(),
        run: "20261121-042115-k3f9".into(),
        started: "2026-11-21T04:21:15Z".parse().expect("a time"),
        finished: "2026-11-21T04:22:44Z".parse().expect("a time"),
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        family: None,
        environment: Environment {
            hearth: "0.1.0".into(),
            profile: Some("demo".into()),
            kernel: "6.18.0".into(),
            cpus: 2,
            kubernetes: Some("v1.36.4".into()),
            images: vec!["docker.io/istio/proxyv2:1.31.1".into()],
        },
        method: Method {
            target: "GET http://172.18.255.200:80/api/whoami?delay_ms=40 (host 172.18.255.200)".into(),
            rate_per_second: 100.0,
            arrivals: Arrivals::default(),
            connections: 64,
            timeout_ms: 20_000.0,
            client_retries: 0,
            validity: Validity::default(),
        },
        calibration: Some(Calibration {
            requests: 200,
            failed: 0,
            offered_share: 1.0,
            priority: Priority::RealTime,
            release_error_p50_ms: 0.004,
            release_error_p99_ms: 0.079,
            latency_p50_ms: 0.06,
            latency_p99_ms: 0.2,
        }),
        trial: Some(trial(0)),
        control: Some(ControlRecord {
            title: "The same kills without retries".into(),
            must_fail: vec!["zero-loss".into()],
            held: Vec::new(),
            trial: trial(3),
        }),
        cleanup: Cleanup { undone: vec!["VirtualService blog-system/blog-routes".into()], ..Cleanup::default() },
    }
}

fn report(scenarios: Vec<RunRecord>) -> Report {
    Report::new(About { run: "20261121-042115-k3f9".into(), ..About::default() }, Path::new("nowhere"), scenarios)
}

fn failed() -> RunRecord {
    RunRecord {
        verdict: Verdict::Fail,
        reasons: vec!["zero-loss: not so: No request is lost".into()],
        trial: Some(trial(3)),
        control: None,
        ..run()
    }
}

fn without_trial(verdict: Verdict, reason: &str) -> RunRecord {
    let (calibration, trial, control, cleanup) = (None, None, None, Cleanup::default());
    RunRecord { verdict, reasons: vec![reason.into()], calibration, trial, control, cleanup, ..run() }
}

#[test]
fn a_pass_with_its_control() {
    insta::assert_snapshot!(report(vec![run()]).to_markdown());
}

#[test]
fn cases_and_numbers_of_a_failure_and_a_skipped_one() {
    let skipped = without_trial(Verdict::Skipped, "there is no deployment blog-system/was");
    let error = without_trial(Verdict::Error, "the API server did not answer\n  caused by <timeout>");
    insta::assert_snapshot!(report(vec![run(), failed(), skipped, error]).to_junit());
}

#[test]
fn every_number_has_a_line() {
    insta::assert_snapshot!(report(vec![run()]).to_csv());
}

#[test]
fn the_worst_comes_first_and_the_headline_counts() {
    let skipped = without_trial(Verdict::Skipped, "there is no deployment blog-system/was");
    let of = report(vec![run(), skipped, failed()]).summary;
    assert_eq!(
        of.results.iter().map(|line| line.verdict).collect::<Vec<_>>(),
        [Standing::Fail, Standing::Skipped, Standing::Pass]
    );
    assert_eq!(of.headline, "When a WAS pod dies, three requests are lost. One of three results holds.");
    assert_eq!(of.results[0].sentence, "3 of 2,000 requests failed when a WAS pod died; none was allowed to.");
    assert_eq!(
        of.results[2].sentence,
        "One WAS pod was killed under load, and none of 2,000 requests failed; 2 were answered only after a retry."
    );
    assert_eq!(of.results[1].sentence, "Not run: there is no deployment blog-system/was.");
}

#[test]
fn the_terminal_sees_the_load_second_by_second() {
    let mut lost = failed();
    let trial = lost.trial.as_mut().expect("there");
    trial.windows = (0..10).map(|second| window(f64::from(second) * 1e3, false)).collect();
    (trial.windows[7].latency_p99_ms, trial.windows[7].failed) = (960.0, 3);
    let plain = strip::scenario(&lost).replace(number::SPACE, " ");
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines[0], "  3 of 2,000 requests failed when a WAS pod died; none was allowed to.");
    assert_eq!(lines[1], "  claim    p99     ▁▁▁▁▁▁▁█▁▁  60.0 to 960 ms");
    assert_eq!(lines[2], "           failed  ·······×··  3 of 2,000");
    assert_eq!(lines[3], "           faults         1");
    let skipped = strip::scenario(&without_trial(Verdict::Skipped, "there is no deployment blog-system/was"));
    assert_eq!(skipped, "  Not run: there is no deployment blog-system/was.");
}

#[test]
fn what_did_not_pass_tells_why() {
    let skipped = without_trial(Verdict::Skipped, "there is no deployment blog-system/was");
    insta::assert_snapshot!(report(vec![failed(), skipped]).to_markdown());
}

#[test]
fn proxies_that_were_not_read_are_not_said_to_have_given_up_nothing() {
    let mut lost = trial(3);
    lost.statuses = BTreeMap::from([(503, 3)]);
    let answered = "3 of the failed requests were answered 503";
    assert_eq!(seen::cause(&lost), Some(format!("{answered}, and no proxy counted a retry it gave up.")));
    lost.observations.clear();
    assert_eq!(seen::cause(&lost), Some(format!("{answered}.")));
}

#[test]
fn files_appear_whole_even_when_nothing_ran_and_read_back() {
    let scratch = tempfile::tempdir().expect("scratch");
    let dir = scratch.path().join("out");
    let problem = report(Vec::new()).with_problem("no Docker engine answers");
    let paths = write(&dir, &problem).expect("written");
    let markdown = std::fs::read_to_string(&paths.markdown).expect("there");
    assert!(markdown.starts_with("# ERROR") && markdown.contains("no Docker engine answers"));
    write(&dir, &report(vec![run()])).expect("written over it");
    let json = std::fs::read_to_string(&paths.json).expect("there");
    let back: Report = serde_json::from_str(&json).expect("its own format");
    assert_eq!(back.scenarios[0].trial.as_ref().map(|trial| trial.requests), Some(2000));
    assert_eq!(std::fs::read_dir(&dir).expect("there").count(), 5);
}

#[test]
fn the_schema_knows_every_field_of_a_report() {
    let schema = json_schema();
    let json = serde_json::to_value(report(vec![run()])).expect("JSON");
    for (name, fields) in [("RunRecord", &json["scenarios"][0]), ("TrialRecord", &json["scenarios"][0]["trial"])] {
        let known = schema["$defs"][name]["properties"].as_object().expect("an object");
        for field in fields.as_object().expect("an object").keys() {
            assert!(known.contains_key(field) && known[field].get("description").is_some(), "{name}.{field}");
        }
    }
}

#[test]
fn faults_and_observations_nobody_has_heard_of_are_shown_all_the_same() {
    let mut trial = trial(0);
    let facts =
        Facts::default().with("depth", Amount { value: 3.0, unit: "m".into() }).with("cause", "rain").with("age", None::<Amount>);
    let strange = FaultRecord { fault: "flood".into(), target: "cellar".into(), facts, bit: false, ..FaultRecord::default() };
    trial.faults.push(strange);
    let rows = vec![Facts::default().with("gauge", "north").with("level", Amount { value: 2.5, unit: "m".into() })];
    trial.observations.push(ObservationRecord {
        observation: "gauges".into(),
        title: "Water".into(),
        totals: Vec::new(),
        rows,
        notes: vec!["south was not read".into()],
    });
    let report = Report::new(About::default(), Path::new("."), vec![RunRecord { trial: Some(trial), ..run() }]);
    let markdown = report.to_markdown();
    assert!(
        markdown.contains("| 0.0 us | cellar | 3 m | rain | not known | **no** |")
            || markdown.contains("| cellar | 3 m | rain | not known | **no** |"),
        "{markdown}"
    );
    assert!(markdown.contains("## Water") && markdown.contains("| north | 2.5 m |") && markdown.contains("- south was not read"));
    assert!(report.to_csv().contains("flood 2,depth,3.0,m"), "{}", report.to_csv());
}
