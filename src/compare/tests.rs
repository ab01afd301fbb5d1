//! The whole way from a question to its verdict: with made-up windows to test the arithmetic, against servers on this machine
//! to test the measuring.

use std::time::Duration;

use super::conclude::conclude;
use super::machine::Strain;
use super::record::Comparison;
use super::run::{Found, Tally};
use super::schema::{Arm, Design};
use super::window::{Gate, Sent, Window, gate};
use super::*;
use crate::load::{Misbehaviour, Outcome, Server, Target, Visit};
use crate::quantity::{Rate, Share, Span};

fn arms(urls: [&str; 2]) -> Vec<Arm> {
    let arm = |(name, url): (&str, &str)| Arm { name: name.into(), url: Some(url.into()), ..Arm::default() };
    ["a", "b"].into_iter().zip(urls).map(arm).collect()
}

fn question() -> Spec {
    Spec::of(arms(["http://127.0.0.1:1/", "http://127.0.0.1:2/"]))
}

/// 50 requests to each arm, spread evenly over half a millisecond around these medians; `wobble` shifts both.
fn window(medians: [f64; 2], wobble: f64) -> Window {
    let sent = |median: f64| Sent { good: (0..50).map(|at| median + wobble + f64::from(at - 25) / 50.0).collect(), failed: 0 };
    let strain = Strain { stolen: Some(0.0), retransmitted: Some(0.0), generator: 0.1 };
    let arms = medians.map(sent);
    Window { from: 0, to: 1_000_000, arms, release_p99_ms: 0.05, offered: 1.0, strain, void: Vec::new() }
}

/// Twelve windows of a duet; `noise` is what differs from window to window in the second arm only.
fn duet(medians: [f64; 2], noise: f64) -> Vec<Window> {
    let wave = |at: usize| [0.3, -0.7, 1.0, -0.2, 0.6, -1.0, 0.1, 0.8, -0.5, -0.1, 0.4, -0.8][at % 12];
    (0..12).map(|at| window([medians[0], medians[1] + noise * wave(at)], 3.0 * wave(at + 5))).collect()
}

fn tally(requests: u64, failed: u64) -> Tally {
    Tally { requests, failed, ..Tally::default() }
}

fn found(duet: Vec<Window>) -> Found {
    let arms = [tally(600, 0), tally(600, 0)];
    Found { finest_ms: 1.0, duet, arms, ..Found::default() }
}

fn concluded(spec: &Spec, mut found: Found) -> Comparison {
    let declaration = Declaration::of(spec).unwrap_or_else(|flaws| panic!("{flaws:?}"));
    gate(&mut found.duet, &declaration.validity, found.finest_ms);
    let mut record = Comparison::begun("test", "run", Seal::now(declaration));
    let target = Target::get(([127, 0, 0, 1], 1).into(), "x", "/");
    let ready = || arm::Ready { target: target.clone(), body: Some(7) };
    conclude(&mut record, &found, &[ready(), ready()]);
    record
}

#[test]
fn the_verdict_follows_from_the_windows() {
    let of = |medians, noise| concluded(&question(), found(duet(medians, noise)));
    let same = of([20.0, 20.0], 0.05);
    assert_eq!((same.verdict, same.exceeds_margin), (Verdict::Equivalent, None), "{:?}", same.reasons);
    let slower = of([20.0, 21.0], 0.05);
    assert_eq!((slower.verdict, slower.exceeds_margin), (Verdict::Worse, Some(true)));
    let estimate = slower.estimate.clone().expect("an estimate");
    let (low, high) = (estimate.low.expect("bounded"), estimate.high.expect("bounded"));
    assert!(low <= 1.0 && 1.0 <= high && high - low < 0.1 && estimate.level == 0.95, "{estimate:?}");
    assert_eq!(of([20.0, 18.0], 0.05).verdict, Verdict::Better);
    // 0.1 ms of 20 ms: it exists, but is too small to matter
    let little = of([20.0, 20.1], 0.05);
    assert_eq!(little.verdict, Verdict::Equivalent);
    assert!(little.estimate.is_some_and(|estimate| estimate.low > Some(0.0)));
    let vague = of([20.0, 20.2], 4.0);
    assert_eq!(vague.verdict, Verdict::Inconclusive);
    let primary = &vague.metrics[0];
    assert!(primary.windows_needed > Some(12) && primary.detectable_ms > primary.margin_ms, "{primary:?}");
}

#[test]
fn both_intervals_and_every_metric_are_in_the_result() {
    let record = concluded(&question(), found(duet([20.0, 21.0], 0.05)));
    let primary = &record.metrics[0];
    assert!(primary.primary && primary.metric == Metric::P50 && primary.p_difference_holm.is_none());
    let (own, second) = (primary.estimate.as_ref().expect("one"), primary.bootstrap.as_ref().expect("one"));
    assert!((own.low.expect("bounded") - second.low.expect("bounded")).abs() < 0.05);
    let mean = record.metrics.iter().find(|metric| metric.metric == Metric::Mean).expect("the mean");
    assert_eq!(mean.verdict, Some(Verdict::Worse));
    assert!(mean.p_difference_holm >= mean.p_difference);
    // 50 requests are enough for p90 but not for p99
    let rare = record.metrics.iter().find(|metric| metric.metric == Metric::P99).expect("p99");
    assert_eq!((rare.not_judged.as_deref(), rare.verdict), (Some("50 of 368 requests a window"), None));
    assert_eq!(record.shift.len(), 17, "p10 to p90 need 36 requests at most, p5 and p95 need 72");
    assert!(record.dominance.as_ref().is_some_and(|delta| delta.value > 0.99));
    let bins = record.distribution.as_ref().expect("bins");
    assert_eq!((bins.a.counts.iter().sum::<u64>(), bins.a.slower[0], bins.edges_ms.len()), (600, 1.0, 97));
    assert!(record.declaration.holds() && record.windows.len() == 12);
    let bytes = serde_json::to_vec(&record).expect("JSON");
    let again: Comparison = serde_json::from_slice(&bytes).expect("the same");
    assert!(again.declaration.holds() && again == record, "what is written is what is read");
}

#[test]
fn void_windows_are_void_for_both_arms_and_too_many_of_them_for_the_run() {
    let mut windows = duet([20.0, 21.0], 0.05);
    windows[3].release_p99_ms = 2.0;
    windows[4].strain.stolen = Some(0.5);
    let two = concluded(&question(), found(windows.clone()));
    assert_eq!((two.verdict, two.void.windows, two.metrics[0].units), (Verdict::Worse, 2, 10));
    assert_eq!(
        two.void.gates.iter().map(|(gate, count)| (gate.as_str(), *count)).collect::<Vec<_>>(),
        [("release-error", 1), ("steal", 1)]
    );
    windows[5].strain.retransmitted = None;
    let three = concluded(&question(), found(windows));
    assert_eq!(three.verdict, Verdict::Invalid);
    assert_eq!(three.reasons, ["3 of 12 windows are void, at most 20 % may be"]);
}

#[test]
fn failures_are_slower_than_everything_and_more_than_one_in_a_hundred_void_the_run() {
    let mut windows = duet([20.0, 20.0], 0.05);
    for window in &mut windows {
        window.arms[1].good.truncate(44);
        window.arms[1].failed = 6;
    }
    let mut bad = found(windows.clone());
    bad.arms[1] = tally(600, 72);
    let record = concluded(&question(), bad);
    assert_eq!(record.verdict, Verdict::Invalid);
    assert_eq!(record.reasons, ["failed requests of `b`: 72 of 600, at most 1 % is allowed"]);
    let p90 = record.metrics.iter().find(|metric| metric.metric == Metric::P90).expect("p90");
    assert_eq!((p90.a_ms.is_some(), p90.b_ms), (true, None), "p90 of the second arm falls on failed requests");
    assert_eq!(p90.verdict, None, "nothing is concluded from what does not count");
    // a small number of them voids nothing, but is still shown
    let mut spec = question();
    spec.primary.metric = Metric::P90;
    let record = concluded(&spec, found(windows));
    assert_eq!(record.verdict, Verdict::Worse);
}

#[test]
fn an_instrument_that_sees_differences_where_there_are_none_is_not_believed() {
    let mut biased = found(duet([20.0, 21.0], 0.05));
    biased.same_arm = duet([20.0, 21.0], 0.05);
    let record = concluded(&question(), biased);
    assert_eq!(record.verdict, Verdict::Invalid);
    assert!(record.reasons[0].starts_with("an arm differs from itself (A/A) by +1.0"), "{:?}", record.reasons);
    // a difference within the margin does not matter
    let mut fine = found(duet([20.0, 21.0], 0.05));
    fine.same_arm = duet([20.0, 20.1], 0.05);
    assert_eq!(concluded(&question(), fine).verdict, Verdict::Worse);
    let mut opposed = found(duet([20.0, 21.0], 0.05));
    opposed.blocks = duet([21.0, 20.0], 0.05);
    assert_eq!(concluded(&question(), opposed).verdict, Verdict::Invalid);
    let mut vague = found(duet([20.0, 21.0], 0.05));
    vague.blocks = duet([21.0, 20.0], 0.05);
    vague.blocks.truncate(4);
    assert_eq!(concluded(&question(), vague).verdict, Verdict::Worse, "four blocks bound nothing");
}

#[test]
fn a_request_by_itself_that_is_answered_with_another_status_had_no_good_answer() {
    let visit = |status| Visit { total: 5000, outcome: Outcome::Ok, status, body: 0 };
    let mut found = found(duet([20.0, 20.0], 0.05));
    found.visits = [vec![visit(200), visit(200)], vec![visit(503), visit(200)]];
    let visits = concluded(&question(), found).visits.expect("visits");
    assert_eq!((visits.a.failed, visits.b.failed, visits.b.times_ms), (0, 1, vec![5.0]));
}

#[test]
fn too_few_or_unpaired_or_no_windows_decide_nothing() {
    let mut few = duet([20.0, 21.0], 0.05);
    few.truncate(5);
    assert_eq!(concluded(&question(), found(few)).reasons, ["only 5 windows count, at least 6 are needed"]);
    let mut unpaired = duet([20.0, 21.0], 0.05);
    unpaired.iter_mut().take(3).for_each(|window| window.arms[0].good.truncate(49));
    let record = concluded(&question(), found(unpaired));
    assert_eq!((record.verdict, record.void.gates.get(Gate::Unpaired.name())), (Verdict::Invalid, Some(&3)));
    let mut stopped = found(duet([20.0, 21.0], 0.05));
    stopped.interrupted = true;
    let record = concluded(&question(), stopped);
    assert_eq!((record.verdict, record.incomplete), (Verdict::Invalid, true));
    assert_eq!(record.reasons, ["stopped after 12 of the 40 windows that were declared"]);
    assert!(record.estimate.is_some(), "what there is stays");
    assert_eq!(concluded(&question(), found(Vec::new())).verdict, Verdict::Invalid);
}

#[test]
fn what_is_asked_has_to_make_sense() {
    let flaws = |change: fn(&mut Spec)| {
        let mut spec = question();
        change(&mut spec);
        let flaws = Declaration::of(&spec).err().unwrap_or_default();
        flaws.into_iter().map(|flaw| flaw.message).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(flaws(|_| {}), "");
    assert_eq!(flaws(|spec| spec.arms[1].url = spec.arms[0].url.clone()), "both arms are the same address");
    assert_eq!(flaws(|spec| spec.arms.truncate(1)), "two arms are compared, there are 1");
    assert!(flaws(|spec| spec.arms[0].url = Some("https://x/".into())).starts_with("https is not measured"));
    assert_eq!(flaws(|spec| spec.arms[0].url = Some("127.0.0.1:80".into())), "`127.0.0.1:80` does not begin with http://");
    assert_eq!(flaws(|spec| spec.primary.margin = Margin::Share(Share(0.0))), "with no margin nothing can be equivalent");
    assert_eq!(flaws(|spec| spec.alpha = Share(0.5)), "50 % is not a level");
    assert_eq!(flaws(|spec| spec.design.blocks = Some(6)), "not a multiple of four");
    let few = flaws(|spec| spec.design.windows = Some(5));
    assert_eq!(few, "5 windows cannot decide anything at this level, 6 are the fewest");
    let short = flaws(|spec| {
        spec.primary.metric = Metric::P999;
        spec.design.window = Some(Span::secs(3));
    });
    assert_eq!(short, "latency.p99.9 needs 3688 requests in each window and arm, there are 600");
    let slow = flaws(|spec| {
        spec.primary.metric = Metric::P99;
        spec.load.rate = Rate(20.0);
        spec.design.quick = true;
    });
    assert_eq!(slow, "0 windows cannot decide anything at this level, 6 are the fewest");
}

#[test]
fn an_arm_is_a_url_or_a_service() {
    let flaws = |change: fn(&mut Arm)| {
        let mut spec = question();
        spec.arms[1] = Arm { name: "b".into(), service: "istio-system/gateway".parse().ok(), ..Arm::default() };
        change(&mut spec.arms[1]);
        let flaws = Declaration::of(&spec).err().unwrap_or_default();
        flaws.into_iter().map(|flaw| format!("{}: {}", flaw.path, flaw.message)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(flaws(|_| {}), "");
    assert_eq!(flaws(|arm| (arm.path, arm.host) = (Some("/a?b=c".into()), Some("shop.test:80".into()))), "");
    assert_eq!(flaws(|arm| arm.service = None), "spec.arms[1]: an arm needs a url or a service");
    let both = flaws(|arm| arm.url = Some("http://127.0.0.1/".into()));
    assert_eq!(both, "spec.arms[1].service: an arm is a url or a service, not both");
    assert_eq!(flaws(|arm| arm.path = Some("a b".into())), "spec.arms[1].path: `a b` is not a path");
    assert_eq!(flaws(|arm| arm.host = Some("a b".into())), "spec.arms[1].host: `a b` is not a host");
    let foreign = flaws(|arm| *arm = Arm { url: Some("http://x/".into()), host: Some("y".into()), service: None, ..arm.clone() });
    assert_eq!(foreign, "spec.arms[1].host: this belongs to a service");
    let mut same = question();
    same.arms = ["a", "b"].map(|name| Arm { name: name.into(), service: "i/g".parse().ok(), ..Arm::default() }).to_vec();
    let refused = Declaration::of(&same).expect_err("the same");
    assert_eq!(
        (refused[0].path.as_str(), refused[0].message.as_str()),
        ("spec.arms[1].service", "both arms are the same address")
    );
    // two sites of one gateway are two arms
    same.arms[1].host = Some("other.test".into());
    assert!(Declaration::of(&same).is_ok() && same.needs_cluster() && !question().needs_cluster());
}

#[test]
fn a_declaration_is_sealed_and_a_changed_one_shows() {
    let mut seal = Seal::now(Declaration::of(&question()).expect("sense"));
    assert!(seal.holds() && seal.sha256.len() == 64);
    seal.content.margin = Margin::Share(Share(0.5));
    assert!(!seal.holds());
    let quick = Declaration::of(&Spec { design: Design { quick: true, ..Design::default() }, ..question() }).expect("sense");
    assert_eq!((quick.windows, quick.window_ms, quick.blocks, quick.visits), (13, 1000.0, 0, 0));
    let mut rare = Spec { design: Design { quick: true, ..Design::default() }, ..question() };
    rare.primary.metric = Metric::P99;
    let rare = Declaration::of(&rare).expect("sense");
    assert_eq!((rare.windows, rare.window_ms, rare.requests_per_window), (6, 2000.0, 400));
}

#[test]
fn files_are_read_strictly() {
    let text = "apiVersion: hearth.dev/v1alpha1\nkind: Comparison\nmetadata: {name: hop}\nspec:\n  arms:\n    - {name: a, url: \"http://127.0.0.1:1/\"}\n    - {name: b, url: \"http://127.0.0.1:2/\"}\n  primary: {metric: latency.p99, margin: 0.5 ms}\n  load: {rate: 400 req/s}\n";
    let (metadata, spec) = load_file("hop.yaml", text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((metadata.name.as_str(), spec.primary.metric), ("hop", Metric::P99));
    assert_eq!(spec.primary.margin.to_string(), "500us");
    let wrong = text.replace("margin: 0.5 ms", "margin: 0.5").replace("rate: 400", "rte: 400");
    let problems = load_file("hop.yaml", &wrong).expect_err("refused").to_string();
    assert!(problems.contains("did you mean `rate`") && problems.contains("2 problems"), "{problems}");
    let same = text.replace("127.0.0.1:2", "127.0.0.1:1");
    let problems = load_file("hop.yaml", &same).expect_err("refused").to_string();
    assert!(problems.contains("hop.yaml:7") && problems.contains("both arms are the same address"), "{problems}");
}

const HOP: &str = include_str!("../../scenarios/ingress-hop.yaml");

#[test]
fn the_shipped_comparison_asks_what_the_claim_is_of() {
    let (metadata, spec) = load_file("ingress-hop.yaml", HOP).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((metadata.name.as_str(), spec.primary.metric, spec.needs_cluster()), ("ingress-hop", Metric::P50, true));
    assert_eq!(spec.claim.iter().map(|line| line.difference().round()).collect::<Vec<_>>(), [-18.0, -1.0, -128.0]);
    let declaration = Declaration::of(&spec).expect("sense");
    assert_eq!((declaration.visits, declaration.turns, declaration.arms[0].url.as_ref()), (100, 4, None));
    let seal = Seal::now(declaration);
    let again: Seal = serde_json::from_slice(&serde_json::to_vec(&seal).expect("JSON")).expect("the same");
    assert!(again == seal && again.holds());
    let quick = Declaration::of(&Spec { design: Design { quick: true, ..spec.design }, ..spec }).expect("sense");
    assert_eq!((quick.visits, quick.turns), (100, 0), "a quick one has time for a hundred requests, and none for turns");
}

#[test]
fn what_is_wrong_with_arms_and_claims_is_told_with_its_place() {
    let wrong = HOP
        .replace("istio-system/istio-ingressgateway", "istio-ingressgateway")
        .replace("-128 Mi", "-128")
        .replace("method: sequential", "method: parallel");
    insta::assert_snapshot!("form", load_file("hop.yaml", &wrong).expect_err("refused"));
    let wrong = HOP
        .replace("    - pods: -1\n", "    - pods: -1\n    - pods: -2\n")
        .replace("service: istio-system/istio-ingressgateway", "url: http://10.0.0.1/")
        .replace("  primary:", "  design: {visits: 50}\n  primary:");
    insta::assert_snapshot!("meaning", load_file("hop.yaml", &wrong).expect_err("refused"));
}

/// A question about two servers in this process, as short as makes sense.
fn short(one: &Server, other: &Server) -> Spec {
    let url = |server: &Server| format!("http://{}/", server.address);
    let mut spec = Spec::of(arms([&url(one), &url(other)]));
    spec.load.rate = Rate(100.0);
    spec.load.connections = 8;
    spec.primary.margin = Margin::Time(Span(Duration::from_millis(10)));
    spec.design = Design {
        quick: true,
        windows: Some(8),
        window: Some(Span(Duration::from_millis(300))),
        same_arm_windows: Some(0),
        ..spec.design
    };
    spec
}

fn server(delay: u64) -> Server {
    let misbehaviour = Misbehaviour { delay: Duration::from_millis(delay), ..Misbehaviour::default() };
    Server::start(misbehaviour).expect("a server")
}

fn context() -> Context {
    let (run, events) = ("test".into(), crate::event::Events::open("test", Vec::new()).0);
    Context { run, events, client: None, cancel: CancellationToken::new() }
}

#[tokio::test]
async fn a_slower_arm_is_found_and_its_size_is_in_the_interval() {
    let (quick, slow) = (server(20), server(60));
    let record = run("test", &short(&quick, &slow), &context()).await.expect("a result");
    // on a machine that is too busy the run is void: that is correct too, and tested elsewhere
    if record.verdict != Verdict::Invalid {
        assert_eq!(record.verdict, Verdict::Worse, "{:?}", record.estimate);
        let value = record.estimate.expect("an estimate").value;
        assert!((35.0..45.0).contains(&value), "{value}");
        assert_eq!(record.exceeds_margin, Some(true));
    }
    assert!(record.windows.iter().all(|window| window.a.requests == 30 && window.b.requests == 30));
    assert!(record.arms.iter().all(|arm| arm.body_crc32.is_some() && arm.failed == 0));
}

#[tokio::test]
async fn a_generator_that_stands_still_voids_windows() {
    let (one, other) = (server(5), server(5));
    let mut spec = short(&one, &other);
    spec.primary.margin = Margin::Time(Span(Duration::from_millis(500)));
    let stall = Some((Duration::from_millis(900), Duration::from_millis(700)));
    let record = run_with("test", &spec, &context(), stall).await.expect("a result");
    let void = record.windows.iter().filter(|window| !window.void.is_empty()).count();
    assert!(void >= 2 && record.void.gates.contains_key("release-error"), "{:?}", record.void);
    assert_eq!(record.verdict, Verdict::Invalid, "two or three of eight are more than a fifth");
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_before_the_measurement() {
    let (one, other) = (server(0), server(0));
    let refused = async |spec: Spec| run("test", &spec, &context()).await.expect_err("refused");
    let mut same = short(&one, &other);
    same.arms[1].url = Some(format!("http://localhost:{}/", one.address.port()));
    assert!(matches!(refused(same).await, CompareError::SamePath { .. }));
    let mut status = short(&one, &other);
    status.expect.status = 204;
    assert!(matches!(refused(status).await, CompareError::Status { status: 200, .. }));
    let gone = server(0).address;
    let mut dead = short(&one, &other);
    dead.arms[1].url = Some(format!("http://{gone}/"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(matches!(refused(dead).await, CompareError::NoAnswer { .. }));
    let different = Server::start(Misbehaviour { body: Some("other"), ..Misbehaviour::default() }).expect("a server");
    assert!(matches!(refused(short(&one, &different)).await, CompareError::DifferentBodies));
}

#[tokio::test]
async fn an_interrupted_run_ends_in_order_with_what_it_has() {
    let (one, other) = (server(1), server(1));
    let context = context();
    let cancel = context.cancel.clone();
    let mut spec = short(&one, &other);
    spec.primary.margin = Margin::Time(Span::secs(1));
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        cancel.cancel();
    });
    let record = run("test", &spec, &context).await.expect("a result");
    assert_eq!((record.verdict, record.incomplete), (Verdict::Invalid, true));
}
