//! Runs that are killed, connections that break, hosts that die.

use std::cell::Cell;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::world::{APPLIED, UNDONE, eventually, sh};
use crate::{bare_hosts, containers, on, profile, stock, unchanged};

/// Killed as soon as a step is done, again and again, a bring-up still completes, and so does a clean-up. So does a clean-up
/// after a bring-up that was killed early, half way and late.
#[test]
fn killed_at_every_step_it_goes_on() {
    let (world, before) = bare_hosts();
    let plain = profile(&world, "plain", 3);
    let killed_after =
        |steps: usize, phase: &str, args: &[&str]| world.killed_after(("e2e-hosts/journal.jsonl", phase), steps, args);
    let up = ["up", "-f", &plain, "--yes"];
    let down = ["down", "-f", &plain, "--yes"];

    // a step that is done stays done: every run adds one step
    let arrived = (0..80).find_map(|kills| Some((kills, killed_after(1, APPLIED, &up)?)));
    eprintln!("  up: (kills, exit) {arrived:?}");
    assert!(arrived.is_some_and(|(kills, code)| kills > 10 && code == Some(0)), "{arrived:?}");
    world.hearth(&up).expect(0);
    world.hearth(&["status", "--name", "e2e-hosts"]).expect(0);
    // a clean-up starts over each time: allow one more step each time
    let arrived = (0..80).find_map(|kills| Some((kills, killed_after(kills + 1, UNDONE, &down)?)));
    eprintln!("  down: (kills, exit) {arrived:?}");
    assert!(arrived.is_some_and(|(kills, code)| kills > 1 && code == Some(0)), "{arrived:?}");
    unchanged(&stock(), &before);

    for steps in [1, 8, 20] {
        assert_eq!(killed_after(steps, APPLIED, &up), None);
        world.hearth(&down).expect(0);
        unchanged(&stock(), &before);
    }
    world.nothing_is_left();
}

/// A worker that is taken out of the profile is not forgotten before it is released, however the run ends; a dead one does not
/// block the run. A run stops if its hosts are taken over.
#[test]
#[ignore = "the long tail: make soak"]
fn a_worker_leaves_though_its_run_is_killed_and_though_it_is_dead() {
    let (world, before) = bare_hosts();
    let (all, two) = (profile(&world, "plain", 3), profile(&world, "plain", 2));
    let kubectl = |args: &str| on(1, &format!("KUBECONFIG=/etc/kubernetes/admin.conf /usr/local/bin/kubectl {args}"));

    // this machine sleeps until a lease is overdue, and another run takes a host in the meantime
    let run = world.command(&["up", "-f", &all, "--yes"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("copying has begun", Duration::from_secs(30), || on(2, "ls -A /usr/local/bin").contains("hearth-part"));
    sh(&format!("kill -STOP {}", run.id()));
    on(2, "echo \"$(($(date +%s) + 300)) ann@desk:/state process 7, cluster x\" >/run/hearth/lease");
    sleep(Duration::from_secs(31));
    sh(&format!("kill -CONT {}", run.id()));
    let ended = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(20), "{said}");
    assert!(said.contains("the lease of host n2 is lost: process 7, cluster x of ann@desk:/state has it now"), "{said}");
    assert!(on(2, "cat /run/hearth/lease").contains("ann@desk"), "it is theirs");
    on(2, "rm -r /run/hearth");
    world.hearth(&["up", "-f", &all, "--yes"]).expect(0);

    // killed during the drain
    let journal = world.folder.path().join("hearth/e2e-hosts/journal.jsonl");
    let mut run = world.start(&["up", "-f", &two, "--yes"]);
    eventually("n3 is about to leave", Duration::from_secs(60), || {
        std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("leave/n3"))
    });
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(on(3, "cat /var/lib/hearth/cluster"), "e2e-hosts", "it was not released yet");
    world.hearth(&["up", "-f", &two, "--yes"]).expect(0);
    assert!(kubectl("get node n3").contains("NotFound"), "{}", kubectl("get nodes"));
    unchanged(&stock()[2..], &before[2..]);

    // dead, and taken out of the profile
    world.hearth(&["up", "-f", &all, "--yes"]).expect(0);
    sh(&format!("docker stop -t 1 {}", containers()[2]));
    let left = world.hearth(&["up", "-f", &two, "--yes"]).expect(0);
    let by_hand = format!("ssh root@{} sh /var/lib/hearth/release", "172.30.0.13");
    assert!(left.err.contains("n3 does not answer and was left out") && left.err.contains(&by_hand), "{}", left.err);
    assert!(kubectl("get node n3").contains("NotFound"), "{}", kubectl("get nodes"));
    world.hearth(&["up", "-f", &two, "--yes", "--forget", "n2"]).expect(2);

    // the cluster is removed while it is away
    let refused = world.hearth(&["down", "-f", &two, "--yes"]).expect(50);
    assert!(refused.err.contains("n3") && refused.err.contains("hearth down --forget n3"), "{}", refused.err);
    world.hearth(&["down", "-f", &two, "--yes", "--forget", "n9"]).expect(2);
    let forgotten = world.hearth(&["down", "-f", &two, "--yes", "--forget", "n3"]).expect(90);
    assert!(forgotten.err.contains(&by_hand), "{}", forgotten.err);
    world.nothing_is_left();
    sh(&format!("docker start {}", containers()[2]));
    eventually("n3 is back", Duration::from_secs(60), || on(3, "systemctl is-active kubelet") == "active");
    on(3, "sh /var/lib/hearth/release");
    assert_eq!(without_mounts(&stock()), without_mounts(&before));
}

/// The volumes of a dead host keep it in the profile, until it is said to be gone for good: then they go too.
#[test]
#[ignore = "the long tail: make soak"]
fn a_host_that_is_gone_for_good_takes_its_volumes_with_it() {
    let (world, before) = bare_hosts();
    let (all, two) = (profile(&world, "plain", 3), profile(&world, "plain", 2));
    let kubectl = |args: &str| on(1, &format!("export KUBECONFIG=/etc/kubernetes/admin.conf; /usr/local/bin/kubectl {args}"));
    world.hearth(&["up", "-f", &all, "--yes"]).expect(0);
    kubectl(&format!("apply -f - <<'END'\n{VOLUME}\nEND"));
    sh(&format!("docker stop -t 1 {}", containers()[2]));
    let volume = "theirs on n3 (claim default/theirs)";
    let refused = world.hearth(&["up", "-f", &two, "--yes"]).expect(20);
    assert!(refused.err.contains(volume) && refused.err.contains("`hearth up --forget n3`"), "{}", refused.err);
    let plan = world.hearth(&["plan", "-f", &two, "--forget", "n3"]).expect(0);
    assert!(plan.out.contains(&format!("delete volume {volume}")), "{}", plan.out);
    world.hearth(&["up", "-f", &two, "--yes", "--forget", "n3"]).expect(0);
    let left = kubectl("get nodes,persistentvolumes,persistentvolumeclaims -o name");
    assert_eq!(left, "node/n1\nnode/n2");
    world.hearth(&["down", "-f", &two, "--yes"]).expect(0);
    world.nothing_is_left();

    sh(&format!("docker start {}", containers()[2]));
    eventually("n3 is back", Duration::from_secs(60), || on(3, "systemctl is-active kubelet") == "active");
    on(3, "sh /var/lib/hearth/release");
    assert_eq!(without_mounts(&stock()), without_mounts(&before));
}

/// A volume that is on the third host only, and its claim.
const VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: theirs}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  claimRef: {namespace: default, name: theirs}
  local: {path: /srv}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n3]}]}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: theirs, namespace: default}
spec: {storageClassName: '', volumeName: theirs, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}";

/// A host that was restarted has other mounts than before.
fn without_mounts(all: &[Vec<String>]) -> Vec<String> {
    all.iter().flatten().filter(|line| !line.starts_with("mount")).cloned().collect()
}

/// Failures on the way are reported with host and command, and the next run continues.
#[test]
fn connections_break_and_hosts_go_away() {
    let (world, before) = bare_hosts();
    let plain = profile(&world, "plain", 3);
    let log = |text: &str| {
        let runs = world.folder.path().join("hearth/e2e-hosts/runs");
        sh(&format!("cat {}/*/debug.log 2>/dev/null | grep -c '{text}'", runs.display())).parse::<u32>().unwrap_or(0) > 0
    };

    // every connection to n2 is cut while programs are copied: the step tries again on a new one
    let mut run = world.start(&["up", "-f", &plain, "--yes"]);
    eventually("copying has begun", Duration::from_secs(30), || on(2, "ls -A /usr/local/bin").contains("hearth-part"));
    on(2, "pkill -KILL -f 'sshd: root@'");
    // sshd restarts on n3; n2 is cut off once more while images stream into its runtime, and n1 while kubeadm is running, whichever
    // comes first
    on(3, "systemctl restart ssh");
    let cut = |host: usize, program: &str, done: &Cell<bool>| {
        if !done.get() && !on(host, &format!("pgrep -x {program}")).is_empty() {
            on(host, "pkill -KILL -f 'sshd: root@'");
            done.set(true);
        }
        done.get()
    };
    let (images, kubeadm) = (Cell::new(false), Cell::new(false));
    eventually("images are on their way, and kubeadm is at work", Duration::from_secs(60), || {
        cut(2, "ctr", &images) & cut(1, "kubeadm", &kubeadm)
    });
    let code = run.wait().unwrap().code();
    eprintln!("  cut four times: exit {code:?}");
    assert!(matches!(code, Some(0 | 50 | 60)), "{code:?}");
    world.hearth(&["up", "-f", &plain, "--yes"]).expect(0);
    world.hearth(&["down", "-f", &plain, "--yes"]).expect(0);

    // a host is powered off while programs are copied to it, and is back after a while
    let mut run = world.start(&["up", "-f", &plain, "--yes"]);
    eventually("copying has begun", Duration::from_secs(30), || on(2, "ls -A /usr/local/bin").contains("hearth-part"));
    sh(&format!("docker kill {}", containers()[1]));
    let started = Instant::now();
    sleep(Duration::from_secs(3));
    sh(&format!("docker start {}", containers()[1]));
    let code = run.wait().unwrap().code();
    eprintln!("  powered off for 3 s: exit {code:?} {:.1} s later", started.elapsed().as_secs_f64());
    assert!(matches!(code, Some(0 | 50 | 60)), "{code:?}");
    eventually("n2 is back", Duration::from_secs(120), || world.hearth(&["up", "-f", &plain, "--yes"]).code == Some(0));

    // a host is away: status names it, up names it and does not hang; once it is back, all is well
    sh(&format!("docker stop -t 1 {}", containers()[2]));
    let started = Instant::now();
    let status = world.hearth(&["status", "--name", "e2e-hosts"]).expect(70);
    assert!(status.out.contains("n3"), "{}", status.out);
    let refused = world.hearth(&["up", "-f", &plain, "--yes"]).expect(50).seen("hosts_50_unreachable");
    assert!(refused.err.contains("n3") && started.elapsed() < Duration::from_secs(60), "{}", refused.err);
    sh(&format!("docker start {}", containers()[2]));
    eventually("n3 is back", Duration::from_secs(120), || world.hearth(&["up", "-f", &plain, "--yes"]).code == Some(0));
    world.hearth(&["status", "--name", "e2e-hosts"]).expect(0);
    assert!(!log("panicked"));

    world.hearth(&["down", "--name", "e2e-hosts", "--yes"]).expect(0);
    unchanged(&stock(), &before);
    world.nothing_is_left();
}
