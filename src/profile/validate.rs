//! Rules between values of the resolved profile, one function per subject; those of one provider alone stand in its file.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::components::NEEDS;
use super::resolve::Findings;
use super::ssh::host_path;
use super::{AddressRange, Pool, Profile};

const PODS: &str = "spec.kubernetes.podSubnet";
const SERVICES: &str = "spec.kubernetes.serviceSubnet";
const POOL: &str = "spec.components.metallb.pool";
const VIP: &str = "spec.components.istio.gateway.vip";

/// Reports everything that is wrong between values.
pub(super) fn validate(profile: &Profile, findings: &mut Findings) {
    subnets(profile, findings);
    profile.provider.validate(profile, findings);
    components(profile, findings);
    somewhere_to_run(profile, findings);
    pool(profile, findings);
}

/// Pods need a node.
fn somewhere_to_run(profile: &Profile, findings: &mut Findings) {
    if profile.schedulable == Some(false) && profile.nodes().workers().next().is_none() {
        findings.conflict(
            &["spec.controlPlane.schedulable", "spec.provider"],
            "there is no worker, and the control plane may run no pods either",
            Some("leave it out: a control plane without workers runs pods"),
        );
    }
}

/// Pods, services and machines need addresses of their own, and every node a /24 for its pods.
fn subnets(profile: &Profile, findings: &mut Findings) {
    let (pods, services) = (profile.kubernetes.pod_subnet, profile.kubernetes.service_subnet);
    if overlap(pods, services) {
        findings.conflict(
            &[PODS, SERVICES],
            format!("pods {pods} and services {services} overlap"),
            Some("give each a subnet of its own, as in 10.244.0.0/16 and 10.96.0.0/16"),
        );
    }
    let nodes = profile.nodes().count() as u64;
    let room = 1_u64 << 24_u8.saturating_sub(pods.prefix_len());
    if nodes > room {
        let prefix = 24 - nodes.next_power_of_two().trailing_zeros();
        findings.conflict(
            &[PODS, profile.provider.nodes_path()],
            format!("{pods} has room for {room} of {nodes} nodes, each gets a /24"),
            Some(&format!("use a /{prefix} or larger")),
        );
    }
    for (index, host) in profile.provider.hosts().iter().enumerate() {
        for (subnet, of, path) in [(pods, "pods", PODS), (services, "services", SERVICES)] {
            if subnet.contains(&host.address) {
                let message = format!("{} lies in {subnet}, the subnet of {of}", host.address);
                findings.conflict(&[&host_path(index, "address"), path], message, Some(&format!("move {path}")));
            }
        }
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// A component is asked for together with what it needs.
fn components(profile: &Profile, findings: &mut Findings) {
    let asked = serde_json::to_value(&profile.components).unwrap_or_default();
    for (component, other, why) in NEEDS.iter().filter(|(one, other, _)| !asked[one].is_null() && asked[other].is_null()) {
        let [component, needed] = [component, other].map(|name| format!("spec.components.{name}"));
        let message = format!("{why}, and {other} is not installed");
        findings.conflict(&[&component, &needed], message, Some(&format!("add {other}: {{}} beside it")));
    }
}

/// Addresses for services. Whether they are in a Docker network is known only once that exists.
fn pool(profile: &Profile, findings: &mut Findings) {
    let Some(metallb) = &profile.components.metallb else { return };
    let vip = profile.components.istio.as_ref().and_then(|istio| istio.gateway.vip.given());
    let Pool::Range(range) = metallb.pool else {
        vip.into_iter().for_each(|vip| on_hosts_network(profile, VIP, AddressRange { first: vip, last: vip }, findings));
        return;
    };
    if let Some(vip) = vip.filter(|vip| !range.contains(*vip)) {
        let message = format!("{vip} is not in the pool {range}");
        findings.conflict(&[VIP, POOL], message, Some("write auto, or an address of the pool"));
    }
    for (subnet, of, path) in
        [(profile.kubernetes.pod_subnet, "pods", PODS), (profile.kubernetes.service_subnet, "services", SERVICES)]
    {
        if range.overlaps(&subnet.into()) {
            findings.conflict(&[POOL, path], format!("{range} overlaps {subnet}, the subnet of {of}"), None);
        }
    }
    on_hosts_network(profile, POOL, range, findings);
}

/// Layer 2 only works for addresses of the hosts' own network. Only the hosts know how wide that is, so this checks against the
/// widest it may be; preflight checks against the network itself.
fn on_hosts_network(profile: &Profile, path: &str, range: AddressRange, findings: &mut Findings) {
    let hosts = profile.provider.hosts();
    if hosts.is_empty() {
        return;
    }
    let paths: Vec<String> = (0..hosts.len()).map(|at| host_path(at, "address")).collect();
    let involved: Vec<&str> = std::iter::once(path).chain(paths.iter().map(String::as_str)).collect();
    let mut networks: Vec<Ipv4Net> = hosts.iter().map(|host| around(host.address)).collect();
    networks.sort();
    networks.dedup();
    if !networks.iter().any(|network| network.contains(&range.first) && network.contains(&range.last)) {
        let networks: Vec<String> = networks.iter().map(Ipv4Net::to_string).collect();
        let message = format!("{range} is outside of the hosts' network {}", networks.join(", "));
        findings.conflict(&involved, message, Some("routers and neighbours would not find these addresses"));
    }
    for host in hosts.iter().filter(|host| range.contains(host.address)) {
        findings.conflict(&involved, format!("{range} contains {}, the address of {}", host.address, host.name), None);
    }
}

/// The widest network that an address may be in: its block of private addresses (RFC 1918), else a /16.
fn around(address: Ipv4Addr) -> Ipv4Net {
    let prefix = match address.octets() {
        [10, ..] => 8,
        [172, 16..=31, ..] => 12,
        _ => 16,
    };
    Ipv4Net::new_assert(address, prefix).trunc()
}
