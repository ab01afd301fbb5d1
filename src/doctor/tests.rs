//! How each problem is shown to the user, from made-up facts; and a look at the real machine.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use insta::assert_snapshot;

use super::facts::{Engine, Facts, Host, Route, Unwritable, refusal, routes};
use super::*;
use crate::error::{BoxError, Explain, Family};
use crate::profile::{Role, Source, load};
use crate::provider::Network;
use crate::provider::docker::{Container, DockerError, EngineInfo, NodeNetwork, Owned, Unreachable};

const GIB: u64 = 1 << 30;

fn quick(overrides: &[&str]) -> Profile {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    load(&[Source::Stdin(include_str!("../../profiles/quick.yaml").to_owned())], &overrides).expect("valid")
}

/// A machine without trouble: a local engine, no cluster.
fn facts() -> Facts {
    let info = EngineInfo {
        version: "28.2.2".into(),
        cgroup_v1: false,
        memory: 16 * GIB,
        cpus: 4,
        root: "/var/lib/docker".into(),
        host: "home".into(),
        kernel: "6.12.0".into(),
        rootless: false,
        remapped: false,
        mirrored: false,
        proxied: false,
    };
    let engine =
        Engine { info, containers: vec![], network: None, network_unused: false, owned: vec![], disk_free: Some(100 * GIB) };
    let host = Host {
        name: "home".into(),
        kernel: "6.12.0".into(),
        memory_available: 8 * GIB,
        inotify_instances: 512,
        inotify_watches: 524_288,
        capabilities: 0x1ff_ffff_ffff,
        overlay: true,
        now: 1_000_000,
        ..Host::default()
    };
    Facts { address: "unix:///var/run/docker.sock".into(), engine: Ok(engine), host }
}

/// The facts with a change to the engine.
fn with_engine(change: impl FnOnce(&mut Engine)) -> Facts {
    let mut facts = facts();
    change(facts.engine.as_mut().expect("made up"));
    facts
}

/// The facts with a change to the machine.
fn with_host(change: impl FnOnce(&mut Host)) -> Facts {
    let mut facts = facts();
    change(&mut facts.host);
    facts
}

/// The findings as text, with the exit code that `up` would return.
fn told(facts: &Facts, profile: &Profile) -> String {
    let findings = Findings::new(found(facts, on(profile), &[]));
    let code = findings.family().map_or(0, Family::code);
    format!("{findings}\nexit {code}")
}

fn nodes(cluster: &str, ours: bool, running: bool) -> Vec<Container> {
    let node = |(name, role): (String, Role)| {
        let api_port = (running && role == Role::ControlPlane).then_some(6443);
        Container { name, role, running, status: String::new(), ours, address: None, api_port }
    };
    crate::profile::Nodes::of_kind(cluster, 2).iter().map(|spec| node((spec.name.clone(), spec.role))).collect()
}

fn network(taken: &[&str]) -> NodeNetwork {
    let view = Network {
        subnet: "172.18.0.0/16".parse().expect("a subnet"),
        used: vec!["172.18.0.1".parse().expect("an address")],
        taken: taken.iter().map(|text| text.parse().expect("a range")).collect(),
        own: None,
    };
    NodeNetwork { bridge: "br-0123456789ab".into(), view }
}

/// A profile in the form that checks of engines take.
fn on(profile: &Profile) -> OnEngine<'_> {
    match &profile.provider {
        Provider::Docker(nodes) => Some((profile, nodes)),
        Provider::Ssh(_) => None,
    }
}

#[test]
fn a_machine_without_trouble_is_told_so() {
    assert_snapshot!(told(&facts(), &quick(&[])), @r"
    ✓ nothing stands in the way
    exit 0
    ");
}

#[test]
fn engines_that_cannot_be_asked() {
    let absent = |source| Facts { engine: Err(DockerError::Absent { address: facts().address, source }), ..facts() };
    let missing = absent(Unreachable::Other("Socket not found: /var/run/docker.sock".into()));
    assert_snapshot!(told(&missing, &quick(&[])), @r"
    ✗ engine-absent  No Docker engine answers
        seen: no Docker engine answers at unix:///var/run/docker.sock
              caused by: Socket not found: /var/run/docker.sock
        fix:  install Docker, start it (sudo systemctl start docker), or point DOCKER_HOST at an engine
    exit 30
    ");
    let forbidden = absent(Unreachable::Forbidden(io::Error::from(io::ErrorKind::PermissionDenied).into()));
    assert_snapshot!(told(&forbidden, &quick(&[])), @r"
    ✗ engine-not-permitted  You may not use the Docker engine
        seen: no Docker engine answers at unix:///var/run/docker.sock
              caused by: permission denied
        fix:  run `sudo usermod -aG docker $USER`, then log out and in again
    exit 30
    ");
    let strange = absent(Unreachable::Address("URI scheme is not supported: ssh://home".into()));
    assert_snapshot!(told(&strange, &quick(&[])), @r"
    ✗ engine-address  DOCKER_HOST names a kind of connection that Hearth does not support
        seen: no Docker engine answers at unix:///var/run/docker.sock
              caused by: URI scheme is not supported: ssh://home
        fix:  set DOCKER_HOST to a unix:// or tcp:// address
    exit 30
    ");
    let old = DockerError::TooOld { version: "19.03.15".into(), api: "1.40".into() };
    assert_snapshot!(told(&Facts { engine: Err(old), ..facts() }, &quick(&[])), @r"
    ✗ engine-too-old  The Docker engine is too old
        seen: Docker engine 19.03.15 (API 1.40) is too old: API 1.41 (Docker 20.10) or later is needed
        fix:  upgrade Docker
    exit 30
    ");
    assert_snapshot!(told(&Facts { engine: Err(DockerError::NoSubnet), ..facts() }, &quick(&[])), @r"
    ✗ network-without-ipv4  Docker network `kind` has no IPv4 addresses
        seen: Docker network `kind` has no IPv4 subnet
        fix:  `docker network rm kind` once nothing uses it: Hearth makes it anew
    exit 30
    ");
}

#[test]
fn engines_that_cannot_hold_nodes() {
    assert_snapshot!(told(&with_engine(|engine| engine.info.rootless = true), &quick(&[])), @r"
    ✗ engine-rootless  A rootless Docker engine is not supported yet
        seen: its security options have name=rootless
        fix:  point DOCKER_HOST at the system's engine: unix:///var/run/docker.sock
    exit 30
    ");
    assert_snapshot!(told(&with_engine(|engine| engine.info.remapped = true), &quick(&[])), @r"
    ✗ engine-userns  The engine maps containers' users to others
        seen: its security options have name=userns: it refuses the privileged containers that nodes are
        fix:  remove userns-remap from /etc/docker/daemon.json and restart Docker
    exit 30
    ");
}

/// Only with an API port set in the profile can there be a tunnel to another machine's loopback.
#[test]
fn engines_elsewhere() {
    let far = |address: &str| {
        let mut facts = with_engine(|engine| engine.info.host = "rack".into());
        facts.address = address.into();
        // this machine's limits are not the engine's
        facts.host.inotify_instances = 8;
        facts.host.memory_available = 0;
        facts
    };
    assert_snapshot!(told(&far("tcp://192.168.1.5:2375"), &quick(&[])), @r"
    ✗ engine-elsewhere  The engine is on another machine: its API server and gateway address are not reachable from here
        seen: engine at tcp://192.168.1.5:2375 on `rack`, this is `home`
        fix:  run hearth on the engine's machine
    exit 20
    ");
    // `up` would wait for the application's answer in vain
    assert!(told(&far("tcp://192.168.1.5:2375"), &quick(&["spec.provider.docker.apiPort=6443"])).ends_with("exit 20"));
    assert!(told(&far("unix:///home/me/.docker/desktop/docker.sock"), &quick(&[])).ends_with("exit 20"));
    let bare = |more: &[&str]| quick(&[&["spec.components.workloads=null"][..], more].concat());
    assert_snapshot!(told(&far("tcp://192.168.1.5:2375"), &bare(&["spec.provider.docker.apiPort=6443"])), @r"
    ! engine-elsewhere  The engine is on another machine: its API server and gateway address are not reachable from here
        seen: engine at tcp://192.168.1.5:2375 on `rack`, this is `home`
        fix:  run hearth on the engine's machine
    exit 0
    ");
    assert_snapshot!(told(&far("unix:///home/me/.docker/desktop/docker.sock"), &bare(&[])), @r"
    ! engine-elsewhere  The engine is in a virtual machine or on another host: the gateway's address is not reachable from here
        seen: engine at unix:///home/me/.docker/desktop/docker.sock on `rack`, this is `home`
        fix:  run hearth on the engine's machine
    exit 0
    ");
}

#[test]
fn a_cluster_that_is_not_ours_has_the_name() {
    assert_snapshot!(told(&with_engine(|engine| engine.containers = nodes("quick", false, true)), &quick(&[])), @r"
    ✗ name-taken  The cluster's name is taken
        seen: a cluster named `quick` exists and was not made by Hearth (containers quick-control-plane, quick-worker, quick-worker2)
        fix:  choose another name with --name, or remove it with `kind delete cluster --name quick`
    exit 20
    ");
}

#[test]
fn the_api_port_may_be_held_by_our_own_control_plane_only() {
    let profile = quick(&["spec.provider.docker.apiPort=6443"]);
    let mut facts = with_host(|host| host.api_port_taken = true);
    assert_snapshot!(told(&facts, &profile), @r"
    ✗ api-port-taken  The API server's port is in use
        seen: something listens on 127.0.0.1:6443
        fix:  set spec.provider.docker.apiPort to a free port, or leave it out; `ss -ltnp 'sport = :6443'` shows what uses it
    exit 20
    ");
    facts.engine.as_mut().expect("made up").containers = nodes("quick", true, true);
    assert!(found(&facts, on(&profile), &[]).is_empty());
}

#[test]
fn pools_are_held_against_the_network_as_it_is() {
    let fixed = quick(&["spec.components.metallb.pool=172.18.255.200-172.18.255.220"]);
    let facts = with_engine(|engine| engine.network = Some(network(&["172.18.255.210-172.18.255.250"])));
    assert_snapshot!(told(&facts, &fixed), @r"
    ✗ address-pool  The load balancer's addresses do not fit the network
        seen: pool 172.18.255.200-172.18.255.220 overlaps 172.18.255.210-172.18.255.250, the pool of another cluster
        fix:  write `pool: auto` to have a free range chosen
    exit 10
    ");
    let full = with_engine(|engine| engine.network = Some(network(&["172.18.0.0-172.18.255.255"])));
    assert_snapshot!(told(&full, &quick(&[])), @r"
    ✗ address-pool  The load balancer's addresses do not fit the network
        seen: 172.18.0.0/16 has no 50 free addresses in a row, the longest free range has 0
        fix:  take down a cluster on this network, or set spec.components.metallb.pool to a smaller range
    exit 20
    ");
}

#[test]
fn memory_and_disk_are_warned_of_below_the_estimate_and_refused_below_half() {
    let short = |memory: u64, disk: u64| {
        let mut facts = with_engine(|engine| engine.disk_free = Some(disk));
        facts.host.memory_available = memory;
        facts
    };
    assert_snapshot!(told(&short(3 * GIB, 4 * GIB), &quick(&[])), @r"
    ! memory-short  There is little memory for this profile
        seen: about 3.5 GiB are needed, 3.0 GiB are available
        fix:  end other programs and clusters, or ask for fewer nodes, replicas or components
    ! disk-short  There is little disk space for images and nodes
        seen: about 7.0 GiB are needed, 4.0 GiB are free in /var/lib/docker
        fix:  `docker system df -v` shows what takes it: remove images and volumes that nothing needs
    exit 0
    ");
    assert_snapshot!(told(&short(GIB, GIB), &quick(&[])), @r"
    ✗ memory-short  There is little memory for this profile
        seen: about 3.5 GiB are needed, 1.0 GiB are available
        fix:  end other programs and clusters, or ask for fewer nodes, replicas or components
    ✗ disk-short  There is little disk space for images and nodes
        seen: about 7.0 GiB are needed, 1.0 GiB are free in /var/lib/docker
        fix:  `docker system df -v` shows what takes it: remove images and volumes that nothing needs
    exit 20
    ");
    let bare = quick(&["spec.components=null"]);
    assert!(found(&short(5 * GIB / 2, 7 * GIB), on(&bare), &[]).is_empty());
    // existing nodes have their disk space, running nodes their memory
    let mut running = short(0, GIB);
    running.engine.as_mut().expect("made up").containers = nodes("quick", true, true);
    assert!(found(&running, on(&quick(&[])), &[]).is_empty());
    running.engine.as_mut().expect("made up").containers = nodes("quick", true, false);
    assert_eq!(found(&running, on(&quick(&[])), &[]).iter().map(|f| f.id).collect::<Vec<_>>(), ["memory-short"]);
}

#[test]
fn limits_and_features_of_the_kernel() {
    let low = with_host(|host| (host.inotify_instances, host.inotify_watches) = (128, 8192));
    assert_snapshot!(told(&low, &quick(&[])), @r"
    ! inotify-low  Programs on the nodes may run out of file watches
        seen: fs.inotify.max_user_instances = 128, the nodes alone need 55
              fs.inotify.max_user_watches = 8192
        fix:  run `sudo sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288`, and put it into /etc/sysctl.d/ to keep it
    exit 0
    ");
    let lower = with_host(|host| host.inotify_instances = 50);
    assert_snapshot!(told(&lower, &quick(&[])), @r"
    ✗ inotify-low  Programs on the nodes may run out of file watches
        seen: fs.inotify.max_user_instances = 50, the nodes alone need 55
        fix:  run `sudo sysctl -w fs.inotify.max_user_instances=512`, and put it into /etc/sysctl.d/ to keep it
    exit 20
    ");
    assert_snapshot!(told(&with_host(|host| host.overlay = false), &quick(&[])), @r"
    ✗ no-overlay  The kernel has no overlay file system
        seen: neither /proc/filesystems nor the modules of 6.12.0 have it
        fix:  run `sudo modprobe overlay`, or boot a kernel that has it
    exit 20
    ");
}

#[test]
fn what_hearth_copes_with_is_mentioned() {
    let mut facts = with_engine(|engine| engine.info.cgroup_v1 = true);
    facts.host.capabilities = 0x1ff_feff_ffff;
    facts.host.swap = true;
    assert_snapshot!(told(&facts, &quick(&[])), @r"
    · cgroup-v1  The engine's machine has cgroup v1
        seen: the engine reports cgroup version 1, which kubelets refuse from 1.35 on unless told otherwise
        fix:  nothing to do: kubelets get failCgroupV1: false; boot with cgroup v2 before Kubernetes drops v1
    · no-sys-resource  This machine withholds CAP_SYS_RESOURCE
        seen: capability bounding set 000001fffeffffff
        fix:  nothing to do: the nodes' containerd gets restrict_oom_score_adj = true
    · swap-on  This machine swaps
        seen: /proc/swaps is not empty
        fix:  nothing to do: kubelets get failSwapOn: false; measure with swap off (sudo swapoff -a)
    exit 0
    ");
}

#[test]
fn the_kernel_uses_the_first_of_two_routes_to_the_nodes() {
    let route = |interface: &str| Route { interface: interface.into(), network: network(&[]).view.subnet };
    let routed = |interfaces: &[&str]| {
        let mut facts = with_engine(|engine| engine.network = Some(network(&[])));
        facts.host.routes = interfaces.iter().map(|interface| route(interface)).collect();
        facts
    };
    assert_snapshot!(told(&routed(&["br-aaaaaaaaaaaa", "br-0123456789ab"]), &quick(&[])), @r"
    ✗ route-taken  The nodes' network is hidden by another interface
        seen: 172.18.0.0/16 leads to br-aaaaaaaaaaaa, network `kind` is on br-0123456789ab
        fix:  sudo ip link delete br-aaaaaaaaaaaa
    exit 20
    ");
    assert!(found(&routed(&["br-0123456789ab", "br-aaaaaaaaaaaa"]), None, &[]).is_empty());
    assert!(found(&routed(&["vpn0"]), None, &[])[0].fix.contains("default-address-pools"));
}

#[test]
fn the_kernels_route_table_is_read() {
    let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        br-e6e39286d696\t00001FAC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
    let read: Vec<String> = routes(table).iter().map(|route| format!("{} {}", route.interface, route.network)).collect();
    assert_eq!(read, ["br-e6e39286d696 172.31.0.0/16"]);
}

#[test]
fn places_that_cannot_be_written_to() {
    let place = |path: &str, why: &str, instead| Unwritable { path: PathBuf::from(path), why: why.into(), instead };
    let facts = with_host(|host| {
        host.unwritable = vec![
            place("/home/me/.local/state/hearth/quick", "Permission denied (os error 13)", "set XDG_STATE_HOME to a directory"),
            place("/etc/kubeconfig", "Read-only file system (os error 30)", "pass another file to --kubeconfig"),
        ];
    });
    assert_snapshot!(told(&facts, &quick(&[])), @r"
    ✗ not-writable  A place that Hearth writes to cannot be written
        seen: /home/me/.local/state/hearth/quick: Permission denied (os error 13)
        fix:  set XDG_STATE_HOME to a directory
    ✗ not-writable  A place that Hearth writes to cannot be written
        seen: /etc/kubeconfig: Read-only file system (os error 30)
        fix:  pass another file to --kubeconfig
    exit 20
    ");
    let scratch = tempfile::tempdir().expect("scratch");
    fs::write(scratch.path().join("file"), "").expect("writable");
    assert!(refusal(&scratch.path().join("not/yet/there")).is_none());
    let refused = refusal(&scratch.path().join("file/below")).expect("a file is no directory");
    assert_eq!(refused.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn leftovers_of_other_clusters() {
    let owned = |name: &str, profile: &str, node, created| Owned { name: name.into(), profile: profile.into(), node, created };
    let facts = {
        let mut facts = with_engine(|engine| {
            engine.network_unused = true;
            engine.owned = vec![
                owned("hearth-build-0011", "quick", false, 1_000_000 - 3600),
                owned("hearth-build-2233", "quick", false, 1_000_000 - 60),
                owned("mine-control-plane", "mine", true, 0),
                owned("old-control-plane", "old", true, 0),
                owned("old-worker", "old", true, 0),
            ];
        });
        facts.host.states = vec!["gone".into(), "homelab".into(), "mine".into(), "quick".into()];
        // machines run it, or may: the absence of containers proves nothing
        facts.host.elsewhere = vec!["homelab".into()];
        facts
    };
    let found = leftover::all(&facts.host, facts.engine.as_ref().expect("made up"), Some("quick"));
    assert_snapshot!(Findings::new(found), @r"
    ! cluster-abandoned  Cluster `old` has nodes, but this user keeps nothing about it
        seen: containers old-control-plane, old-worker
        fix:  `hearth down --name old`, unless somebody else uses it
    ! builder-left  A build of a node image was cut off
        seen: containers hearth-build-0011
        fix:  docker rm -fv hearth-build-0011
    · network-unused  Docker network `kind` was made by Hearth, and nothing is on it
        seen: no container uses it
        fix:  `docker network rm kind`, or leave it to the next cluster
    · state-left  Files are kept about cluster `gone`, which has no nodes on this engine
        seen: no container carries its name
        fix:  hearth down --name gone
    ");
}

/// All errors at once, and first; the exit code is the first error's, with the engine before the machine before the images.
#[test]
fn errors_come_together_and_first() {
    let missing = ["docker.io/library/mysql:9.7".to_owned(), "quay.io/metallb/controller:v0.16.1".to_owned()];
    let mut facts = with_engine(|engine| engine.info.cgroup_v1 = true);
    facts.host.inotify_instances = 128;
    let images = Findings::new(found(&facts, on(&quick(&[])), &missing)).into_result().expect_err("refused");
    let images: BoxError = images.into();
    assert_eq!(images.family(), Family::Artifact);
    assert_snapshot!(images, @r"
    nothing was changed: the profile cannot be brought up here
    ✗ artifacts-missing  2 images or files are not available
        seen: docker.io/library/mysql:9.7
              quay.io/metallb/controller:v0.16.1
        fix:  name a directory that has them by --bundle DIR or HEARTH_BUNDLE, or let this machine reach where they come from
    ! inotify-low  Programs on the nodes may run out of file watches
        seen: fs.inotify.max_user_instances = 128, the nodes alone need 55
        fix:  run `sudo sysctl -w fs.inotify.max_user_instances=512`, and put it into /etc/sysctl.d/ to keep it
    · cgroup-v1  The engine's machine has cgroup v1
        seen: the engine reports cgroup version 1, which kubelets refuse from 1.35 on unless told otherwise
        fix:  nothing to do: kubelets get failCgroupV1: false; boot with cgroup v2 before Kubernetes drops v1
    ");
    facts.host.overlay = false;
    let both = Findings::new(found(&facts, on(&quick(&[])), &missing)).into_result().expect_err("refused");
    assert_eq!(both.family(), Family::Preflight);
    let json = serde_json::to_value(&both.0).expect("serialisable");
    let head = &json[0];
    assert_eq!(
        (head["id"].as_str(), head["severity"].as_str(), head["family"].as_str()),
        (Some("no-overlay"), Some("error"), Some("preflight"))
    );
}

#[tokio::test]
#[ignore = "needs a Docker engine; run with --ignored"]
async fn the_real_machine_has_no_error() {
    let scratch = tempfile::tempdir().expect("scratch");
    let kubeconfig = scratch.path().join("config");
    let profile = quick(&["metadata.name=doctor-looks"]);
    let provider = AnyProvider::of(&profile, &[], scratch.path().join("known_hosts")).expect("an address");
    preflight(&profile, &provider, &[], Some(&kubeconfig)).await.expect("no error");
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let findings = examine(Some((&profile, &provider))).await;
        shortest = shortest.min(started.elapsed());
        assert_eq!(findings.family(), None, "{findings}");
    }
    assert!(shortest < Duration::from_millis(200), "nobody waits for a look: {shortest:?}");
    let refused = preflight(&profile, &provider, &[], Some(Path::new("/dev/null/config"))).await.expect_err("no directory");
    assert!(refused.to_string().contains("/dev/null/config: not a directory"), "{refused}");
    assert!(!kubeconfig.exists(), "nothing was made");
}
