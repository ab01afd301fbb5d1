//! A person at a terminal.

use crate::*;

/// What the user does; run by the test below with a terminal and without.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_runs_a_command() {
    let server = Server::start();
    let node = server.node().await;
    let command = ["sh", "-c", "if [ -t 0 ]; then stty size; else cat; echo oops >&2; fi; exit 5"].map(str::to_owned).to_vec();
    assert_eq!(node.interactive(Some(command)).await.unwrap(), 5);
}

#[test]
fn a_terminal_here_is_a_terminal_there() {
    let own = std::env::current_exe().unwrap();
    let person = format!("{} --nocapture --exact terminal::a_person_runs_a_command", own.display());
    let piped = Process::new("sh").args(["-c", &format!("echo typed | {person}")]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(piped.status.success() && text(&piped.stdout).contains("typed\n"), "{piped:?}");
    assert!(text(&piped.stderr).contains("oops"), "{piped:?}");
    let script = format!("stty rows 33 cols 101; {person}; stty -a | grep -o -e '-icanon' -e ' icanon'");
    let terminal = Process::new("script").args(["-qec", &script, "/dev/null"]).output().unwrap();
    let seen = text(&terminal.stdout);
    assert!(seen.contains("33 101\r") && seen.contains("test result: ok"), "{seen}");
    assert!(seen.contains(" icanon") && !seen.contains("-icanon"), "the terminal is as before: {seen}");
}
