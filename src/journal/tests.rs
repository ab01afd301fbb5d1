//! Journals on real files: torn, cut off by a full disk, grown large.

use std::process::Command;

use super::steps::{Phase, StepEntry, cut_off};
use super::*;

fn entry(run: &str, step: &str, phase: Phase) -> StepEntry {
    let sentence = format!("Do {step}");
    StepEntry { at: jiff::Timestamp::UNIX_EPOCH, run: run.into(), step: step.into(), sentence, phase }
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_a_broken_one_is_refused() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("journal");
    let (journal, _) = Journal::open(&path).expect("new");
    for step in ["a", "b", "c"] {
        journal.append(&entry("one", step, Phase::Applied)).await.expect("written");
    }
    let mut bytes = std::fs::read(&path).expect("written");
    bytes.truncate(bytes.len() - 20);
    std::fs::write(&path, &bytes).expect("writable");
    assert_eq!(Journal::<StepEntry>::read(&path).expect("a torn line is none").len(), 2);
    let (journal, entries) = Journal::<StepEntry>::open(&path).expect("tolerated");
    assert_eq!(entries.len(), 2);
    journal.append(&entries[0]).await.expect("appends");
    assert_eq!(Journal::<StepEntry>::read(&path).expect("whole again").len(), 3);
    let end = bytes.iter().position(|byte| *byte == b'\n').expect("lines");
    bytes[end - 1] = b'!';
    std::fs::write(&path, &bytes).expect("writable");
    let refused = Journal::<StepEntry>::open(&path).expect_err("a broken line in the middle is no torn end").to_string();
    assert!(refused.starts_with("line 1 of the journal"), "{refused}");
}

/// A full disk: the kernel takes part of the line and refuses the rest. It is simulated by a limit on the file size, in a
/// separate process, since the limit and its signal affect a whole process.
#[test]
fn a_short_write_harms_neither_what_stands_nor_what_follows() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("journal");
    let test = std::env::current_exe().expect("this test");
    // the unit of `ulimit -f` is 512 bytes in a POSIX shell
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 1; exec \"$0\" --exact journal::tests::on_a_full_disk --ignored --nocapture"])
        .arg(test)
        .env("HEARTH_TEST_JOURNAL", &path)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let steps: Vec<String> =
        Journal::<StepEntry>::read(&path).expect("every line is whole").into_iter().map(|entry| entry.step.to_string()).collect();
    assert_eq!(steps, ["before", "after"]);
}

#[tokio::test]
#[ignore = "the other half of the test above, which starts it"]
async fn on_a_full_disk() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let path = PathBuf::from(std::env::var_os("HEARTH_TEST_JOURNAL").expect("set by the test above"));
    let (journal, _) = Journal::open(&path).expect("new");
    journal.append(&entry("one", "before", Phase::Applied)).await.expect("there is room");
    let long = StepEntry { sentence: "x".repeat(4096), ..entry("one", "too-long", Phase::Applying) };
    journal.append(&long).await.expect_err("there is no room");
    let limit = Rlimit { current: None, ..getrlimit(Resource::Fsize) };
    setrlimit(Resource::Fsize, limit).expect("only the soft limit was lowered");
    journal.append(&entry("one", "after", Phase::Applied)).await.expect("there is room again");
}

#[tokio::test]
async fn a_large_journal_shrinks_to_what_stands() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("journal");
    let mut text = Vec::new();
    while text.len() as u64 <= LARGE {
        for (step, phase) in
            [("stays", Phase::Applying), ("stays", Phase::Applied), ("goes", Phase::Applied), ("goes", Phase::Undone)]
        {
            text.extend(line(&entry("one", step, phase)).expect("plain data"));
        }
    }
    std::fs::write(&path, &text).expect("writable");
    let (journal, entries) = Journal::open(&path).expect("readable");
    assert_eq!(entries, [entry("one", "stays", Phase::Applied)]);
    journal.append(&entry("two", "new", Phase::Applying)).await.expect("appends to the new file");
    assert_eq!(Journal::<StepEntry>::read(&path).expect("readable").len(), 2);
}

#[test]
fn only_the_last_run_can_have_been_cut_off() {
    let names = |entries: &[StepEntry]| cut_off(entries).iter().map(|entry| entry.step.to_string()).collect::<Vec<_>>();
    let mut entries = vec![entry("one", "a", Phase::Applying), entry("one", "b", Phase::Applying)];
    assert_eq!(names(&entries), ["a", "b"]);
    entries.push(entry("one", "a", Phase::Applied));
    assert_eq!(names(&entries), ["b"]);
    entries.extend([entry("two", "c", Phase::Undoing), entry("two", "c", Phase::Undone)]);
    assert_eq!(names(&entries), [""; 0], "what a later run did not trip over is no news");
}
