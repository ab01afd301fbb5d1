//! Signals before anything runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Place, Ran};

/// A run that waits for another run's lock holds nothing that a signal could leave behind: it ends at once, with the exit code
/// of an interruption.
#[test]
fn a_signal_while_waiting_for_the_lock_ends_the_run_in_order() {
    for signal in ["INT", "TERM", "HUP"] {
        let place = Place::with_empty_engine();
        place.keep("quick", "profiles/quick.yaml");
        let lock = place.path("hearth/quick/lock");
        let mut holder = Command::new("flock")
            .arg(&lock)
            .args(["sh", "-c", "echo held; read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let args = ["down", "--name", "quick", "--yes", "--wait", "60s"];
        let mut run = place.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(run.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("waiting for it") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "ended: {said}");
        }
        let signalled = Instant::now();
        Command::new("kill").args([&format!("-{signal}"), &run.id().to_string()]).status().unwrap();
        let status = run.wait().unwrap();
        assert_eq!(status.code(), Some(130), "SIG{signal}: {status}");
        assert!(signalled.elapsed() < Duration::from_secs(5));
        stderr.read_to_string(&mut said).unwrap();
        if signal == "INT" {
            place.compare("interrupted", Ran { args: args.join(" "), code: status.code(), out: String::new(), err: said });
        }
        drop(holder.stdin.take());
        holder.wait().unwrap();
    }
}
