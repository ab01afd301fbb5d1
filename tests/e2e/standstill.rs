//! A worker that is paused.

use std::time::{Duration, Instant};

use crate::world::{World, eventually, sh};

/// A worker is paused for a while: the scenario, and what happens to the worker if the run is killed before it resumes it.
#[test]
fn a_worker_that_stands_still_goes_on_whatever_becomes_of_the_run() {
    let world = World::new();
    let up = ["up", "-f", "profiles/quick.yaml", "--name", "e2e-still", "--yes"];
    world.hearth(&up).expect(0);
    let reports = world.folder.path().join("reports").to_str().unwrap().to_owned();
    let proven = world.hearth(&["test", "scenarios/node-pause.yaml", "--name", "e2e-still", "--report-dir", &reports]);
    eprintln!("{}{}", proven.err, proven.out);
    assert!(proven.expect(0).out.contains("PASS node-pause"), "passed, not skipped");

    let file = world.folder.path().join("still.yaml");
    std::fs::write(&file, STILL).unwrap();
    let file = file.to_str().unwrap();
    let state = || sh("docker exec e2e-still-worker2 sh -c 'sed \"s/.*) //\" /proc/$(pidof kubelet)/stat | cut -c1'");
    let amid = || {
        let run = world.start(&["test", file, "--name", "e2e-still", "--report-dir", &reports]);
        eventually("the worker stands still", Duration::from_secs(60), || state() == "T");
        run
    };
    let killed = || {
        let mut run = amid();
        run.kill().unwrap();
        run.wait().unwrap();
        assert_eq!(state(), "T", "nobody has let it go on");
    };
    let recover = |how: &'static str| world.hearth(&["recover", "--name", "e2e-still", how, "-o", "json"]).expect(0).json();
    let nothing = || assert_eq!(recover("--dry-run")["left"].as_array().map(Vec::len), Some(0));

    // resumed by its own timer, without Hearth: after 20 s plus 5 s
    killed();
    assert_eq!(recover("--dry-run")["left"][0]["what"], "node e2e-still-worker2");
    assert_eq!(state(), "T", "a dry run changes nothing");
    eventually("it goes on by itself", Duration::from_secs(30), || state() != "T");
    assert_eq!(recover("--yes")["healed"].as_array().map(Vec::len), Some(1));
    nothing();

    killed();
    let asked = Instant::now();
    world.hearth(&["recover", "--name", "e2e-still"]).expect(2);
    recover("--yes");
    assert_ne!(state(), "T");
    assert!(asked.elapsed() < Duration::from_secs(15), "not by its timer: {:?}", asked.elapsed());
    nothing();

    killed();
    world.hearth(&up).expect(0);
    assert_ne!(state(), "T");
    nothing();

    let mut run = amid();
    sh(&format!("kill -INT {}", run.id()));
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_ne!(state(), "T");
    nothing();

    world.hearth(&["down", "--name", "e2e-still", "--yes"]).expect(0);
    world.nothing_is_left();
}

const STILL: &str = "
apiVersion: hearth.dev/v1alpha1
kind: Scenario
metadata: {name: still, title: A worker stands still}
spec:
  target: {path: /}
  load: {rate: 20 req/s, connections: 256, timeout: 5s}
  steadyState: {conditions: [{failed: {atMost: 99 req}}], before: {hold: 2s}, after: {hold: 2s}}
  timeline: [{at: 0s, fault: {nodePause: {node: {name: e2e-still-worker2}, for: 20s}}}]
  assertions: [{id: recovery, title: It comes back, expect: {recovery: {atMost: 90s}}}]
  validity: {releaseErrorP99: 500ms}
";
