//! Honesty: whatever goes wrong, in the server or in the generator, has to show.

use std::time::Duration;

use super::loopback::{Misbehaviour, Server};
use super::*;

const RATE: f64 = 1000.0;

fn plan(server: &Server) -> LoadPlan {
    LoadPlan {
        targets: vec![target(server.address)],
        order: Order::Single,
        body: None,
        arrivals: Arrivals::new(RATE, 0.5, 7),
        connections: 16,
        timeout: Duration::from_secs(3),
        drain: Duration::from_secs(3),
        run: "test".into(),
        capture: vec!["x-pod".into()],
    }
}

fn target(address: SocketAddr) -> Target {
    Target::get(address, "test", "/")
}

async fn run(plan: LoadPlan, lasts: Duration) -> Ledger {
    let running = start(plan).await.expect("the load starts");
    tokio::time::sleep(lasts).await;
    running.finish().await
}

fn quantile(ledger: &Ledger, share: f64) -> f64 {
    Distribution::of(ledger.entries.iter().map(|entry| entry.latency(0))).quantile_ms(share)
}

/// Numbers without gaps, times in order: nothing was dropped, and nothing counted twice.
fn assert_complete(ledger: &Ledger) {
    assert!(ledger.entries.iter().enumerate().all(|(index, entry)| entry.sequence as usize == index));
    for entry in &ledger.entries {
        assert!(entry.scheduled <= entry.released && entry.released <= entry.sent && entry.sent <= entry.done, "{entry:?}");
    }
}

#[tokio::test]
async fn swallowed_requests_are_failures_and_never_sent_again() {
    let server = Server::start(Misbehaviour { swallow_every: Some(20), ..Misbehaviour::default() }).expect("a server");
    let ledger = run(plan(&server), Duration::from_secs(2)).await;
    assert_complete(&ledger);
    assert!(ledger.entries.len() >= 1900, "{}", ledger.entries.len());
    assert_eq!(ledger.failed(), server.swallowed());
    assert_eq!(ledger.entries.len() as u64, server.requests());
    assert!(ledger.entries.iter().filter(|entry| entry.outcome.failed()).all(|entry| entry.outcome == Outcome::ResetAfterWrite));
    assert_eq!(ledger.entries.iter().find_map(|entry| ledger.header(entry, "X-Pod")), Some("loopback"));
}

#[tokio::test]
async fn a_frozen_server_shows_in_the_tail_of_an_open_loop() {
    let freeze = Some((Duration::from_millis(500), Duration::from_secs(1)));
    let server = Server::start(Misbehaviour { freeze, ..Misbehaviour::default() }).expect("a server");
    let ledger = run(plan(&server), Duration::from_secs(3)).await;
    assert_complete(&ledger);
    assert_eq!(ledger.failed(), 0);
    // a third of all requests was due during the freeze; a closed loop would have sent 16
    let p99 = quantile(&ledger, 0.99);
    assert!((900.0..1300.0).contains(&p99), "{p99} ms");
    let slow = ledger.entries.iter().filter(|entry| entry.latency(0) > 100_000).count();
    assert!((800..1100).contains(&slow), "{slow}");
}

#[tokio::test]
async fn a_stalled_generator_shows_in_latency_and_in_its_release_error() {
    let server = Server::start(Misbehaviour::default()).expect("a server");
    let stall = Some((Duration::from_secs(1), Duration::from_secs(1)));
    let running = begin(plan(&server), stall).await.expect("the load starts");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let ledger = running.finish().await;
    assert_complete(&ledger);
    let p99 = quantile(&ledger, 0.99);
    assert!(p99 > 900.0, "{p99} ms");
    let late = |from, to| Distribution::of(ledger.between(from, to).map(Entry::release_error)).quantile_ms(0.99);
    assert!(late(0, 1_000_000) < 50.0 && late(1_000_000, 2_000_000) > 900.0);
}

#[tokio::test]
async fn what_is_unanswered_at_the_end_is_a_failure() {
    let server = Server::start(Misbehaviour { delay: Duration::from_secs(2), ..Misbehaviour::default() }).expect("a server");
    let short = LoadPlan { drain: Duration::from_millis(200), arrivals: Arrivals::new(100.0, 0.0, 1), ..plan(&server) };
    let ledger = run(short, Duration::from_millis(500)).await;
    assert_complete(&ledger);
    let count = |outcome| ledger.entries.iter().filter(|entry| entry.outcome == outcome).count();
    // the 16 connections carry one request each, the others wait for a free one
    assert_eq!(count(Outcome::Unfinished), 16);
    assert_eq!(count(Outcome::NotSent), ledger.entries.len() - 16);
    assert!(ledger.entries.len() >= 48);
}

#[tokio::test]
async fn slow_answers_time_out_by_the_schedule() {
    let server = Server::start(Misbehaviour { delay: Duration::from_secs(2), ..Misbehaviour::default() }).expect("a server");
    let hasty = LoadPlan { timeout: Duration::from_millis(300), arrivals: Arrivals::new(20.0, 0.0, 1), ..plan(&server) };
    let ledger = run(hasty, Duration::from_millis(500)).await;
    assert_complete(&ledger);
    assert!(ledger.entries.iter().all(|entry| entry.outcome == Outcome::Timeout && entry.latency(300_000) >= 300_000));
}

#[tokio::test]
async fn a_closed_port_and_a_senseless_request_are_refused_at_once() {
    let address = Server::start(Misbehaviour::default()).expect("a server").address;
    // the statement above dropped the server, and its last connection
    tokio::time::sleep(Duration::from_millis(50)).await;
    let server = Server::start(Misbehaviour::default()).expect("a server");
    let error = start(LoadPlan { targets: vec![target(address)], ..plan(&server) }).await.expect_err("nothing listens");
    assert!(matches!(error, LoadError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn the_generator_is_on_time_where_nothing_else_runs() {
    let calibration = calibrate(Arrivals::new(RATE, 0.5, 1), Duration::from_secs(1)).await.expect("a calibration");
    assert_eq!(calibration.failed, 0);
    assert!(calibration.requests >= 950 && calibration.release_error_p50_ms < 0.5, "{calibration:?}");
}

#[tokio::test]
async fn a_duet_shares_its_requests_between_two_targets_and_finds_the_slower_one() {
    let (quick, slow) = (Misbehaviour::default(), Misbehaviour { delay: Duration::from_millis(3), ..Misbehaviour::default() });
    let (quick, slow) = (Server::start(quick).expect("a server"), Server::start(slow).expect("a server"));
    let targets = vec![target(quick.address), target(slow.address)];
    let ledger = run(LoadPlan { targets, order: Order::Duet { seed: 5 }, ..plan(&quick) }, Duration::from_secs(2)).await;
    assert_complete(&ledger);
    let of = |target: u8| ledger.entries.iter().filter(move |entry| entry.target == target);
    let sent = (of(0).count() as u64, of(1).count() as u64);
    assert!(sent.0.abs_diff(sent.1) <= 1 && sent.0 >= 900, "{sent:?}");
    assert_eq!(sent, (quick.requests(), slow.requests()));
    let median = |target| Distribution::of(of(target).map(|entry| entry.latency(0))).quantile_ms(0.5);
    assert!(median(1) - median(0) > 2.0, "{} {}", median(0), median(1));
}

#[tokio::test]
async fn another_body_is_a_failure_where_one_is_wanted() {
    let server = Server::start(Misbehaviour::default()).expect("a server");
    let wanting = |body| LoadPlan { body: Some(body), arrivals: Arrivals::new(100.0, 0.5, 1), ..plan(&server) };
    let good = run(wanting(crc32fast::hash(b"ok")), Duration::from_millis(300)).await;
    assert!(good.failed() == 0 && good.entries.len() >= 25);
    let bad = run(wanting(1), Duration::from_millis(300)).await;
    assert!(bad.entries.iter().all(|entry| entry.outcome == Outcome::WrongBody && entry.status == 200));
}

#[tokio::test]
async fn visits_come_one_after_the_other_each_with_its_own_connection() {
    let slow = Misbehaviour { delay: Duration::from_millis(5), ..Misbehaviour::default() };
    let server = Server::start(slow).expect("a server");
    let long = Duration::from_secs(5);
    let all = visits(target(server.address), "v".into(), 20, long, long).await.expect("visits");
    assert_eq!((all.len(), server.requests()), (20, 20));
    let good = |visit: &Visit| (visit.outcome, visit.status, visit.body) == (Outcome::Ok, 200, crc32fast::hash(b"ok"));
    assert!(all.iter().all(|visit| good(visit) && visit.total >= 5_000), "{all:?}");
    let stuck = Misbehaviour { delay: Duration::from_secs(2), ..Misbehaviour::default() };
    let stuck = Server::start(stuck).expect("a server");
    let hasty = visit(&target(stuck.address), "v", Duration::from_millis(200));
    assert!(hasty.outcome == Outcome::Timeout && (200_000..1_900_000).contains(&hasty.total), "{hasty:?}");
    let swallowing = Server::start(Misbehaviour { swallow_every: Some(1), ..Misbehaviour::default() }).expect("a server");
    assert_eq!(visit(&target(swallowing.address), "v", long).outcome, Outcome::ResetAfterWrite);
    let few = visits(target(server.address), "v".into(), 1000, long, Duration::from_millis(50)).await.expect("visits");
    assert!((1..20).contains(&few.len()), "{}", few.len());
}
