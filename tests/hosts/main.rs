//! The real binary on real machines with sshd: bare hosts become a cluster, break, are repaired, and are bare hosts again. Run
//! by `make test-hosts`, one test at a time. `scripts/lab hosts up` has started the hosts; or HEARTH_HOSTS names containers of
//! the local engine to use as hosts, and HEARTH_HOSTS_KEY is root's private key.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod breaks;
mod lives;
mod others;
mod programs;
mod unfit;
#[path = "../world/mod.rs"]
mod world;

use std::path::PathBuf;
use std::process::Command;

use world::{World, sh};

/// The machines' containers, n1 first. The tests use the fact that they are containers only to break them.
fn containers() -> Vec<String> {
    let named = std::env::var("HEARTH_HOSTS").unwrap_or_else(|_| "lab-host-1 lab-host-2 lab-host-3".into());
    named.split_whitespace().map(str::to_owned).collect()
}

fn key() -> String {
    std::env::var("HEARTH_HOSTS_KEY").expect("HEARTH_HOSTS_KEY is root's private key on the hosts")
}

/// Runs a shell script on a host, bypassing Hearth.
fn on(host: usize, script: &str) -> String {
    let output = Command::new("docker").args(["exec", &containers()[host - 1], "sh", "-c", script]).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim().to_owned()
}

fn address(host: usize) -> String {
    sh(&format!(
        "docker inspect -f '{{{{range .NetworkSettings.Networks}}}}{{{{.IPAddress}}}}{{{{end}}}}' {}",
        containers()[host - 1]
    ))
}

/// A profile with the first `count` hosts, n1 being the control plane, and the components of `like`.
fn profile(world: &World, like: &str, count: usize) -> String {
    let hosts: Vec<String> = (1..=count)
        .map(|n| format!("{{name: n{n}, address: {}, role: {}}}", address(n), if n == 1 { "control-plane" } else { "worker" }))
        .collect();
    let whole = std::fs::read_to_string("profiles/homelab.yaml").unwrap();
    let components = match like {
        "homelab" => whole.split_once("  components:").unwrap().1,
        _ => " {}",
    };
    let text = format!(
        "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {{name: e2e-hosts}}\nspec:\n  provider:\n    ssh:\n      user: root\n      \
         identityFile: {}\n      hostKeys: tofu\n      hosts: [{}]\n  components:{components}\n",
        key(),
        hosts.join(", ")
    );
    let path = world.folder.path().join(format!("{like}-{count}.yaml"));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Everything on the hosts in which anything could leave traces, collected by a script of the tests: Hearth's only covers its
/// own places.
fn stock() -> Vec<Vec<String>> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/world/stock.sh");
    let take = |host: &String| {
        let text = sh(&format!("docker exec -i {host} sh -s < {}", script.display()));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    containers().iter().map(take).collect()
}

/// Fails if anything was added to a stock or removed from it.
#[track_caller]
fn unchanged(after: &[Vec<String>], before: &[Vec<String>]) {
    for (host, (after, before)) in containers().iter().zip(after.iter().zip(before)) {
        let only =
            |one: &[String], other: &[String]| one.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>();
        let (left, gone) = (only(after, before), only(before, after));
        assert!(left.is_empty() && gone.is_empty(), "{host}: left {left:#?}, gone {gone:#?}");
    }
}

/// A test's own place, and hosts that are bare even if an earlier test was cut off.
fn bare_hosts() -> (World, Vec<Vec<String>>) {
    let world = World::new();
    let plain = profile(&world, "plain", 3);
    world.hearth(&["down", "-f", &plain, "--yes"]).expect(0);
    for host in 1..=3 {
        on(
            host,
            "systemctl stop squatter; systemctl reset-failed; umount /usr/local/bin; rm -rf /usr/local/bin/date /etc/kubernetes; userdel -r plain; userdel -r ops",
        );
    }
    (world, stock())
}

/// Removes a user; except for the account files, hosts are then as before.
fn forget_users(name: &str, before: &[Vec<String>]) {
    for host in 1..=3 {
        on(
            host,
            &format!(
                "userdel -r {name} 2>/dev/null; rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-"
            ),
        );
    }
    // traces of removed users in the account files do not matter here
    let account = |line: &&String| !["passwd", "shadow", "group", "subuid", "subgid"].iter().any(|name| line.contains(name));
    let others = |all: &[Vec<String>]| -> Vec<Vec<String>> {
        all.iter().map(|lines| lines.iter().filter(account).cloned().collect()).collect()
    };
    unchanged(&others(&stock()), &others(before));
}
