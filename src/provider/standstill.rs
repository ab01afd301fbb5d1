//! Pausing nodes for a while: every process that makes it a node gets SIGSTOP. The kernel still accepts its packets, but nobody
//! answers them. A timer of the node's own systemd, started first, resumes the node when the time is over, whatever has
//! happened to the process that paused it. This is also done for containers, instead of using the engine's `pause`: that would
//! stop the timer too.

use std::time::Duration;

use super::{Command, Node, NodeError};

/// The script that pauses and resumes, which the timer runs too.
const SCRIPT: &str = include_str!("standstill.sh");

/// Pauses a node, for `lease` at most.
///
/// # Errors
/// The node runs no timers, so it was not paused; or it could not be asked.
pub async fn pause(node: &impl Node, lease: Duration) -> Result<(), NodeError> {
    let millis = lease.as_millis().to_string();
    // the timer runs it from a file, which it writes from its input
    node.run(Command::new(["sh", "-c", SCRIPT, "sh", "pause", &millis]).stdin(SCRIPT)).await.map(drop)
}

/// Resumes a node; no error if it is not paused.
///
/// # Errors
/// The node could not be asked.
pub async fn resume(node: &impl Node) -> Result<(), NodeError> {
    node.run(Command::new(["sh", "-c", SCRIPT, "sh", "resume"])).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::provider::Output;
    use crate::provider::fake::{Here, InMemory};

    /// The letter of a process's state, proc(5).
    fn state(pid: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Runs the script on a node in a folder of this machine, with another program for `systemd-run`.
    async fn run(root: &Path, timer: &str, arguments: &[&str]) -> Output {
        let (place, depth) = (root.display().to_string(), root.components().count() + 2);
        let text = SCRIPT.replace("/run/", &format!("{place}/run/")).replace("/proc/", &format!("{place}/proc/"));
        let text = text.replace("-f3", &format!("-f{depth}")).replace("systemctl ", "true ").replace("systemd-run ", timer);
        let argv = ["sh", "-c", &text, "sh"].iter().chain(arguments).copied().collect::<Vec<_>>();
        let command = Command::new(argv);
        let command = if arguments[0] == "pause" { command.stdin(text.as_str()) } else { command };
        Here.exec(command).await.expect("this machine")
    }

    /// A process that belongs to the kubelet of such a node.
    fn kubelet(root: &Path) -> std::process::Child {
        let child = std::process::Command::new("sleep").arg("60").spawn().expect("coreutils");
        let folder = root.join("proc").join(child.id().to_string());
        // the script only looks at names and contents of files
        std::fs::create_dir_all(&folder).expect("scratch is writable");
        std::fs::create_dir(root.join("run")).expect("scratch is writable");
        std::fs::write(folder.join("cgroup"), "0::/system.slice/kubelet.service\n").expect("scratch is writable");
        child
    }

    #[tokio::test]
    async fn what_makes_a_node_stops_and_goes_on() {
        let scratch = tempfile::tempdir().expect("scratch");
        let mut child = kubelet(scratch.path());
        for (arguments, expected, paused) in [(&["pause", "12500"][..], 'T', true), (&["resume"], 'S', false)] {
            let ran = run(scratch.path(), "echo ", arguments).await;
            let timer = ran.text().contains("--on-active=12500ms") && ran.text().contains("AccuracySec=100ms");
            assert!(ran.success() && timer == paused, "{ran:?}");
            assert_eq!(scratch.path().join("run/hearth-wake.sh").exists(), paused);
            // a signal arrives soon, not at once
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(state(child.id()), Some(expected));
        }
        child.kill().and_then(|()| child.wait()).expect("a child");
    }

    #[tokio::test]
    async fn the_timer_does_what_resume_does() {
        let scratch = tempfile::tempdir().expect("scratch");
        let mut child = kubelet(scratch.path());
        assert!(run(scratch.path(), "true ", &["pause", "9000"]).await.success());
        let wake = std::process::Command::new("sh").arg(scratch.path().join("run/hearth-wake.sh")).arg("resume").status();
        assert!(wake.expect("a shell").success());
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(state(child.id()), Some('S'));
        child.kill().and_then(|()| child.wait()).expect("a child");
    }

    #[tokio::test]
    async fn a_node_without_timers_does_not_stand_still() {
        let scratch = tempfile::tempdir().expect("scratch");
        let mut child = kubelet(scratch.path());
        let ran = run(scratch.path(), "false ", &["pause", "9000"]).await;
        std::thread::sleep(Duration::from_millis(100));
        assert!(!ran.success() && state(child.id()) == Some('S'), "{ran:?}");
        child.kill().and_then(|()| child.wait()).expect("a child");
    }

    #[tokio::test]
    async fn a_lease_is_passed_in_milliseconds() {
        let node = InMemory::new("w");
        pause(&node, Duration::from_millis(12_500)).await.expect("a node in memory");
        resume(&node).await.expect("a node in memory");
        let asked = node.asked.lock().expect("unpoisoned").clone();
        assert!(asked[0].contains("sh pause 12500 ") && asked[1].contains("sh resume "), "{asked:?}");
    }
}
