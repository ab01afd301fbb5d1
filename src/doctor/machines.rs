//! Bare machines: whether each can become a node, and all together a cluster. Pure functions of their facts.

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::finding::Finding;
use crate::error::{BoxError, chain};
use crate::profile::{Cni, Profile, Role, SshHosts};
use crate::provider::machine::facts::Facts;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Clocks that differ by more than this break certificates, leases and logs; etcd complains from one second on.
const SKEW_ERROR: f64 = 30.0;
const SKEW_WARNING: f64 = 2.0;
/// Ports of every node: kubelet, kube-proxy.
const NODE_PORTS: &[u16] = &[10248, 10249, 10250, 10256];
/// Ports of MetalLB's speaker, which uses the host's network: members, metrics, health (templates/metallb/controller.yaml).
const METALLB_PORTS: &[u16] = &[7946, 9120, 17472];
/// Ports of a control plane: API server, etcd, controller manager, scheduler.
const CONTROL_PLANE_PORTS: &[u16] = &[6443, 2379, 2380, 2381, 10257, 10259];
/// Free space for images, containers and their logs.
const DISK_ERROR: u64 = 3 * GIB;
const DISK_WARNING: u64 = 8 * GIB;
/// Free space for programs.
const PROGRAMS: u64 = 600 * MIB;
/// Systems that Hearth is tested on.
const TESTED: &[&str] = &["debian 12", "debian 13"];

/// Our pod network's configuration; the container runtime uses the first file in the folder by name.
const CONFLIST: &str = "/etc/cni/net.d/10-hearth.conflist";

/// Everything that is wrong with the hosts of a profile, one finding per problem.
pub fn all(facts: &[Facts], profile: &Profile, hosts: &SshHosts) -> Vec<Finding> {
    let (cluster, kubernetes) = (profile.name.as_str(), &profile.kubernetes);
    let role = |facts: &Facts| hosts.hosts.iter().find(|host| host.name == facts.node).map_or(Role::Worker, |host| host.role);
    let fresh: Vec<&Facts> = facts.iter().filter(|facts| facts.cluster.as_deref() != Some(cluster)).collect();
    let mut found = Vec::new();

    let each = |facts: &[Facts], tell: &dyn Fn(&Facts) -> Option<String>| -> Vec<String> {
        facts.iter().filter_map(|facts| tell(facts).map(|what| format!("{}: {what}", facts.node))).collect()
    };
    let of = |facts: &[&Facts], tell: &dyn Fn(&Facts) -> Option<String>| -> Vec<String> {
        facts.iter().filter_map(|facts| tell(facts).map(|what| format!("{}: {what}", facts.node))).collect()
    };
    let mut tell = |finding: Finding, lines: Vec<String>, fix: &str| {
        if !lines.is_empty() {
            found.push(finding.evidence(lines.join("\n")).fix(fix));
        }
    };

    tell(
        Finding::error("host-not-root", "Commands do not run with root's rights"),
        each(facts, &|f| (!f.root).then(|| "`id -u` is not 0".into())),
        "log in as root, or as a user with sudo; HEARTH_SUDO_PASSWORD is its password if sudo asks for one",
    );
    tell(
        Finding::error("host-architecture", "Only x86_64 is supported"),
        each(facts, &|f| (f.arch != "x86_64").then(|| f.arch.clone())),
        "use another machine",
    );
    tell(
        Finding::error("host-init", "Services are run by systemd, and a host has another init system"),
        each(facts, &|f| (f.init != "systemd").then(|| f.init.clone())),
        "use a distribution with systemd",
    );
    tell(
        Finding::warning("host-system", "Hearth was not tested on this system"),
        each(facts, &|f| (!TESTED.contains(&f.os.as_str())).then(|| f.os.clone())),
        &format!("nothing to do if it works; tested are {}", TESTED.join(" and ")),
    );
    tell(
        Finding::error("host-programs", "Programs that nodes need are missing"),
        each(facts, &|f| (!f.lacks.is_empty()).then(|| f.lacks.join(", "))),
        "install them: apt install iproute2 iptables util-linux procps coreutils tar",
    );
    tell(
        Finding::error("host-no-overlay", "The kernel has no overlay file system"),
        each(facts, &|f| f.no_overlay.then(|| f.kernel.clone())),
        "install the kernel's modules, or boot a kernel that has CONFIG_OVERLAY_FS",
    );
    tell(
        Finding::error("host-no-kmsg", "The kubelet cannot read the kernel's log"),
        each(facts, &|f| f.no_kmsg.then(|| "/dev/kmsg cannot be opened".into())),
        "a container of LXC (Proxmox) needs in its configuration: lxc.apparmor.profile: unconfined, lxc.cap.drop: (empty), \
         lxc.cgroup2.devices.allow: a, lxc.mount.auto: proc:rw sys:rw, lxc.mount.entry: /dev/kmsg dev/kmsg none bind,create=file",
    );
    tell(
        Finding::error("host-read-only", "Folders that Hearth writes to are read-only"),
        each(facts, &|f| (!f.read_only.is_empty()).then(|| f.read_only.join(", "))),
        "use a host whose system can be written to",
    );
    tell(
        Finding::error("host-foreign-cluster", "A host is part of another cluster"),
        of(&fresh, &|f| match &f.cluster {
            Some(other) => Some(format!("cluster `{other}` of Hearth's")),
            None => (!f.kubernetes.is_empty()).then(|| f.kubernetes.join(", ")),
        }),
        "`hearth down --name OTHER` if it is Hearth's, or on the host `sh /var/lib/hearth/release`; else take it out of there (`kubeadm reset`)",
    );
    tell(
        Finding::error("host-runtime", "Another container runtime or kubelet runs on a host"),
        of(&fresh, &|f| (f.cluster.is_none() && !f.runs.is_empty()).then(|| f.runs.join(", "))),
        "stop and disable it, or use another host: two would fight over cgroups, networks and ports",
    );
    let bare = |f: &Facts| f.cluster.is_none() && f.kubernetes.is_empty();
    tell(
        Finding::error("host-data", "Folders that the cluster would fill hold data"),
        of(&fresh, &|f| (bare(f) && !f.filled.is_empty()).then(|| f.filled.join(", "))),
        "use another host, or move the data away: `down` could not know it from the cluster's own",
    );
    tell(
        Finding::info("host-files", "Files of the host are going to be replaced"),
        of(&fresh, &|f| (f.cluster.is_none() && !f.stands.is_empty()).then(|| f.stands.join(", "))),
        "nothing to do: they are saved, and `down` puts them back",
    );
    tell(
        Finding::error("host-cni", "The container runtime would take another pod network's configuration for ours"),
        each(facts, &|f| {
            let first: Vec<&str> = f.cni.iter().map(String::as_str).filter(|path| *path < CONFLIST).collect();
            (profile.cni == Cni::Routed && !first.is_empty()).then(|| first.join(", "))
        }),
        "remove it if its cluster is gone, as `kubeadm reset` leaves it behind; the first file by name counts",
    );
    tell(
        Finding::error("host-ports", "Ports that the cluster needs are taken"),
        of(&fresh, &|f| {
            let mut needed = NODE_PORTS.to_vec();
            if role(f) == Role::ControlPlane {
                needed.extend(CONTROL_PLANE_PORTS);
            }
            if profile.components.metallb.is_some() {
                needed.extend(METALLB_PORTS);
            }
            let taken: Vec<String> = needed.iter().filter(|port| f.ports.contains(port)).map(u16::to_string).collect();
            (!taken.is_empty() && bare(f)).then(|| taken.join(", "))
        }),
        "`ss -ltnp` on the host shows what uses them",
    );
    tell(
        Finding::error("host-pool", "Somebody has addresses of the load balancer's pool"),
        each(facts, &|f| (!f.others_in_pool.is_empty()).then(|| format!("finds {}", list(&f.others_in_pool)))),
        "give spec.components.metallb.pool a range that nobody has; `ip neigh` on the host shows whose they are",
    );
    tell(
        Finding::error("host-address", "A host does not have the address that the profile gives it"),
        each(facts, &|f| {
            let has: Vec<String> = f.addresses.iter().map(ToString::to_string).collect();
            f.network().is_none().then(|| format!("has {}, not {}", has.join(", "), text(f.given)))
        }),
        "write the address of its own interface: one behind a router or NAT cannot be a node's",
    );
    tell(
        Finding::error("host-machine-id", "Hosts have the same machine id: they are copies of one image, or one machine"),
        same(facts, &|f| f.machine_id.clone()),
        "on each but one: rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup, then reboot",
    );
    tell(
        Finding::warning("host-name", "Hosts have the same hostname"),
        same(facts, &|f| f.hostname.clone()),
        "hostnamectl set-hostname NAME on each; nodes are called by the profile's names all the same",
    );
    tell(
        Finding::error("host-unreachable-peer", "Hosts do not reach each other"),
        each(facts, &|f| (!f.unreachable.is_empty()).then(|| format!("does not reach {}", list(&f.unreachable)))),
        "look at cables, firewalls and addresses: every host must reach every other",
    );
    tell(
        Finding::error("host-routed-peer", "Hosts are not on one network segment"),
        each(facts, &|f| (!f.routed.is_empty()).then(|| format!("reaches {} only through a router", list(&f.routed)))),
        "the pod network `routed` needs one segment: use hosts of one, or `network.cni: none` and a pod network of your own",
    );
    tell(
        Finding::error("host-firewall", "A firewall keeps the hosts of the cluster from each other"),
        each(facts, &|f| {
            let mut seen = Vec::new();
            seen.extend((!f.blocked.is_empty()).then(|| format!("nothing comes back from {}", f.blocked.join(", "))));
            seen.extend(f.drops_forwarded.then(|| "chain FORWARD drops what goes to and from pods".to_owned()));
            seen.extend((!seen.is_empty() && !f.firewalls.is_empty()).then(|| format!("{} runs", f.firewalls.join(", "))));
            (!seen.is_empty()).then(|| seen.join("; "))
        }),
        &format!(
            "on each host let in what comes from the hosts and from {pods}, and let through what is from or to {pods}:\n\
             ufw allow from {pods}; ufw allow from NETWORK_OF_THE_HOSTS; ufw route allow from {pods}; ufw route allow to {pods}\n\
             iptables -I INPUT -s NETWORK_OF_THE_HOSTS,{pods} -j ACCEPT; iptables -I FORWARD -s {pods} -j ACCEPT; iptables -I FORWARD -d {pods} -j ACCEPT",
            pods = kubernetes.pod_subnet
        ),
    );
    tell(
        Finding::warning("host-firewall-active", "A firewall runs on a host"),
        each(facts, &|f| {
            let silent = f.blocked.is_empty() && !f.drops_forwarded;
            (silent && !f.firewalls.is_empty()).then(|| f.firewalls.join(", "))
        }),
        "nothing to do if it lets pods through; firewalld does not by itself: \
         firewall-cmd --permanent --zone=trusted --add-source=POD_SUBNET --add-source=NETWORK_OF_THE_HOSTS && firewall-cmd --reload",
    );
    tell(
        Finding::error("host-subnets", "A subnet of the cluster is in use on a host"),
        each(facts, &|f| {
            let mut taken = Vec::new();
            // a host of this cluster has its own routes to pods
            let pods = (f.cluster.as_deref() != Some(cluster)).then_some(("pods", kubernetes.pod_subnet));
            for (of, subnet) in pods.into_iter().chain([("services", kubernetes.service_subnet)]) {
                let hits = f.networks.iter().filter(|(_, net)| overlap(*net, subnet));
                taken.extend(
                    hits.map(|(interface, net)| format!("{interface} has {net}, which is in the subnet of {of}, {subnet}")),
                );
            }
            taken.dedup();
            (!taken.is_empty()).then(|| taken.join("; "))
        }),
        "give spec.kubernetes.podSubnet and serviceSubnet ranges that no host has a way to",
    );
    for (graded, limit) in [(true, SKEW_ERROR), (false, SKEW_WARNING)] {
        let lines = skewed(facts, limit);
        if !lines.is_empty() {
            let finding = Finding::graded(graded, "host-clock", "Clocks differ");
            tell(finding, lines, "timedatectl set-ntp true on every host, and wait until `timedatectl` says synchronized");
            break;
        }
    }
    let low = |what: u64, limit: u64, free: &str| (what < limit).then(|| format!("{} {free}", size(what)));
    tell(
        Finding::error("host-memory", "There is too little memory"),
        each(facts, &|f| low(f.memory, if role(f) == Role::ControlPlane { 1500 * MIB } else { 700 * MIB }, "in all")),
        "a control plane needs 2 GiB, a worker 1 GiB and what its pods need",
    );
    let disk = |f: &Facts| low(f.disk, DISK_ERROR, "free in /var/lib").or(low(f.programs_disk, PROGRAMS, "free in /usr/local"));
    tell(
        Finding::error("host-disk", "There is too little disk space"),
        of(&fresh, &disk),
        "`df -h` and `du -xh --max-depth=2 /var` show what takes it up",
    );
    tell(
        Finding::warning("host-disk-low", "There is little disk space"),
        of(&fresh, &|f| low(f.disk, DISK_WARNING, "free in /var/lib").filter(|_| disk(f).is_none())),
        "kubelets remove images and evict pods when a disk is 85 % full",
    );
    tell(
        Finding::info("host-swap", "Hosts swap"),
        each(facts, &|f| (!f.swap.is_empty()).then(|| f.swap.join(", "))),
        "nothing to do: kubelets get failSwapOn: false; pods do not swap",
    );
    tell(
        Finding::info("host-cgroup-v1", "Hosts have cgroup v1"),
        each(facts, &|f| f.cgroup_v1.then(|| f.kernel.clone())),
        "nothing to do: kubelets get failCgroupV1: false; boot with cgroup v2 before Kubernetes drops v1",
    );
    tell(
        Finding::info("host-sys-resource", "Hosts withhold CAP_SYS_RESOURCE"),
        each(facts, &|f| f.withholds_sys_resource().then(|| format!("capabilities {:x}", f.capabilities))),
        "nothing to do: the container runtime is told not to lower OOM scores",
    );
    found
}

/// A host that could not be reached.
pub fn unreached(host: &str, role: Role, error: &BoxError) -> Finding {
    let fix = error.hint().unwrap_or_else(|| format!("try `ssh` to {host} by hand; `hearth doctor` looks again"));
    let gone = match role {
        Role::Worker => "if it is gone for good, take it out of the profile".to_owned(),
        Role::ControlPlane => format!(
            "without it there is no cluster: if it is gone for good, save what volumes on the workers hold, then \
             `hearth down --forget {host}` and `hearth up` on another one"
        ),
    };
    let fix = format!("{fix}; {gone}");
    Finding::error("host-not-reached", format!("Host `{host}` cannot be used"))
        .family(error.family())
        .evidence(chain(&**error))
        .fix(fix)
}

/// Hosts whose clock is further from the median than `limit` seconds.
fn skewed(facts: &[Facts], limit: f64) -> Vec<String> {
    let mut clocks: Vec<f64> = facts.iter().map(|facts| facts.clock).collect();
    clocks.sort_by(f64::total_cmp);
    let Some(median) = clocks.get(clocks.len() / 2) else { return Vec::new() };
    let off = facts.iter().filter(|facts| (facts.clock - median).abs() > limit);
    off.map(|facts| format!("{}: {:+.0} s from the others", facts.node, facts.clock - median)).collect()
}

/// Hosts that share a value which each should have for itself.
fn same(facts: &[Facts], of: &dyn Fn(&Facts) -> String) -> Vec<String> {
    let twice = |facts: &&Facts, all: &[Facts]| all.iter().filter(|other| of(other) == of(facts)).count() > 1;
    facts.iter().filter(|one| twice(one, facts)).map(|facts| format!("{}: {}", facts.node, of(facts))).collect()
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

fn list(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ")
}

fn text(address: Option<Ipv4Addr>) -> String {
    address.map(|address| address.to_string()).unwrap_or_default()
}

/// Bytes in a form for people.
fn size(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB as f64)
}
