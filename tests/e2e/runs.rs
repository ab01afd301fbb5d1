//! Runs that are killed, interrupted, or run into each other.

use std::thread::sleep;
use std::time::Duration;

use crate::world::{APPLIED, UNDONE, World, eventually, sh};

/// Killed as soon as a step is done, again and again, a bring-up still completes, and so does a clean-up. So does a clean-up
/// after a bring-up that was killed early, half way and late.
#[test]
fn killed_at_every_step_they_are_taken_up_or_taken_away() {
    let world = World::new();
    let up = ["up", "-f", "profiles/minimal.yaml", "--name", "e2e-kill", "--yes"];
    let down = ["down", "--name", "e2e-kill", "--yes"];
    let killed_after =
        |steps: usize, phase: &str, args: &[&str]| world.killed_after(("e2e-kill/journal.jsonl", phase), steps, args);

    let arrived = (0..80).find_map(|kills| Some((kills, killed_after(1, APPLIED, &up)?)));
    eprintln!("  up: (kills, exit) {arrived:?}");
    assert!(arrived.is_some_and(|(kills, code)| kills > 8 && code == Some(0)), "{arrived:?}");
    world.hearth(&up).expect(0);
    world.hearth(&["status", "--name", "e2e-kill"]).expect(0);
    // a clean-up starts over each time: allow one more step each time
    let arrived = (0..80).find_map(|kills| Some((kills, killed_after(kills + 1, UNDONE, &down)?)));
    eprintln!("  down: (kills, exit) {arrived:?}");
    assert!(arrived.is_some_and(|(kills, code)| kills > 1 && code == Some(0)), "{arrived:?}");
    world.nothing_is_left();

    for steps in [1, 5, 10] {
        assert_eq!(killed_after(steps, APPLIED, &up), None);
        world.hearth(&down).expect(0);
        world.nothing_is_left();
    }
}

#[test]
fn interrupted_once_it_stops_in_order() {
    let world = World::new();
    let mut run = world.start(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-int", "--yes"]);
    sleep(Duration::from_secs(5));
    sh(&format!("kill -INT {}", run.id()));
    assert_eq!(run.wait().unwrap().code(), Some(130));
    world.hearth(&["down", "--name", "e2e-int", "--yes"]).expect(0);
    world.nothing_is_left();
}

#[test]
fn two_runs_of_one_name_do_not_meet_and_two_names_do_not_mind() {
    let world = World::new();
    let mut first = world.start(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-a", "--yes"]);
    eventually("the first holds its lock", Duration::from_secs(10), || world.folder.path().join("hearth/e2e-a/lock").exists());
    sleep(Duration::from_millis(500));
    let second = world.hearth(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-a", "--yes"]).expect(20);
    assert!(second.err.contains(&first.id().to_string()), "names the first: {}", second.err);
    // what a waiting clean-up removes is what there is when its turn comes
    let mut waiting = world.start(&["down", "--name", "e2e-a", "--yes", "--wait", "120s"]);
    world.hearth(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-b", "--yes"]).expect(0);
    assert!(first.wait().unwrap().success());
    assert!(waiting.wait().unwrap().success());
    world.hearth(&["down", "--name", "e2e-b", "--yes"]).expect(0);
    world.nothing_is_left();
}
