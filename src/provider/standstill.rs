//! Pausing nodes for a while: every process that makes it a node gets SIGSTOP. The kernel still accepts its packets, but nobody
//! answers them. A timer of the node's own systemd, started first, resumes the node when the time is over, whatever has
//! happened to the process that paused it. This is also done for containers, instead of using the engine's `pause`: that would
//! stop the timer too.

use std::time::Duration;

use super::{Command, Node, NodeError};

/// The timer and its script.
const UNIT: &str = "hearth-wake";

/// Only one at a time: a resume that comes while the node is still being paused waits for that, and finds the timer and its
/// script.
const ALONE: &str = "exec 9>/run/hearth-wake.lock\nflock -w 20 9 2>/dev/null || true\n";

/// Sends a signal to kubelet, container runtime and pods.
fn signal(name: &str) -> String {
    format!(
        "pids=$(grep -lE 'kubepods|kubelet\\.service|containerd\\.service' /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3)\n\
         [ -z \"$pids\" ] || kill -{name} $pids 2>/dev/null || true\n"
    )
}

/// Pauses the node. Signals are sent twice: what was started between the look and the first signal is stopped by the second.
/// Without a timer nothing is stopped; systemd's default accuracy could make the timer a minute late.
fn still_script(lease: Duration) -> String {
    let (wake, still, millis) = (wake_script(), signal("STOP"), lease.as_millis());
    format!(
        "{ALONE}systemctl stop {UNIT}.timer {UNIT}.service 2>/dev/null || true\n\
         cat > /run/{UNIT}.sh <<'WAKE'\n{wake}WAKE\n\
         systemd-run --quiet --collect --unit={UNIT} --on-active={millis}ms --timer-property=AccuracySec=100ms \
         /bin/sh /run/{UNIT}.sh\n\
         {still}{still}"
    )
}

/// Resumes the node, and removes the timer.
fn wake_script() -> String {
    format!("{ALONE}{}rm -f /run/{UNIT}.sh\nsystemctl stop {UNIT}.timer 2>/dev/null || true\n", signal("CONT"))
}

/// Pauses a node, for `lease` at most.
///
/// # Errors
/// The node runs no timers, so it was not paused; or it could not be asked.
pub async fn pause(node: &impl Node, lease: Duration) -> Result<(), NodeError> {
    node.run(Command::shell(still_script(lease))).await.map(drop)
}

/// Resumes a node; no error if it is not paused.
///
/// # Errors
/// The node could not be asked.
pub async fn resume(node: &impl Node) -> Result<(), NodeError> {
    node.run(Command::shell(wake_script())).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::{Here, InMemory};

    /// The letter of a process's state, proc(5).
    fn state(pid: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn what_makes_a_node_stops_and_goes_on() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("coreutils");
        // stands in for /proc: the script only looks at names and contents of files
        let scratch = tempfile::tempdir().expect("scratch");
        let folder = scratch.path().join(child.id().to_string());
        std::fs::create_dir(&folder).expect("scratch is writable");
        std::fs::write(folder.join("cgroup"), "0::/system.slice/kubelet.service\n").expect("scratch is writable");
        let depth = scratch.path().components().count() + 1;
        let run = |name: &str| {
            let script = signal(name).replace("/proc", &scratch.path().to_string_lossy());
            let script = script.replace("-f3", &format!("-f{depth}"));
            let status = std::process::Command::new("sh").args(["-ec", &script]).status().expect("a shell");
            assert!(status.success());
            // a signal arrives soon, not at once
            std::thread::sleep(Duration::from_millis(100));
            state(child.id())
        };
        assert_eq!(run("STOP"), Some('T'));
        assert_eq!(run("CONT"), Some('S'));
        child.kill().and_then(|()| child.wait()).expect("a child");
    }

    #[tokio::test]
    async fn nothing_stops_before_its_timer_runs_and_the_timer_does_what_resume_does() {
        let node = InMemory::new("w");
        pause(&node, Duration::from_millis(12_500)).await.expect("a node in memory");
        let script = node.asked.lock().expect("unpoisoned")[0].clone();
        let place = |text: &str| script.find(text).unwrap_or_else(|| panic!("no {text} in {script}"));
        assert!(place("--on-active=12500ms") < place("kill -STOP"), "{script}");
        assert!(place("AccuracySec=100ms") < place("kill -STOP"), "the lease ends when it says");
        assert!(place(&wake_script()) < place("systemd-run"), "what the timer runs is there before it");
        resume(&node).await.expect("a node in memory");
        assert!(node.asked.lock().expect("unpoisoned")[1].contains(&wake_script()));
    }

    #[tokio::test]
    async fn a_node_without_timers_does_not_stand_still() {
        let scratch = tempfile::tempdir().expect("scratch");
        let script = still_script(Duration::from_secs(9)).replace("/run/", &format!("{}/", scratch.path().display()));
        let script = script.replace("kill -STOP", "echo stopped").replace("systemd-run", "false");
        let ran = Here.exec(Command::shell(script)).await.expect("this machine");
        assert!(!ran.success() && ran.text().is_empty(), "{ran:?}");
    }
}
