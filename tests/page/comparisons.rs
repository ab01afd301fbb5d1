//! Comparison records for the page's tests: made-up latencies, in the form of `hearth compare`'s results.

use std::collections::BTreeMap;

use hearth::compare::record::*;
use hearth::compare::{
    Claim, ClaimRecord, Comparison, Declaration, Judgement, Margin, MeanClaim, Method, Metric, PodRecord, ResourcesRecord, Seal,
    Spec, Verdict,
};
use hearth::load::Distribution as Times;
use hearth::statistics::{Interval, SignedRank, clopper_pearson, quantile};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const TIMEOUT_MS: f64 = 5_000.0;

/// How the second arm differs, and how much is measured.
#[derive(Clone, Copy)]
pub struct Question {
    metric: Metric,
    margin: &'static str,
    /// Added to the second arm, in milliseconds.
    shift: f64,
    /// Random deviation of each arm in a window, in milliseconds in either direction.
    noise: f64,
    windows: u32,
    requests: u32,
    /// Number of void windows, at the end.
    void: u32,
    /// Failed requests of the second arm in every fifth window.
    failed: usize,
    quick: bool,
}

const HOP: Question = Question {
    metric: Metric::P99,
    margin: "0.5ms",
    shift: -1.3,
    noise: 0.15,
    windows: 42,
    requests: 600,
    void: 2,
    failed: 0,
    quick: false,
};

const QUICK: Question = Question { metric: Metric::P50, margin: "2 %", windows: 13, requests: 200, void: 0, quick: true, ..HOP };

/// One arm in one window: good answers in ascending order, and the number of failures.
type Sent = (Vec<f64>, usize);

fn sent(random: &mut StdRng, requests: u32, add: f64, failed: usize) -> Sent {
    let tail = |random: &mut StdRng| -(1.0 - random.random::<f64>()).ln();
    let one = |random: &mut StdRng| (5.2 + add + (0..4).map(|_| tail(random)).sum::<f64>() * 0.42).max(0.2);
    let mut good: Vec<f64> = (failed as u32..requests).map(|_| (one(random) * 1e3).round() / 1e3).collect();
    good.sort_unstable_by(f64::total_cmp);
    (good, failed)
}

fn value((good, failed): &Sent, metric: Metric) -> Option<f64> {
    let value = match metric.share() {
        Some(share) => quantile(good, *failed, share),
        None => (good.iter().sum::<f64>() + *failed as f64 * TIMEOUT_MS) / (good.len() + failed) as f64,
    };
    Some(value).filter(|value| value.is_finite())
}

fn times((good, failed): &Sent) -> Times {
    Times::of(good.iter().copied().chain(std::iter::repeat_n(TIMEOUT_MS, *failed)).map(|ms| (ms * 1e3) as u32))
}

fn arm_window(sent: &Sent) -> ArmWindow {
    ArmWindow {
        requests: (sent.0.len() + sent.1) as u64,
        failed: sent.1 as u64,
        p50_ms: value(sent, Metric::P50),
        p90_ms: value(sent, Metric::P90),
        p99_ms: value(sent, Metric::P99),
        p999_ms: value(sent, Metric::P999),
        mean_ms: value(sent, Metric::Mean),
        hdr: times(sent).to_base64(),
    }
}

fn estimate(of: &str, value: f64, interval: Interval, level: f64) -> Estimate {
    let end = |end: f64| Some(end).filter(|end| end.is_finite());
    Estimate { of: of.into(), value, unit: "ms".into(), low: end(interval.low), high: end(interval.high), level }
}

fn decide(wide: Interval, narrow: Interval, margin: f64) -> Verdict {
    match (narrow.inside(margin), wide.high < 0.0, wide.low > 0.0) {
        (true, _, _) => Verdict::Equivalent,
        (_, true, _) => Verdict::Better,
        (_, _, true) => Verdict::Worse,
        _ => Verdict::Inconclusive,
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    Some(quantile(&values, 0, 0.5)).filter(|value| value.is_finite())
}

/// The values of both arms, and second less first; failed requests count as the timeout.
fn values(pairs: &[[Sent; 2]], metric: Metric) -> [Vec<f64>; 3] {
    let of = |arm: usize| pairs.iter().map(|pair| value(&pair[arm], metric).unwrap_or(TIMEOUT_MS)).collect::<Vec<_>>();
    let (a, b) = (of(0), of(1));
    let differences = a.iter().zip(&b).map(|(a, b)| b - a).collect();
    [a, b, differences]
}

fn metric_record(metric: Metric, pairs: &[[Sent; 2]], asked: Question, margin: Margin) -> MetricRecord {
    let [a, b, differences] = values(pairs, metric);
    let primary = metric == asked.metric;
    let requests = u64::from(asked.requests);
    let judged = requests >= metric.needs();
    let paired = SignedRank::of_series(&differences);
    let (wide, narrow, value) = (paired.interval(0.95), paired.interval(0.90), paired.estimate());
    let known = |of: Interval, level: f64| judged.then(|| estimate(metric.name(), value, of, level));
    let (a_ms, b_ms) = if judged { (median(a), median(b)) } else { (None, None) };
    let margin_ms = a_ms.map(|a| margin.ms(a));
    let second = Interval { low: wide.low - 0.02, high: wide.high + 0.03 };
    MetricRecord {
        metric,
        primary,
        not_judged: (!judged).then(|| format!("{requests} of {} requests a window", metric.needs())),
        a_ms,
        b_ms,
        estimate: known(wide, 0.95),
        equivalence: known(narrow, 0.90),
        bootstrap: known(second, 0.95),
        relative: a_ms.map(|a| value / a),
        margin_ms,
        p_difference: judged.then(|| paired.p_apart(0.0)),
        p_equivalence: margin_ms.map(|margin| paired.p_equivalent(margin)),
        p_difference_holm: (judged && !primary).then(|| (paired.p_apart(0.0) * 3.0).min(1.0)),
        p_equivalence_holm: None,
        units: pairs.len() as u64,
        autocorrelation: 0.04,
        effective_units: pairs.len() as f64,
        detectable_ms: judged.then_some((wide.high - wide.low) * 0.72).filter(|size| size.is_finite()),
        windows_needed: judged.then_some(163),
        verdict: margin_ms.map(|margin| decide(wide, narrow, margin)),
    }
}

fn shift(pairs: &[[Sent; 2]]) -> Vec<ShiftRecord> {
    let at = |percent: u32| {
        let share = f64::from(percent) / 100.0;
        let of = |arm: usize| pairs.iter().map(move |pair| quantile(&pair[arm].0, pair[arm].1, share).min(TIMEOUT_MS));
        let differences: Vec<f64> = of(0).zip(of(1)).map(|(a, b)| b - a).collect();
        let paired = SignedRank::of_series(&differences);
        let estimate = estimate(&format!("latency.p{percent}"), paired.estimate(), paired.interval(0.95), 0.95);
        ShiftRecord { quantile: share, a_ms: median(of(0).collect()), estimate }
    };
    (5..=95).step_by(5).chain([99]).map(at).collect()
}

fn distribution(pairs: &[[Sent; 2]]) -> Distribution {
    let all = || pairs.iter().flatten().flat_map(|sent| &sent.0).copied();
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max) * 1.000_001);
    let edges: Vec<f64> = (0..=96).map(|edge| low * (high / low).powf(f64::from(edge) / 96.0)).collect();
    let arm = |index: usize| {
        let requests: usize = pairs.iter().map(|pair| pair[index].0.len() + pair[index].1).sum();
        let slower = |edge: &f64| -> u64 {
            let of = |sent: &Sent| (sent.0.len() + sent.1 - sent.0.partition_point(|ms| ms < edge)) as u64;
            pairs.iter().map(|pair| of(&pair[index])).sum()
        };
        let counts: Vec<u64> = edges.iter().map(slower).collect();
        let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / requests as f64).collect();
        ArmDistribution {
            counts: counts.windows(2).map(|two| two[0] - two[1]).collect(),
            failed: pairs.iter().map(|pair| pair[index].1 as u64).sum(),
            slower_low: shares.iter().map(|share| (share - share.sqrt() * 0.01).max(0.0)).collect(),
            slower_high: shares.iter().map(|share| (share + share.sqrt() * 0.01).min(1.0)).collect(),
            slower: shares,
        }
    };
    Distribution { a: arm(0), b: arm(1), edges_ms: edges }
}

fn check(id: &str, title: &str, measured: &str, limit: &str, holds: Option<bool>) -> CheckRecord {
    let [id, title, measured, limit] = [id, title, measured, limit].map(str::to_owned);
    CheckRecord { id, title, measured, limit, holds, decides: true }
}

fn arm(name: &str, url: &str, requests: u64, failed: u64, hdr: Option<String>) -> ArmRecord {
    let failing = clopper_pearson(failed, requests, 0.95);
    ArmRecord {
        name: name.into(),
        url: url.into(),
        service: None,
        address: url.trim_start_matches("http://").split('/').next().unwrap_or_default().into(),
        body_crc32: Some("6f0c1fe1".into()),
        requests,
        failed,
        failed_share_low: failing.low,
        failed_share_high: failing.high,
        outcomes: BTreeMap::from([("ok".into(), requests - failed), ("bad-status".into(), failed)]),
        hdr,
    }
}

/// A comparison in which nothing was measured yet.
fn begun(asked: Question, names: [&str; 2]) -> Comparison {
    let arms = [("127.0.0.1:8081", names[0]), ("127.0.0.1:8082", names[1])];
    let mut spec = Spec::of(arms.map(|(at, name)| format!("{name}=http://{at}/api/items").parse().unwrap()).into());
    (spec.primary.metric, spec.primary.margin) = (asked.metric, asked.margin.parse().unwrap());
    (spec.design.quick, spec.design.windows) = (asked.quick, Some(asked.windows));
    let mut declaration = Seal::now(Declaration::of(&spec).unwrap());
    declaration.sealed = "2026-11-26T18:40:02Z".parse().unwrap();
    let sealed = declaration.sealed;
    Comparison {
        api_version: ResultVersion::V1alpha1,
        name: "ingress-hop".into(),
        run: "20261126-185645-test".into(),
        started: sealed,
        finished: "2026-11-26T18:44:10Z".parse().unwrap(),
        verdict: Verdict::Invalid,
        reasons: vec!["the generator lost 3 requests to a server on this machine that does nothing".into()],
        notes: vec!["one deployment of each arm: how much differs from one restart to the next is not in the interval".into()],
        incomplete: false,
        estimate: None,
        exceeds_margin: None,
        arms: arms.map(|(at, name)| arm(name, &format!("http://{at}/api/items"), 0, 0, None)).into(),
        declaration,
        machine: Machine { kernel: "Linux 6.18.44".into(), cpus: 2 },
        calibration: None,
        warm_up: None,
        metrics: Vec::new(),
        shift: Vec::new(),
        dominance: None,
        distribution: None,
        windows: Vec::new(),
        void: Void::default(),
        same_arm: None,
        blocks: None,
        visits: None,
        resources: None,
        claim: Vec::new(),
        checks: vec![check("generator", "lateness of the generator, p99", "0.091 ms", "at most 0.020 ms", Some(false))],
    }
}

fn measured(asked: Question, names: [&str; 2], seed: u64) -> Comparison {
    let mut random = StdRng::seed_from_u64(seed);
    let mut record = begun(asked, names);
    let mut pairs: Vec<[Sent; 2]> = Vec::new();
    for number in 0..asked.windows {
        let weather = random.random_range(-0.4..0.4);
        let mut own = || random.random_range(-1.0..1.0) * asked.noise;
        let (a, b) = (weather + own(), weather + asked.shift + own());
        let failed = if number % 5 == 2 { asked.failed } else { 0 };
        pairs.push([sent(&mut random, asked.requests, a, 0), sent(&mut random, asked.requests, b, failed)]);
    }
    let length = record.declaration.content.window_ms;
    let first_void = asked.windows - asked.void;
    for (pair, number) in pairs.iter().zip(0..) {
        let void = (number >= first_void).then(|| "the generator was 0.612 ms late, at most 0.200 ms may be".to_owned());
        record.windows.push(WindowRecord {
            from_ms: f64::from(number) * length,
            to_ms: f64::from(number + 1) * length,
            deployment: if asked.quick { 0 } else { number * 3 / asked.windows },
            void: void.into_iter().collect(),
            release_error_p99_ms: 0.05,
            a: arm_window(&pair[0]),
            b: arm_window(&pair[1]),
        });
    }
    let used = &pairs[..first_void as usize];
    record.void = Void { of: u64::from(asked.windows), windows: u64::from(asked.void), gates: BTreeMap::new() };
    let margin = record.declaration.content.margin;
    let others = Metric::ALL.into_iter().filter(|metric| *metric != asked.metric);
    record.metrics =
        std::iter::once(asked.metric).chain(others).map(|metric| metric_record(metric, used, asked, margin)).collect();
    record.estimate = record.metrics[0].estimate.clone();
    record.verdict = record.metrics[0].verdict.unwrap_or(Verdict::Invalid);
    record.reasons = Vec::new();
    record.shift = shift(used);
    record.distribution = Some(distribution(used));
    for (index, arm) in record.arms.iter_mut().enumerate() {
        let all = used
            .iter()
            .map(|pair| &pair[index])
            .fold((Vec::new(), 0), |all: Sent, one| ([all.0, one.0.clone()].concat(), all.1 + one.1));
        let (requests, failed) = ((all.0.len() + all.1) as u64, all.1 as u64);
        let name = arm.name.clone();
        *arm = super::comparisons::arm(&name, &arm.url.clone(), requests, failed, Some(times(&all).to_base64()));
    }
    others_of(&mut record, asked);
    record
}

/// A/A, blocks and visits, and the checks.
fn others_of(record: &mut Comparison, asked: Question) {
    let primary = asked.metric.name();
    let phase = |value: f64, half: f64, level: f64| PhaseRecord {
        windows: 10,
        void: 0,
        estimate: Some(estimate(primary, value, Interval { low: value - half, high: value + half }, level)),
        differences_ms: vec![value; 10],
    };
    let found = record.estimate.as_ref().map_or(0.0, |estimate| estimate.value);
    record.same_arm = Some(phase(0.01, 0.45, 0.99));
    if !asked.quick {
        record.blocks = Some(phase(found * 0.96, 0.4, 0.95));
        let arm = |mean: f64| ArmVisits {
            requests: 100,
            failed: 0,
            mean_ms: Some(mean),
            p50_ms: Some(mean),
            times_ms: vec![mean; 100],
        };
        record.visits = Some(VisitsRecord { a: arm(7.42), b: arm(7.42 + asked.shift) });
    }
    let (void, of) = (record.void.windows, record.void.of);
    let counted = (of - void).to_string();
    record.checks = vec![
        check("generator", "lateness of the generator, p99", "0.079 ms", "at most 0.702 ms", Some(true)),
        check("failures", "failed requests of `before`", "0 of 24000", "at most 1 %", Some(true)),
        check("void-windows", "void windows", &format!("{void} of {of}"), "at most 20 %", Some(void * 5 <= of)),
        check("enough-windows", "valid windows", &counted, "at least 6", Some(of - void >= 6)),
        check(
            "same-arm",
            "difference of an arm from itself (A/A)",
            "+0.010 ms (-0.440 to +0.460)",
            "must have zero in it, or be within the margin",
            Some(true),
        ),
    ];
    if !asked.quick {
        let measured = "-1.264 ms (-1.664 to -0.864)";
        let limit = "must meet the interval of the duet";
        record.checks.push(check("blocks", "difference with one arm at a time", measured, limit, Some(true)));
    }
    let open = record
        .metrics
        .iter()
        .filter_map(|metric| Some(format!("{} is not judged: {}", metric.metric, metric.not_judged.as_ref()?)));
    let open: Vec<String> = open.collect();
    record.notes.extend(open);
}

/// The measurement does not count, for this reason.
fn void(mut record: Comparison, reason: &str) -> Comparison {
    record.verdict = Verdict::Invalid;
    record.reasons = vec![reason.into()];
    record.metrics.iter_mut().for_each(|metric| metric.verdict = None);
    record
}

const NAMES: [&str; 2] = ["before", "after"];

/// Faster by more than the margin, beside figures of others.
pub fn better() -> Comparison {
    let mut record = measured(HOP, NAMES, 1);
    let nginx = PodRecord {
        pod: "ingress-nginx/ingress-nginx-controller-7d9c7b8c5f-x2x4z".into(),
        node: "before-after-worker".into(),
        received_a: vec![175_210.0, 174_870.0],
        received_b: vec![612.0, 590.0],
        working_set_mi: vec![61.0, 62.0],
    };
    let of = |name: &str, unit: &str, value: f64, half: f64| {
        let interval = Interval { low: value - half, high: value + half };
        Estimate { of: name.into(), unit: unit.into(), ..estimate(name, value, interval, 0.95) }
    };
    let memory = of("memory", "Mi", -61.5, 6.4);
    record.resources = Some(ResourcesRecord { a: vec![nginx], b: Vec::new(), memory: Some(memory.clone()), unknown: None });
    let line = |claim, judgement, (a, b): (f64, f64), estimate, why: &str| ClaimRecord {
        claim,
        judgement,
        a: Some(a),
        b: Some(b),
        estimate: Some(estimate),
        why: why.into(),
    };
    let (before, after) = ("85 ms".parse().unwrap(), "67 ms".parse().unwrap());
    let mean = Claim::Mean(MeanClaim { before, after, method: Method::Sequential, requests: 100 });
    let smaller = "the direction is as claimed, the difference is smaller";
    record.claim = vec![
        line(mean, Judgement::NotConfirmed, (7.42, 6.12), of("mean", "ms", -1.3, 0.21), smaller),
        line(Claim::Pods(-1), Judgement::Confirmed, (1.0, 0.0), of("pods", "pods", -1.0, 0.0), "counted"),
        line(Claim::Memory("-128 Mi".parse().unwrap()), Judgement::NotConfirmed, (61.5, 0.0), memory, smaller),
    ];
    record
}

/// Slower, but it is open whether by more than the margin; some requests failed.
pub fn worse() -> Comparison {
    measured(Question { shift: 0.13, noise: 0.05, failed: 3, ..QUICK }, NAMES, 2)
}

/// Within a wide margin, although the interval excludes zero.
pub fn equivalent() -> Comparison {
    measured(Question { shift: 0.3, margin: "1ms", metric: Metric::Mean, ..QUICK }, NAMES, 3)
}

/// Too noisy to decide.
pub fn inconclusive() -> Comparison {
    measured(Question { shift: 0.02, noise: 2.5, margin: "0.05ms", ..QUICK }, NAMES, 4)
}

/// Too many windows are void.
pub fn invalid() -> Comparison {
    void(measured(Question { void: 5, ..QUICK }, NAMES, 5), "5 of 13 windows are void, at most 20 % may be")
}

/// So few valid windows that nothing bounds the difference.
pub fn unbounded() -> Comparison {
    void(measured(Question { void: 8, ..QUICK }, NAMES, 6), "only 5 windows count, at least 6 are needed")
}

/// It ended before the first window.
pub fn nothing() -> Comparison {
    begun(QUICK, NAMES)
}

/// Names and texts that would be markup, or are as long as possible; p99 falls on failed requests in some windows.
pub fn hostile() -> Comparison {
    let names = ["the-arm-with-the-longest-name-that-anybody-ever-gave-one", "b"];
    let mut record = measured(Question { failed: 9, shift: 40.0, ..HOP }, names, 7);
    record.declaration.content.hypothesis = "<script>window.taken=4</script> \u{202e}gnp".into();
    record.windows[41].void = vec!["<img src=x onerror=window.taken=5>".into()];
    record.checks[0].measured = "--> <svg onload=window.taken=6>".into();
    record.notes.push("a note with `code`, \"quotes\" and <b>markup</b>".into());
    record
}
