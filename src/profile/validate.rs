//! Rules between values of the resolved profile, one function per subject.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::resolve::Findings;
use super::{AddressRange, DockerNodes, HostKeys, Pool, Profile, Provider, Role, SshHosts};

const PODS: &str = "spec.kubernetes.podSubnet";
const SERVICES: &str = "spec.kubernetes.serviceSubnet";
const HOSTS: &str = "spec.provider.ssh.hosts";
const JUMP: &str = "spec.provider.ssh.jump";
const POOL: &str = "spec.components.metallb.pool";
const VIP: &str = "spec.components.istio.gateway.vip";

/// Reports everything that is wrong between values.
pub(super) fn validate(profile: &Profile, findings: &mut Findings) {
    subnets(profile, findings);
    match &profile.provider {
        Provider::Docker(docker) => docker_nodes(profile, docker, findings),
        Provider::Ssh(ssh) => ssh_hosts(ssh, findings),
    }
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

fn host_path(index: usize, field: &str) -> String {
    format!("{HOSTS}[{index}].{field}")
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
    let (nodes, counted) = match &profile.provider {
        Provider::Docker(docker) => (1 + u64::from(docker.workers), "spec.provider.docker.nodes.workers"),
        Provider::Ssh(ssh) => (ssh.hosts.len() as u64, HOSTS),
    };
    let room = 1_u64 << 24_u8.saturating_sub(pods.prefix_len());
    if nodes > room {
        let prefix = 24 - nodes.next_power_of_two().trailing_zeros();
        findings.conflict(
            &[PODS, counted],
            format!("{pods} has room for {room} of {nodes} nodes, each gets a /24"),
            Some(&format!("use a /{prefix} or larger")),
        );
    }
    let Provider::Ssh(ssh) = &profile.provider else { return };
    for (index, host) in ssh.hosts.iter().enumerate() {
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

/// kind's own images are tagged with the version they contain.
fn docker_nodes(profile: &Profile, docker: &DockerNodes, findings: &mut Findings) {
    let version = &profile.kubernetes.version;
    let tag = docker.image.strip_prefix("kindest/node:").map(|tag| tag.split('@').next().unwrap_or(tag));
    if let Some(tag) = tag.filter(|tag| tag.starts_with('v') && tag != version) {
        findings.conflict(
            &["spec.provider.docker.image", "spec.kubernetes.version"],
            format!("the image holds Kubernetes {tag}, the profile wants {version}"),
            Some(&format!("write kindest/node:{version}, or set spec.kubernetes.version to {tag}")),
        );
    }
}

fn ssh_hosts(ssh: &SshHosts, findings: &mut Findings) {
    for (index, host) in ssh.hosts.iter().enumerate() {
        let earlier = &ssh.hosts[..index];
        let twice = |at: usize| format!("hosts[{at}] ({}) has it too", earlier[at].name);
        if let Some(at) = earlier.iter().position(|other| other.name == host.name) {
            let message = format!("duplicate node name `{}`", host.name);
            findings.conflict(&[&host_path(index, "name"), &host_path(at, "name")], message, Some(&twice(at)));
        }
        if let Some(at) = earlier.iter().position(|other| other.address == host.address) {
            let message = format!("duplicate address {}", host.address);
            findings.conflict(&[&host_path(index, "address"), &host_path(at, "address")], message, Some(&twice(at)));
        }
        host_key(ssh, &host_path(index, "hostKey"), host.host_key.as_deref(), findings);
    }
    if let Some(jump) = &ssh.jump {
        host_key(ssh, &format!("{JUMP}.hostKey"), jump.host_key.as_deref(), findings);
        if let Some(at) = ssh.hosts.iter().position(|host| host.address == jump.address && ssh.port == jump.port) {
            let message = format!("{} is hosts[{at}] ({}) itself", jump.address, ssh.hosts[at].name);
            findings.conflict(&[&format!("{JUMP}.address"), &host_path(at, "address")], message, Some("remove jump"));
        }
    }
    let control_planes: Vec<usize> = (0..ssh.hosts.len()).filter(|at| ssh.hosts[*at].role == Role::ControlPlane).collect();
    match control_planes.as_slice() {
        [_] => {}
        [] => findings.refuse(HOSTS, "no host is the control plane", Some("give one of them role: control-plane")),
        [first, others @ ..] => {
            for at in others {
                let message = "a second control plane; more than one comes in a later version";
                let paths = [host_path(*at, "role"), host_path(*first, "role")];
                findings.conflict(&paths.each_ref().map(String::as_str), message, Some("write role: worker"));
            }
        }
    }
}

/// Fingerprints belong to pinned host keys, for machines and the jump host alike.
fn host_key(ssh: &SshHosts, path: &str, written: Option<&str>, findings: &mut Findings) {
    let paths = [path, "spec.provider.ssh.hostKeys"];
    match (ssh.host_keys, written) {
        (HostKeys::Pinned, None) => findings.conflict(
            &paths,
            "missing: with `hostKeys: pinned` every host needs its fingerprint",
            Some("on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"),
        ),
        (HostKeys::Strict | HostKeys::Tofu, Some(_)) => findings.conflict(
            &paths,
            "a fingerprint is only looked at with `hostKeys: pinned`",
            Some("remove it, or write hostKeys: pinned"),
        ),
        _ => {}
    }
}

/// Each component needs the one before.
fn components(profile: &Profile, findings: &mut Findings) {
    let components = &profile.components;
    if components.istio.is_some() && components.metallb.is_none() {
        let message = "the gateway needs an address, and metallb is not installed";
        findings.conflict(&["spec.components.istio", "spec.components.metallb"], message, Some("add metallb: {} beside it"));
    }
    if components.workloads.is_some() && components.istio.is_none() {
        let message = "the workloads are reached through the gateway, and istio is not installed";
        findings.conflict(&["spec.components.workloads", "spec.components.istio"], message, Some("add istio: {} beside it"));
    }
    if components.ingress_nginx.is_some() && components.istio.is_none() {
        let message = "ingress-nginx stands in front of the gateway here, and istio is not installed";
        findings.conflict(&["spec.components.ingressNginx", "spec.components.istio"], message, Some("add istio: {} beside it"));
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
    let Provider::Ssh(ssh) = &profile.provider else { return };
    let paths: Vec<String> = (0..ssh.hosts.len()).map(|at| host_path(at, "address")).collect();
    let involved: Vec<&str> = std::iter::once(path).chain(paths.iter().map(String::as_str)).collect();
    let mut networks: Vec<Ipv4Net> = ssh.hosts.iter().map(|host| around(host.address)).collect();
    networks.sort();
    networks.dedup();
    if !networks.iter().any(|network| network.contains(&range.first) && network.contains(&range.last)) {
        let networks: Vec<String> = networks.iter().map(Ipv4Net::to_string).collect();
        let message = format!("{range} is outside of the hosts' network {}", networks.join(", "));
        findings.conflict(&involved, message, Some("routers and neighbours would not find these addresses"));
    }
    for host in ssh.hosts.iter().filter(|host| range.contains(host.address)) {
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
