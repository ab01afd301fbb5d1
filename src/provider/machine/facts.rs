//! What is known about a host before anything is changed, gathered by one script; the checks of preflight only read it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use ipnet::Ipv4Net;

use super::{OWN, places, script};
use crate::profile::{AddressRange, Profile, Provider, Role};
use crate::provider::{Node, NodeError};

const SCRIPT: &str = include_str!("facts.sh");

/// Facts about a host.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Node name.
    pub node: String,
    /// Its address in the profile.
    pub given: Option<Ipv4Addr>,
    /// Name and version, for example `debian 12`.
    pub os: String,
    /// For example `x86_64`.
    pub arch: String,
    /// Kernel release.
    pub kernel: String,
    /// True when commands run with root's rights.
    pub root: bool,
    /// Name of the first process.
    pub init: String,
    /// Its clock minus this machine's, in seconds; uncertain by half of the time that the query took.
    pub clock: f64,
    /// Its own host name.
    pub hostname: String,
    /// Id of its installation; copied images share one.
    pub machine_id: String,
    /// True with cgroup v1.
    pub cgroup_v1: bool,
    /// The first process's capability bounding set.
    pub capabilities: u64,
    /// Memory in bytes.
    pub memory: u64,
    /// Free bytes where containers are kept.
    pub disk: u64,
    /// Free bytes where programs are installed.
    pub programs_disk: u64,
    /// Number of processors.
    pub cpus: u64,
    /// Swap devices in use.
    pub swap: Vec<String>,
    /// Required programs that are missing.
    pub lacks: Vec<String>,
    /// True when its kernel lacks the overlay file system.
    pub no_overlay: bool,
    /// Its addresses, with the length of their network.
    pub addresses: Vec<Ipv4Net>,
    /// Its default gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The file that names its DNS servers.
    pub resolver: String,
    /// DNS servers it uses.
    pub nameservers: Vec<Ipv4Addr>,
    /// TCP ports that are in use.
    pub ports: BTreeSet<u16>,
    /// Name of the Hearth cluster that it belongs to.
    pub cluster: Option<String>,
    /// The address pool recorded on it, if it is a control plane.
    pub pool: Option<AddressRange>,
    /// Addresses of the profile's pool that others have, as far as the control plane can tell.
    pub others_in_pool: Vec<Ipv4Addr>,
    /// Files of a Kubernetes installation.
    pub kubernetes: Vec<String>,
    /// The non-empty ones among the folders that the cluster fills.
    pub filled: Vec<String>,
    /// The existing ones among the files that the cluster writes.
    pub stands: Vec<String>,
    /// Existing configurations of pod networks.
    pub cni: Vec<String>,
    /// Running services that would be in the way.
    pub runs: Vec<String>,
    /// Running firewalls.
    pub firewalls: Vec<String>,
    /// True when its packet filter drops forwarded packets, with no exception for pods.
    pub drops_forwarded: bool,
    /// True when the kernel's log cannot be read.
    pub no_kmsg: bool,
    /// Folders that Hearth writes to but that are read-only.
    pub read_only: Vec<String>,
    /// Networks to which it has an address or a route, with the interface.
    pub networks: Vec<(String, Ipv4Net)>,
    /// `fs.inotify.max_user_instances`.
    pub inotify: u64,
    /// Hosts of the cluster that it reaches only through a router.
    pub routed: Vec<Ipv4Addr>,
    /// Hosts of the cluster that it cannot reach.
    pub unreachable: Vec<Ipv4Addr>,
    /// Ports of other hosts from which nothing comes back, as `ADDRESS:PORT`.
    pub blocked: Vec<String>,
}

impl Facts {
    /// Parses what the script printed; unknown keys are ignored, missing ones leave their field empty.
    fn parse(node: &str, given: Ipv4Addr, text: &str, asked_at: f64) -> Facts {
        let values = |key: &str| -> Vec<String> {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.trim().to_owned()).collect()
        };
        let value = |key: &str| values(key).into_iter().next().unwrap_or_default();
        let number = |key: &str| value(key).parse::<u64>().unwrap_or(0);
        let addresses = |key: &str| values(key).iter().filter_map(|text| text.parse().ok()).collect();
        Facts {
            node: node.to_owned(),
            given: Some(given),
            os: value("os"),
            arch: value("arch"),
            kernel: value("kernel"),
            root: value("uid") == "0",
            init: value("init"),
            clock: value("time").parse::<f64>().unwrap_or(asked_at) - asked_at,
            hostname: value("hostname"),
            machine_id: value("machine-id"),
            cgroup_v1: value("cgroup") == "1",
            capabilities: u64::from_str_radix(&value("capabilities"), 16).unwrap_or(u64::MAX),
            memory: number("memory") * 1024,
            disk: number("disk") * 1024,
            programs_disk: number("programs-disk") * 1024,
            cpus: number("cpus"),
            swap: values("swap"),
            lacks: values("lacks"),
            no_overlay: value("no-overlay") == "1",
            addresses: values("address").iter().filter_map(|text| text.parse().ok()).collect(),
            gateway: value("gateway").parse().ok(),
            resolver: value("resolver"),
            nameservers: addresses("nameserver"),
            ports: values("port").iter().filter_map(|text| text.parse().ok()).collect(),
            cluster: Some(value("cluster")).filter(|name| !name.is_empty()),
            pool: value("pool").parse().ok(),
            others_in_pool: Vec::new(),
            kubernetes: values("kubernetes"),
            filled: values("filled"),
            stands: values("stands"),
            cni: values("cni"),
            runs: values("runs"),
            firewalls: values("firewall"),
            drops_forwarded: value("forward-dropped") == "1",
            no_kmsg: value("no-kmsg") == "1",
            read_only: values("read-only"),
            networks: values("network").iter().filter_map(|text| network(text)).collect(),
            inotify: number("inotify"),
            routed: addresses("routed"),
            unreachable: addresses("unreachable"),
            blocked: values("blocked"),
        }
    }

    /// The network of the host's address in the profile, as the host itself has it.
    pub fn network(&self) -> Option<Ipv4Net> {
        self.addresses.iter().find(|net| Some(net.addr()) == self.given).map(Ipv4Net::trunc)
    }

    /// True when containers cannot be given CAP_SYS_RESOURCE.
    pub fn withholds_sys_resource(&self) -> bool {
        self.capabilities & (1 << 24) == 0
    }
}

/// Parses `eth0 192.168.1.0/24`; a route to a single address has no length.
fn network(text: &str) -> Option<(String, Ipv4Net)> {
    let (interface, net) = text.split_once(' ')?;
    let net = net.parse().ok().or_else(|| Some(net.parse::<Ipv4Addr>().ok()?.into()))?;
    Some((interface.to_owned(), net))
}

/// What each host has to reach on the others: SSH as a sign of life, then the ports that the cluster uses between hosts.
fn to_reach(profile: &Profile, from: Role) -> Vec<String> {
    let Provider::Ssh(ssh) = &profile.provider else { return Vec::new() };
    let line = |host: &crate::profile::Host| {
        let mut ports = vec![ssh.port];
        ports.extend((host.role == Role::ControlPlane).then_some(6443));
        ports.extend((from == Role::ControlPlane).then_some(10250));
        ports.extend(profile.components.metallb.is_some().then_some(7946));
        format!("{}:{}", host.address, ports.iter().map(u16::to_string).collect::<Vec<_>>().join(","))
    };
    ssh.hosts.iter().map(line).collect()
}

/// Gathers the facts about a host of the profile.
pub async fn gather(node: &impl Node, profile: &Profile) -> Result<Facts, NodeError> {
    let mut arguments = vec![node.address().to_string(), profile.kubernetes.pod_subnet.to_string()];
    arguments.extend(to_reach(profile, node.role()));
    let text = [&places::shell(), OWN, SCRIPT].concat();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let start = now();
    let output = node.run(script(&text, arguments.iter().map(String::as_str))).await?;
    // the clock is read when the script starts; unreachable peers delay its end
    let asked_at = start + ((now() - start) / 2.0).min(0.5);
    Ok(Facts::parse(node.name(), node.address(), &String::from_utf8_lossy(&output.stdout), asked_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    /// The first port is a sign of life: it must be one on which something listens.
    #[test]
    fn hosts_look_for_each_other_on_the_port_of_ssh() {
        let set = ["spec.provider.ssh.port=2222".to_owned()];
        let profile = load(&[Source::File("profiles/homelab.yaml".into())], &set).expect("valid");
        let lines = to_reach(&profile, Role::ControlPlane);
        assert_eq!(lines[0], "172.30.0.11:2222,6443,10250,7946");
        assert!(lines.len() == 3 && lines.iter().all(|line| line.contains(":2222,")), "{lines:?}");
    }

    #[test]
    fn what_the_script_prints_is_understood() {
        let text = "os=debian 12\nuid=0\ntime=1000.5\ncgroup=1\ncapabilities=000001fffeffffff\nmemory=1024\naddress=127.0.0.1/8\n\
                    address=192.168.1.11/24\nport=22\nport=6443\nruns=docker\nunreachable=192.168.1.13\n\
                    network=s0 10.96.5.0/24\nnetwork=wg0 10.9.0.1\nblocked=192.168.1.12:10250\nno-kmsg=1\n\
                    pool=192.168.1.200-192.168.1.220\n";
        let facts = Facts::parse("n1", [192, 168, 1, 11].into(), text, 1000.0);
        assert!(facts.root && facts.cgroup_v1 && facts.withholds_sys_resource());
        assert_eq!((facts.memory, facts.clock), (1 << 20, 0.5));
        assert_eq!(facts.network().map(|net| net.to_string()).as_deref(), Some("192.168.1.0/24"));
        assert_eq!(facts.ports, BTreeSet::from([22, 6443]));
        assert_eq!(facts.unreachable, [Ipv4Addr::new(192, 168, 1, 13)]);
        let networks: Vec<String> = facts.networks.iter().map(|(interface, net)| format!("{interface} {net}")).collect();
        assert_eq!(networks, ["s0 10.96.5.0/24", "wg0 10.9.0.1/32"]);
        assert_eq!(facts.pool.map(|pool| pool.to_string()).as_deref(), Some("192.168.1.200-192.168.1.220"));
        assert!(facts.no_kmsg && facts.blocked == ["192.168.1.12:10250"]);
    }
}
