//! The `routed` pod network: each node hands out its podCIDR by the ptp and host-local plugins, and has a static
//! route to every other node's. No daemon, ready at once, kept across reboots by a systemd unit. All nodes must
//! share one layer 2 network.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::json;

use super::ClusterError;
use crate::provider::{Command, FileSpec, Node};

const CONFLIST: &str = "/etc/cni/net.d/10-hearth.conflist";
const SCRIPT: &str = "/usr/local/lib/hearth/routes.sh";
const UNIT: &str = "/etc/systemd/system/hearth-routes.service";

/// One node's share of the pod network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The node's address.
    pub address: Ipv4Addr,
    /// Its pods' addresses.
    pub cidr: Ipv4Net,
}

/// Where pods find the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiService {
    /// The address of the service `kubernetes`: the first of the service subnet.
    pub service: Ipv4Addr,
    /// The control plane's, where the API server listens on port 6443.
    pub control_plane: Ipv4Addr,
}

/// The files of the node that owns `own`; `others` are all other nodes'.
pub fn files(pod_subnet: Ipv4Net, own: Ipv4Net, others: &[Segment], api: ApiService) -> Vec<FileSpec> {
    let conflist = json!({"cniVersion": "1.0.0", "name": "hearth", "plugins": [
        {"type": "ptp", "ipMasq": false, "ipam": {
            "type": "host-local", "dataDir": "/run/cni-ipam-state",
            "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": own}]]}},
        {"type": "portmap", "capabilities": {"portMappings": true}},
    ]});
    let mut script = format!(
        "#!/bin/sh\n# Written by Hearth: routes of the pod network.\nset -e\n\
         # an address whose pod is gone is refused at once: without this, packets to it would leave by the default\n\
         # route and every connection would wait for its timeout\n\
         ip route replace unreachable {own}\n"
    );
    for Segment { address, cidr } in others {
        script.push_str(&format!("ip route replace {cidr} via {address}\n"));
    }
    // routes to nodes that have left the cluster
    let kept: Vec<String> = others.iter().map(|segment| segment.cidr.to_string()).collect();
    script.push_str(&format!(
        "for old in $(ip -4 route show root {pod_subnet} | awk '/ via / {{print $1}}'); do\n\
         case ' {} ' in *\" $old \"*) ;; *) ip route del \"$old\" ;; esac\ndone\n",
        kept.join(" ")
    ));
    // until kube-proxy has written its rules, which come before these, pods would ask whoever has the service's address
    // outside, fail, and come back only after their back-off
    for chain in ["PREROUTING", "OUTPUT"] {
        let ApiService { service, control_plane } = api;
        let rule = format!(
            "{chain} -d {service} -p tcp --dport 443 -m comment --comment hearth -j DNAT --to-destination {control_plane}:6443"
        );
        script.push_str(&format!("iptables -w -t nat -C {rule} 2>/dev/null || iptables -w -t nat -A {rule}\n"));
    }
    let rule = format!(
        "POSTROUTING -s {pod_subnet} ! -d {pod_subnet} -m addrtype ! --dst-type LOCAL -m comment --comment hearth -j MASQUERADE"
    );
    script.push_str(&format!("iptables -w -t nat -C {rule} 2>/dev/null || iptables -w -t nat -A {rule}\n"));
    let unit = format!(
        "[Unit]\nDescription=Routes of the pod network (Hearth)\nAfter=network.target\nBefore=kubelet.service\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={SCRIPT}\n\n[Install]\nWantedBy=multi-user.target\n"
    );
    let file = |path: &str, text: String, mode| FileSpec { path: path.to_owned(), bytes: text.into_bytes(), mode };
    vec![file(CONFLIST, format!("{conflist:#}\n"), 0o644), file(SCRIPT, script, 0o755), file(UNIT, unit, 0o644)]
}

/// True when the node has these very files and its routes are in place.
pub async fn is_applied(node: &impl Node, files: &[FileSpec]) -> Result<bool, ClusterError> {
    let wanted: Vec<u8> = files.iter().flat_map(|file| file.bytes.clone()).collect();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let script = format!("cat {} && ip route show type unreachable | grep -q . && echo routed >&2", paths.join(" "));
    let output = node.exec(Command::shell(script)).await?;
    Ok(output.success() && output.stdout == wanted)
}

/// The share of the pod network that a node was given, as it says itself; none if it has none yet.
pub async fn segment(node: &impl Node) -> Result<Option<Ipv4Net>, ClusterError> {
    let output = node.exec(Command::shell(format!("cat {CONFLIST} 2>/dev/null || true"))).await?;
    let conflist: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let subnet = conflist.pointer("/plugins/0/ipam/ranges/0/0/subnet").and_then(|subnet| subnet.as_str());
    Ok(subnet.and_then(|subnet| subnet.parse().ok()))
}

/// Gives every node that has no share the lowest /24 of the subnet that is free. The result only depends on who has
/// what, so it stays the same while nodes are given theirs one by one.
pub fn share(pod_subnet: Ipv4Net, nodes: &[(String, Option<Ipv4Net>)]) -> Result<Vec<Ipv4Net>, ClusterError> {
    let full = |node: &str| ClusterError::SubnetFull { subnet: pod_subnet, node: node.to_owned() };
    let taken: Vec<Ipv4Net> = nodes.iter().filter_map(|(_, segment)| *segment).collect();
    let mut free = pod_subnet.subnets(24).map_err(|_| full(""))?.filter(|segment| !taken.contains(segment));
    nodes.iter().map(|(node, segment)| segment.map_or_else(|| free.next().ok_or_else(|| full(node)), Ok)).collect()
}

/// Writes the files and brings routes up, now and at every boot.
pub async fn apply(node: &impl Node, files: Vec<FileSpec>) -> Result<(), ClusterError> {
    node.put(files).await?;
    node.run(Command::shell(format!("{SCRIPT}; systemctl enable --quiet hearth-routes.service"))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_lead_to_every_other_node() {
        let net = |text: &str| text.parse().unwrap();
        let others = [Segment { address: Ipv4Addr::new(172, 18, 0, 3), cidr: net("10.244.1.0/24") }];
        let api = ApiService { service: Ipv4Addr::new(10, 96, 0, 1), control_plane: Ipv4Addr::new(172, 18, 0, 2) };
        let files = files(net("10.244.0.0/16"), net("10.244.0.0/24"), &others, api);
        let script = String::from_utf8(files[1].bytes.clone()).unwrap();
        assert!(script.contains("ip route replace 10.244.1.0/24 via 172.18.0.3\n"));
        assert!(script.contains("ip route replace unreachable 10.244.0.0/24\n"));
        assert!(script.contains("case ' 10.244.1.0/24 ' in"), "{script}");
        assert!(script.contains("-A OUTPUT -d 10.96.0.1 -p tcp --dport 443") && script.contains("172.18.0.2:6443"));
        assert_eq!(files[1].mode, 0o755);
    }

    #[test]
    fn shares_are_kept_and_gaps_are_filled() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        let nodes = |third| [("a".to_owned(), Some(net("10.244.0.0/24"))), ("d".to_owned(), None), ("c".to_owned(), third)];
        let shared = share(net("10.244.0.0/16"), &nodes(Some(net("10.244.2.0/24")))).unwrap();
        assert_eq!(shared, [net("10.244.0.0/24"), net("10.244.1.0/24"), net("10.244.2.0/24")]);
        assert_eq!(share(net("10.244.0.0/16"), &nodes(None)).unwrap(), shared);
        assert!(share(net("10.244.0.0/23"), &nodes(None)).is_err());
    }
}
