//! Scenario records for the page's tests: a made-up load, in the form of the runner's records.

use hearth::load::{Calibration, Distribution, Entry, Ledger, Outcome, Priority};
use hearth::scenario::record::*;
use hearth::scenario::schema::{Arrivals, Validity};
use hearth::scenario::timeline::Timeline;
use hearth::scenario::{RunRecord, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The latency that a failed request counts as, in microseconds.
const TIMEOUT: u32 = 20_000_000;

/// When pods are killed, in microseconds.
const KILLS: [u32; 5] = [6_400_000, 9_600_000, 13_300_000, 17_000_000, 21_200_000];

/// What happens to requests near a kill.
#[derive(Clone, Copy)]
struct Weather {
    seconds: u32,
    lost_per_kill: u32,
    retried_per_kill: u32,
    /// Number of requests that wait for seconds.
    slow: u32,
    kills: bool,
}

const CALM: Weather = Weather { seconds: 30, lost_per_kill: 0, retried_per_kill: 18, slow: 0, kills: true };

fn ledger(weather: Weather, seed: u64) -> Ledger {
    let mut random = StdRng::seed_from_u64(seed);
    let mut entries = Vec::new();
    for sequence in 0..weather.seconds * 100 {
        let scheduled = sequence * 10_000 + random.random_range(0..5_000);
        // 42 ms and a tail
        let tail: f64 = -(1.0 - random.random::<f64>()).ln();
        let latency = 42_000 + (tail * tail * 8_000.0) as u32;
        let sent = scheduled + random.random_range(20..120);
        let done = scheduled + latency;
        entries.push(Entry {
            sequence,
            scheduled,
            released: sent,
            sent,
            done,
            target: 0,
            outcome: Outcome::Ok,
            status: 200,
            answer: 1,
        });
    }
    for at in KILLS.iter().filter(|_| weather.kills) {
        let first = (at / 10_000) as usize;
        for offset in 0..weather.retried_per_kill as usize {
            let entry = &mut entries[first + offset];
            entry.answer = if offset % 9 == 8 { 3 } else { 2 };
            entry.done = entry.scheduled + 420_000 - offset as u32 * 17_000;
        }
        for offset in 0..weather.lost_per_kill as usize {
            let entry = &mut entries[first + 2 * offset + 1];
            (entry.outcome, entry.status, entry.answer) = (Outcome::BadStatus, 503, 0);
            entry.done = entry.scheduled + 30_000;
        }
    }
    for offset in 0..weather.slow as usize {
        let entry = &mut entries[642 + offset];
        (entry.outcome, entry.status, entry.answer) = (Outcome::Ok, 200, 2);
        entry.done = entry.scheduled + 7_100_000 + offset as u32 * 340_000;
    }
    // the index of the answer is the attempt it reports
    let answers = ["1", "2", "3"].map(|attempt| vec![Some(attempt.to_owned())]).to_vec();
    Ledger { entries, headers: vec!["x-attempt".into()], answers, settled: 0 }
}

fn quantiles<'a>(entries: impl Iterator<Item = &'a Entry>) -> Quantiles {
    let of = Distribution::of(entries.map(|entry| entry.latency(TIMEOUT)));
    Quantiles {
        count: of.len(),
        p50_ms: of.quantile_ms(0.5),
        p90_ms: of.quantile_ms(0.9),
        p99_ms: of.quantile_ms(0.99),
        p999_ms: of.quantile_ms(0.999),
        max_ms: of.max_ms(),
    }
}

fn part(part: Part, ledger: &Ledger, from: u32, to: u32) -> PartRecord {
    let latency = quantiles(ledger.between(from, to));
    PartRecord {
        part,
        from_ms: f64::from(from) / 1e3,
        to_ms: f64::from(to) / 1e3,
        requests: ledger.between(from, to).count() as u64,
        failed: ledger.between(from, to).filter(|entry| entry.outcome.failed()).count() as u64,
        latency,
        service: latency,
    }
}

fn windows(ledger: &Ledger, seconds: u32) -> Vec<WindowRecord> {
    let second = |n: u32| {
        let of = || ledger.between(n * 1_000_000, (n + 1) * 1_000_000);
        let latency = quantiles(of());
        WindowRecord {
            from_ms: f64::from(n) * 1e3,
            requests: of().count() as u64,
            failed: of().filter(|entry| entry.outcome.failed()).count() as u64,
            latency_p50_ms: latency.p50_ms,
            latency_p99_ms: latency.p99_ms,
            release_error_p99_ms: 0.11 + f64::from(n % 7) * 0.05,
            void: false,
        }
    };
    (0..seconds).map(second).collect()
}

fn amount(value: f64, unit: &str) -> Amount {
    Amount { value, unit: unit.into() }
}

fn expectation(id: &str, title: &str, measured: Option<Amount>, comparison: &str, bound: Amount) -> AssertionRecord {
    let holds = measured.as_ref().is_some_and(|measured| match comparison {
        "==" => measured.value == bound.value,
        ">=" => measured.value >= bound.value,
        _ => measured.value <= bound.value,
    });
    let (id, title, comparison) = (id.into(), title.into(), comparison.into());
    AssertionRecord { id, title, measured, unknown: None, comparison, bound, holds, by_generator: false }
}

/// The counters of some groups of proxies: group, upstream, retries sent, saved and given up.
fn proxies(groups: &[(&str, &str, [u64; 3])]) -> ObservationRecord {
    let counters = ["upstream_rq_retry", "upstream_rq_retry_success", "upstream_rq_retry_limit_exceeded"];
    let mut record = ObservationRecord {
        observation: "proxies".into(),
        title: "What the proxies counted".into(),
        totals: Vec::new(),
        rows: Vec::new(),
        notes: Vec::new(),
    };
    for (group, upstream, grown) in groups {
        for ((counter, growth), before) in counters.iter().zip(grown).zip([70, 1, 23]) {
            let of = Facts::default().with("group", *group);
            record.totals.push(of.clone().with("counter", *counter).with("growth", Amount::requests(*growth)));
            let row = of.with("pod", format!("{group}-1").as_str()).with("upstream", *upstream).with("counter", *counter);
            let row = row.with("before", Amount::requests(before)).with("after", Amount::requests(before + growth));
            record.rows.push(row.with("growth", Amount::requests(*growth)));
        }
    }
    record
}

fn answers(counts: &[(&str, u64)]) -> ObservationRecord {
    let row = |(pod, count): &(&str, u64)| {
        Facts::default().with("header", "x-pod").with("value", *pod).with("answers", Amount::requests(*count))
    };
    ObservationRecord {
        observation: "answers".into(),
        title: "Who answered".into(),
        totals: Vec::new(),
        rows: counts.iter().map(row).collect(),
        notes: Vec::new(),
    }
}

fn trial(weather: Weather, seed: u64) -> TrialRecord {
    let ledger = ledger(weather, seed);
    let mut record = TrialRecord {
        requests: ledger.entries.len() as u64,
        failed: ledger.failed(),
        offered_share: 0.999_97,
        ledger: format!("pod-kill-retry-{seed}.csv"),
        recovery_ms: Some(3_512.0),
        timeline: Some(Timeline::of(&ledger, |entry| entry.answer as u8)),
        windows: windows(&ledger, weather.seconds),
        ..TrialRecord::default()
    };
    record.failure_rate_upper95 = (record.failed == 0).then(|| 1.0 - 0.05f64.powf(1.0 / record.requests as f64));
    for entry in &ledger.entries {
        *record.outcomes.entry(entry.outcome.name().into()).or_default() += 1;
        *record.statuses.entry(entry.status).or_default() += 1;
        record.repeated += u64::from(entry.answer > 1);
    }
    let end = weather.seconds * 1_000_000;
    let (from, to) = if weather.kills { (KILLS[0], 24_800_000) } else { (end / 3, end * 2 / 3) };
    record.parts = vec![part(Part::Before, &ledger, 0, from), part(Part::Faults, &ledger, from, to)];
    record.parts.extend([part(Part::After, &ledger, to, end), part(Part::Run, &ledger, 0, end)]);
    if weather.kills {
        record.faults = KILLS.iter().enumerate().map(|(at, kill)| kill_record(at, *kill, weather)).collect();
    }
    let retried = record.repeated;
    record.observations = vec![
        proxies(&[
            ("gateway", "outbound|80|stable|web-service.blog-system.svc.cluster.local", [20, retried.min(20), record.failed]),
            (
                "web",
                "outbound|8080|stable|was-service.blog-system.svc.cluster.local",
                [retried + 3, retried.saturating_sub(20), 0],
            ),
        ]),
        answers(&[("was-fb4c8fd8-c7k8j", 1_500), ("was-fb4c8fd8-spv6h", 1_499)]),
    ];
    record.failures = ledger.entries.iter().filter(|entry| entry.outcome.failed()).take(20).map(failure).collect();
    record.assertions = vec![
        expectation("zero-loss", "No request is lost", Some(amount(record.failed as f64, "req")), "==", amount(0.0, "req")),
        expectation(
            "saved-by-gateway",
            "The gateway's retries saved requests",
            Some(amount(20.0, "req")),
            ">=",
            amount(1.0, "req"),
        ),
        expectation(
            "no-retry-overflow",
            "No retry was refused by a budget or circuit breaker",
            Some(amount(0.0, "req")),
            "==",
            amount(0.0, "req"),
        ),
        expectation(
            "recovery",
            "The steady state is back soon after the last kill",
            Some(amount(3_512.0, "ms")),
            "<=",
            amount(30_000.0, "ms"),
        ),
    ];
    record
}

fn kill_record(at: usize, kill: u32, weather: Weather) -> FaultRecord {
    const NAMES: [&str; 5] = ["c7k8j", "fbh7t", "spv6h", "zkxzb", "qt66f"];
    let at_ms = f64::from(kill) / 1e3;
    FaultRecord {
        moment: 0,
        fault: "podKill".into(),
        target: format!("was-fb4c8fd8-{}", NAMES[at]),
        words: FaultWords {
            noun: "kill".into(),
            subject: "was pod".into(),
            done: "killed".into(),
            did: "died".into(),
            does: "dies".into(),
            do_many: "die".into(),
            healed: "replaced".into(),
        },
        at_ms,
        done_ms: Some(at_ms + 96.0),
        recovered_ms: Some(at_ms + 3_200.0 + 210.0 * at as f64),
        bit: weather.lost_per_kill > 0 || weather.retried_per_kill > 0,
        facts: Facts::default()
            .with("node", ["quick-worker", "quick-worker2"][at % 2])
            .with("how", "SIGKILL to every process of the pod")
            .with("retries", Amount::requests(u64::from(weather.retried_per_kill)))
            .with("in flight", Amount::requests(3 + at as u64 % 4))
            .with("lost", Amount::requests(u64::from(weather.lost_per_kill))),
    }
}

fn failure(entry: &Entry) -> FailureRecord {
    FailureRecord {
        request_id: format!("20261126-185645-test-a-{:08x}", entry.sequence),
        scheduled_ms: f64::from(entry.scheduled) / 1e3,
        done_ms: f64::from(entry.done) / 1e3,
        outcome: entry.outcome.name().into(),
        status: (entry.status != 0).then_some(entry.status),
    }
}

fn control(weather: Weather) -> ControlRecord {
    let trial = trial(weather, 7);
    let held = trial.assertions.iter().filter(|one| one.id == "zero-loss" && one.holds).map(|one| one.id.clone()).collect();
    ControlRecord {
        title: "The same kills with the gateway's retries switched off".into(),
        must_fail: vec!["zero-loss".into()],
        held,
        trial,
    }
}

/// Pods are killed and nothing is lost; in the control something is lost.
pub fn pass() -> RunRecord {
    RunRecord {
        scenario: "pod-kill-retry".into(),
        title: "WAS pods die under load, and no request is lost because the gateway retries".into(),
        file: "scenarios/pod-kill-retry.yaml".into(),
        run: "20261126-185645-test".into(),
        started: "2026-11-26T18:56:45Z".parse().unwrap(),
        finished: "2026-11-26T18:57:56Z".parse().unwrap(),
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        family: None,
        environment: Environment {
            hearth: "0.1.0".into(),
            profile: Some("quick".into()),
            kernel: "6.18.44".into(),
            cpus: 2,
            kubernetes: Some("v1.36.4".into()),
            images: vec!["docker.io/istio/proxyv2:1.31.1".into(), "docker.io/library/nginx:1.26".into()],
        },
        method: Method {
            target: "GET http://172.18.255.200:80/api/whoami?delay_ms=40 (host 172.18.255.200)".into(),
            rate_per_second: 100.0,
            arrivals: Arrivals::default(),
            connections: 64,
            timeout_ms: f64::from(TIMEOUT) / 1e3,
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
        trial: Some(trial(CALM, 42)),
        control: Some(control(Weather { seconds: 33, lost_per_kill: 5, retried_per_kill: 11, slow: 9, ..CALM })),
        cleanup: Cleanup { undone: vec!["VirtualService blog-system/blog-routes".into()], ..Cleanup::default() },
    }
}

/// Requests are lost although none may be; no control was run.
pub fn fail() -> RunRecord {
    let mut lost = trial(Weather { lost_per_kill: 3, slow: 2, ..CALM }, 43);
    lost.recovery_ms = None;
    RunRecord {
        verdict: Verdict::Fail,
        reasons: vec!["zero-loss: not so: No request is lost".into()],
        trial: Some(lost),
        control: None,
        ..pass()
    }
}

/// The kills hit no traffic, and the generator was late.
pub fn invalid() -> RunRecord {
    let mut record = trial(Weather { retried_per_kill: 0, ..CALM }, 44);
    for fault in &mut record.faults {
        fault.bit = false;
        fault.facts.set("in flight", Amount::requests(0));
        fault.facts.set("retries", Amount::requests(0));
    }
    record.windows.iter_mut().skip(20).for_each(|window| (window.void, window.release_error_p99_ms) = (true, 31.0));
    record.offered_share = 0.981;
    RunRecord {
        verdict: Verdict::Invalid,
        reasons: vec![
            "only 0 of 5 faults met requests, at least 50 % must: more load or slower answers help".into(),
            "the generator was later than 20ms in 10 of 30 seconds, at most 20 % may be".into(),
        ],
        trial: Some(record),
        control: None,
        ..pass()
    }
}

/// In the control the expectation held that must be broken there.
pub fn inconclusive() -> RunRecord {
    RunRecord {
        verdict: Verdict::Inconclusive,
        reasons: vec!["zero-loss holds in the control too".into()],
        control: Some(control(CALM)),
        ..pass()
    }
}

/// Nothing was run, because something required is missing.
pub fn skipped() -> RunRecord {
    without_trial(Verdict::Skipped, "there is no deployment blog-system/was")
}

/// The tool failed half way.
pub fn error() -> RunRecord {
    let mut run = without_trial(Verdict::Error, "the API server did not answer for 60 s\n  caused by: connection reset");
    run.cleanup.undone = vec!["VirtualService blog-system/blog-routes".into()];
    run
}

fn without_trial(verdict: Verdict, reason: &str) -> RunRecord {
    let (calibration, trial, control, cleanup) = (None, None, None, Cleanup::default());
    RunRecord { verdict, reasons: vec![reason.into()], calibration, trial, control, cleanup, ..pass() }
}

/// An expectation other than lost requests is broken, one was not measured, and hundreds were lost without a limit for that.
pub fn broken_otherwise() -> RunRecord {
    let mut record = trial(Weather { lost_per_kill: 90, retried_per_kill: 0, ..CALM }, 45);
    record.assertions = vec![
        expectation("tail", "The tail stays short", Some(amount(812.0, "ms")), "<=", amount(600.0, "ms")),
        expectation("share", "A tenth goes to the canary", Some(amount(10.3, "%")), ">=", amount(9.0, "%")),
        expectation("eject", "A bad pod is ejected", None, ">=", amount(1.0, "req")),
    ];
    let why = "gateway istio-ingressgateway-1 is not known: it could not be read after the load: connection refused";
    record.observations = vec![ObservationRecord { notes: vec![why.into()], ..proxies(&[]) }];
    RunRecord { verdict: Verdict::Fail, reasons: vec!["tail: not so".into()], trial: Some(record), control: None, ..pass() }
}

/// No fault, no proxy, no control, and a record of an earlier version without individual requests.
pub fn bare() -> RunRecord {
    let mut record = trial(Weather { kills: false, ..CALM }, 46);
    record.timeline = None;
    record.observations = Vec::new();
    record.parts = Vec::new();
    record.recovery_ms = None;
    record.windows = Vec::new();
    record.assertions = Vec::new();
    RunRecord { trial: Some(record), control: None, cleanup: Cleanup::default(), ..pass() }
}

/// Names that would be markup, or change the direction of writing.
pub fn hostile() -> RunRecord {
    let mut run = pass();
    run.scenario = "<script>window.taken=1</script>".into();
    run.title = "\"><img src=x onerror=window.taken=1> \u{202e}gnp.exe 'quoted'".into();
    if let Some(trial) = &mut run.trial {
        trial.faults[0].target = "was-<b>bold</b>-\u{202e}x\"y".into();
        trial.faults[1].facts.set("node", "</td></table><script>window.taken=2</script>");
        trial.assertions[0].title = "--> ]]> <svg onload=window.taken=3> &amp;".into();
        trial.observations[0].rows[0].set(
            "upstream",
            "outbound|80||a-very-long-name-of-a-service-without-any-place-to-break-it.and-its-namespace-too.svc.cluster.local",
        );
    }
    run
}

/// More results than a list shows without folding.
pub fn many() -> Vec<RunRecord> {
    let named = |name: &str, run: RunRecord| RunRecord { scenario: name.into(), ..run };
    let mut runs: Vec<RunRecord> =
        ["pod-kill-retry", "mtls-strict", "canary-weights", "timeout"].map(|name| named(name, pass())).into();
    runs.extend([named("node-loss", skipped()), named("circuit-breaker", fail()), named("ejection", invalid())]);
    runs.extend([named("egress", error()), named("authz", inconclusive())]);
    runs
}
