//! State directories, run names and locks.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

#[test]
fn two_directories_are_two_desks_wherever_they_are() {
    let base = tempfile::tempdir().expect("a folder");
    let state = State::under(base.path(), "lab").expect("a name");
    fs::create_dir(state.root()).expect("made");
    let desk = state.desk();
    assert_eq!(state.desk(), desk, "it is kept");
    // the same path on another machine, or in another container
    fs::remove_dir_all(state.root()).expect("removed");
    fs::create_dir(state.root()).expect("made");
    assert_ne!(state.desk(), desk);
}

#[test]
fn run_ids_are_short_and_sort_by_time() {
    let (one, other) = (RunId::new(), RunId::new());
    assert_eq!(one.as_str().len(), "20261121-042115-k3f9".len());
    assert_ne!(one, other);
    assert!(one.as_str()[..15] <= other.as_str()[..15]);
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    for name in ["", "..", ".hidden", "a/b"] {
        assert!(matches!(State::under(Path::new("/tmp"), name), Err(StateError::Name { .. })), "{name:?}");
    }
}

#[tokio::test]
async fn directories_are_private_and_go_away_whole() {
    let base = tempfile::tempdir().expect("scratch");
    let state = State::under(base.path(), "demo").expect("valid name");
    assert!(!state.exists());
    let run = RunId::new();
    let lock = Lock::acquire(&state, &run, None).await.expect("free");
    let dir = state.run(&run).expect("created");
    for path in [state.root(), dir.path()] {
        assert_eq!(fs::metadata(path).expect("exists").permissions().mode() & 0o777, 0o700);
    }
    fs::write(dir.log(), "text").expect("writable");
    assert_eq!(state.runs().expect("readable"), [run]);
    state.remove(lock).expect("removed");
    assert!(!state.exists());
}

#[tokio::test]
async fn the_second_command_learns_who_was_first() {
    let base = tempfile::tempdir().expect("scratch");
    let state = State::under(base.path(), "demo").expect("valid name");
    let run = RunId::new();
    let first = Lock::acquire(&state, &run, None).await.expect("free");
    let refused = Lock::acquire(&state, &RunId::new(), Some(Duration::from_millis(100))).await.expect_err("held");
    let text = refused.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())) && text.contains(run.as_str()), "{text}");
    drop(first);
    Lock::acquire(&state, &RunId::new(), None).await.expect("free again");
}

#[tokio::test]
async fn a_waiting_command_takes_over_a_removed_state() {
    let base = tempfile::tempdir().expect("scratch");
    let state = State::under(base.path(), "demo").expect("valid name");
    let first = Lock::acquire(&state, &RunId::new(), None).await.expect("free");
    let waiting = tokio::spawn({
        let state = state.clone();
        async move { Lock::acquire(&state, &RunId::new(), Some(Duration::from_secs(10))).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    state.remove(first).expect("removed");
    let second = waiting.await.expect("no panic").expect("taken over");
    assert!(second.path().exists());
    let third = Lock::acquire(&state, &RunId::new(), None).await;
    assert!(matches!(third, Err(StateError::Held { .. })), "the new lock file is the one that counts");
}

#[tokio::test]
async fn a_killed_holder_leaves_no_lock() {
    let base = tempfile::tempdir().expect("scratch");
    let state = State::under(base.path(), "demo").expect("valid name");
    let path = Lock::acquire(&state, &RunId::new(), None).await.expect("free").path().to_owned();
    let mut holder = std::process::Command::new("flock").arg(&path).args(["sleep", "60"]).spawn().expect("util-linux");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(Lock::acquire(&state, &RunId::new(), None).await.is_err());
    // `flock` passes the descriptor to its child: both have to go.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", holder.id())).expect("running");
    for pid in children.split_whitespace() {
        let pid = rustix::process::Pid::from_raw(pid.parse().expect("a number")).expect("not zero");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours");
    }
    let _ = holder.kill();
    holder.wait().expect("ended");
    Lock::acquire(&state, &RunId::new(), Some(Duration::from_secs(2))).await.expect("free again");
}
