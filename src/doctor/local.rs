//! The machine: memory, disk, kernel limits and features, routes, places to write to.

use super::facts::{Engine, Facts, Host};
use super::finding::Finding;
use super::needs::Needs;

/// What kind recommends (its "known issues: too many open files").
const INSTANCES: u64 = 512;
/// Likewise; kernels since 5.11 derive the limit from memory, and far less is enough for three nodes.
const WATCHES: u64 = 524_288;
/// Below this, watches run out in practice: the kernels' former default was 8192.
const FEW_WATCHES: u64 = 65_536;
/// inotify instances used by a control plane, as measured without the user's pods.
const CONTROL_PLANE_INSTANCES: u64 = 27;
/// The same for a worker.
const WORKER_INSTANCES: u64 = 14;
/// CAP_SYS_RESOURCE in a capability set.
const SYS_RESOURCE: u64 = 1 << 24;

/// Less memory than the profile needs; hopeless below half of it. For an engine elsewhere only the total is known.
pub(super) fn memory(facts: &Facts, engine: &Engine, needs: Needs) -> Option<Finding> {
    let (free, kind) = match facts.engine_is_here() {
        true => (facts.host.memory_available, "available"),
        false => (engine.info.memory, "all that the engine's machine has"),
    };
    let short = free < needs.memory;
    short.then(|| {
        Finding::graded(free < needs.memory / 2, "memory-short", "There is little memory for this profile")
            .evidence(format!("about {} are needed, {} are {kind}", gib(needs.memory), gib(free)))
            .fix("end other programs and clusters, or ask for fewer nodes, replicas or components")
    })
}

/// Less disk than the profile needs; hopeless below half of it.
pub(super) fn disk(engine: &Engine, needs: Needs) -> Option<Finding> {
    let free = engine.disk_free.filter(|free| *free < needs.disk)?;
    let root = &engine.info.root;
    Some(
        Finding::graded(free < needs.disk / 2, "disk-short", "There is little disk space for images and nodes")
            .evidence(format!("about {} are needed, {} are free in {root}", gib(needs.disk), gib(free)))
            .fix("`docker system df -v` shows what takes it: remove images and volumes that nothing needs"),
    )
}

/// inotify limits, which all nodes share since all their processes belong to root.
pub(super) fn inotify(host: &Host, workers: u32) -> Option<Finding> {
    let needed = CONTROL_PLANE_INSTANCES + WORKER_INSTANCES * u64::from(workers);
    let (instances, watches) = (host.inotify_instances, host.inotify_watches);
    if instances >= INSTANCES && watches >= FEW_WATCHES {
        return None;
    }
    let mut fix = "run `sudo sysctl -w".to_owned();
    let mut seen = Vec::new();
    if instances < INSTANCES {
        seen.push(format!("fs.inotify.max_user_instances = {instances}, the nodes alone need {needed}"));
        fix.push_str(&format!(" fs.inotify.max_user_instances={INSTANCES}"));
    }
    if watches < FEW_WATCHES {
        seen.push(format!("fs.inotify.max_user_watches = {watches}"));
        fix.push_str(&format!(" fs.inotify.max_user_watches={WATCHES}"));
    }
    let finding = Finding::graded(instances < needed, "inotify-low", "Programs on the nodes may run out of file watches");
    Some(finding.evidence(seen.join("\n")).fix(format!("{fix}`, and put it into /etc/sysctl.d/ to keep it")))
}

/// Conditions that Hearth adapts to by itself.
pub(super) fn adapted(facts: &Facts, engine: Option<&Engine>) -> Vec<Finding> {
    let cgroup = engine.is_some_and(|engine| engine.info.cgroup_v1).then(|| {
        Finding::info("cgroup-v1", "The engine's machine has cgroup v1")
            .evidence("the engine reports cgroup version 1, which kubelets refuse from 1.35 on unless told otherwise")
            .fix("nothing to do: kubelets get failCgroupV1: false; boot with cgroup v2 before Kubernetes drops v1")
    });
    let here = facts.engine_is_here();
    let capability = (here && facts.host.capabilities & SYS_RESOURCE == 0).then(|| {
        Finding::info("no-sys-resource", "This machine withholds CAP_SYS_RESOURCE")
            .evidence(format!("capability bounding set {:016x}", facts.host.capabilities))
            .fix("nothing to do: the nodes' containerd gets restrict_oom_score_adj = true")
    });
    let swap = (here && facts.host.swap).then(|| {
        Finding::info("swap-on", "This machine swaps")
            .evidence("/proc/swaps is not empty")
            .fix("nothing to do: kubelets get failSwapOn: false; measure with swap off (sudo swapoff -a)")
    });
    [cgroup, capability, swap].into_iter().flatten().collect()
}

/// containerd on nodes needs overlayfs for its layers.
pub(super) fn overlay(host: &Host) -> Option<Finding> {
    (!host.overlay).then(|| {
        Finding::error("no-overlay", "The kernel has no overlay file system")
            .evidence(format!("neither /proc/filesystems nor the modules of {} have it", host.kernel))
            .fix("run `sudo modprobe overlay`, or boot a kernel that has it")
    })
}

/// The route to the nodes uses another interface: mostly a bridge left behind by an earlier installation of Docker.
pub(super) fn route_taken(host: &Host, engine: &Engine) -> Option<Finding> {
    let network = engine.network.as_ref()?;
    // of several routes to the same network, the kernel lists the one it uses first
    let route = host.routes.iter().find(|route| route.network == network.view.subnet)?;
    if route.interface == network.bridge {
        return None;
    }
    let fix = match route.interface.starts_with("br-") {
        true => format!("sudo ip link delete {}", route.interface),
        false => {
            "give Docker other addresses (default-address-pools in /etc/docker/daemon.json), then `docker network rm kind`".into()
        }
    };
    Some(
        Finding::error("route-taken", "The nodes' network is hidden by another interface")
            .evidence(format!("{} leads to {}, network `kind` is on {}", network.view.subnet, route.interface, network.bridge))
            .fix(fix),
    )
}

/// Places that cannot be written to.
pub(super) fn unwritable(host: &Host) -> Vec<Finding> {
    let finding = |place: &super::facts::Unwritable| {
        Finding::error("not-writable", "A place that Hearth writes to cannot be written")
            .evidence(format!("{}: {}", place.path.display(), place.why))
            .fix(place.instead)
    };
    host.unwritable.iter().map(finding).collect()
}

/// Bytes in a form for people.
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
