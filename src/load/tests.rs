//! Honesty: whatever goes wrong, at the server or in the generator, has to show.

use std::time::Duration;

use super::loopback::{Misbehaviour, Server};
use super::*;

const RATE: f64 = 1000.0;

fn plan(server: &Server) -> LoadPlan {
    LoadPlan {
        address: server.address,
        host: "test".into(),
        path: "/".into(),
        status: 200,
        arrivals: Arrivals::new(RATE, 0.5, 7),
        connections: 16,
        timeout: Duration::from_secs(3),
        drain: Duration::from_secs(3),
        run: "test".into(),
        stall: None,
    }
}

async fn run(plan: LoadPlan, lasts: Duration) -> Ledger {
    let running = start(plan).await.expect("the load starts");
    tokio::time::sleep(lasts).await;
    running.finish().await
}

fn quantile(ledger: &Ledger, share: f64) -> f64 {
    Distribution::of(ledger.entries.iter().map(|entry| entry.latency(0))).quantile_ms(share)
}

/// Numbers without gaps, times in order: nothing was dropped, nothing counted twice.
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
    assert_eq!(ledger.entries.iter().find_map(|entry| ledger.pod(entry)), Some("loopback"));
}

#[tokio::test]
async fn a_frozen_server_shows_in_the_tail_of_an_open_loop() {
    let freeze = Some((Duration::from_millis(500), Duration::from_secs(1)));
    let server = Server::start(Misbehaviour { freeze, ..Misbehaviour::default() }).expect("a server");
    let ledger = run(plan(&server), Duration::from_secs(3)).await;
    assert_complete(&ledger);
    assert_eq!(ledger.failed(), 0);
    // a third of all requests was due within the freeze; a closed loop would have sent 16
    let p99 = quantile(&ledger, 0.99);
    assert!((900.0..1300.0).contains(&p99), "{p99} ms");
    let slow = ledger.entries.iter().filter(|entry| entry.latency(0) > 100_000).count();
    assert!((800..1100).contains(&slow), "{slow}");
}

#[tokio::test]
async fn a_stalled_generator_shows_in_latency_and_in_its_release_error() {
    let server = Server::start(Misbehaviour::default()).expect("a server");
    let stall = Some((Duration::from_secs(1), Duration::from_secs(1)));
    let ledger = run(LoadPlan { stall, ..plan(&server) }, Duration::from_secs(3)).await;
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
    // 16 connections carry one each, the others wait for a free one
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
async fn a_closed_port_is_told_at_once() {
    let address = Server::start(Misbehaviour::default()).expect("a server").address;
    // the server is gone with the statement above, its last connection too
    tokio::time::sleep(Duration::from_millis(50)).await;
    let server = Server::start(Misbehaviour::default()).expect("a server");
    let error = start(LoadPlan { address, ..plan(&server) }).await.expect_err("nothing listens");
    assert!(matches!(error, LoadError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn the_generator_is_on_time_where_nothing_else_runs() {
    let calibration = calibrate(Arrivals::new(RATE, 0.5, 1), Duration::from_secs(1)).await.expect("a calibration");
    assert_eq!(calibration.failed, 0);
    assert!(calibration.requests >= 950 && calibration.release_error_p50_ms < 0.5, "{calibration:?}");
}
