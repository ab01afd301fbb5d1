//! The `routed` pod network: each node hands out addresses from its podCIDR with the ptp and host-local plugins, and has a
//! static route to the podCIDR of every other node. A unit keeps the routes and the NAT rules in place, whatever others do to
//! them. All nodes must share one layer 2 network.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::ClusterError;
use crate::error::Result;
use crate::provider::{Command, FileSpec, Node, NodeError, files};

const CONFLIST: &str = "/etc/cni/net.d/10-hearth.conflist";
const SCRIPT: &str = "/usr/local/lib/hearth/routes.sh";
const FACTS: &str = "/usr/local/lib/hearth/routes.conf";
const UNIT: &str = "/etc/systemd/system/hearth-routes.service";
const NETWORKD: &str = "/etc/systemd/networkd.conf.d/90-hearth.conf";
/// Pause between two looks at routes that are being set up.
const LOOK: Duration = Duration::from_millis(500);
/// Longest wait for that: kube-proxy notices within 30 s that its rules are gone.
const IN_PLACE: Duration = Duration::from_secs(60);

/// The pod network as seen by one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodNetwork {
    /// Addresses of all pods.
    pub subnet: Ipv4Net,
    /// Addresses of the node's own pods.
    pub own: Ipv4Net,
    /// All other nodes.
    pub others: Vec<Segment>,
    /// The address of the service `kubernetes`: the first of the service subnet.
    pub service: Ipv4Addr,
    /// Where the API server listens on port 6443: an address, or a name that nodes can look up.
    pub api_server: String,
    /// True where the node is a machine, whose network others configure too.
    pub machine: bool,
}

/// Another node's share of the pod network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The node's address, or a name that nodes can look up: containers may come back with other addresses.
    pub host: String,
    /// Addresses of its pods.
    pub cidr: Ipv4Net,
}

/// The files that a node gets.
pub fn node_files(network: &PodNetwork) -> Vec<FileSpec> {
    let PodNetwork { subnet, own, others, service, api_server, machine } = network;
    let conflist = json!({"cniVersion": "1.0.0", "name": "hearth", "plugins": [
        {"type": "ptp", "ipMasq": false, "ipam": {
            "type": "host-local", "dataDir": "/run/cni-ipam-state",
            "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": own}]]}},
        {"type": "portmap", "capabilities": {"portMappings": true}},
    ]});
    let mut facts = format!("# Written by Hearth.\nsubnet {subnet}\napi {service} {api_server}\n");
    for Segment { host, cidr } in others {
        facts.push_str(&format!("node {host} {cidr}\n"));
    }
    let file = |path: &str, text: &str, mode| FileSpec { path: path.to_owned(), bytes: text.as_bytes().to_vec(), mode };
    let mut files = vec![
        file(CONFLIST, &format!("{conflist:#}\n"), 0o644),
        file(SCRIPT, include_str!("../../templates/network/routes.sh"), 0o755),
        file(FACTS, &facts, 0o644),
        file(UNIT, include_str!("../../templates/network/hearth-routes.service"), 0o644),
    ];
    if *machine {
        files.push(file(NETWORKD, include_str!("../../templates/network/networkd.conf"), 0o644));
    }
    files
}

/// What a node lacks of the pod network, one line each: files, the unit that keeps it, routes with their next hop, NAT rules,
/// and the rules of kube-proxy.
pub async fn missing(node: &impl Node, wanted: &[FileSpec]) -> Result<Vec<String>> {
    const UNIT: &str = "systemctl is-active --quiet hearth-routes && systemctl is-enabled --quiet hearth-routes";
    let look = Command::shell(format!("{UNIT} || echo unit hearth-routes\n{SCRIPT} verify"));
    let (differing, look) = tokio::join!(files::differing(node, wanted), node.run(look));
    let differing = differing?;
    if !differing.is_empty() {
        return Ok(differing.into_iter().map(|path| format!("{path} is another")).collect());
    }
    let mut missing: Vec<String> = look?.text().lines().map(str::to_owned).collect();
    missing.dedup();
    Ok(missing)
}

/// The segment of the pod network that a node was given, as the node has it; none if it has none yet.
///
/// # Errors
/// It may have one, but that cannot be read.
pub async fn segment(node: &impl Node) -> Result<Option<Ipv4Net>> {
    let look = files::read(node, &[CONFLIST]).await?.pop();
    let Some(file) = look.map(|look| look.known()).transpose()?.flatten() else { return Ok(None) };
    let conflist: serde_json::Value = serde_json::from_slice(&file.bytes).unwrap_or_default();
    let subnet = conflist.pointer("/plugins/0/ipam/ranges/0/0/subnet").and_then(|subnet| subnet.as_str());
    let unreadable = || NodeError::Unreadable {
        node: node.name().to_owned(),
        what: CONFLIST.to_owned(),
        reason: "it names no pod subnet".to_owned(),
    };
    Ok(Some(subnet.and_then(|subnet| subnet.parse().ok()).ok_or_else(unreadable)?))
}

/// Gives every node without a segment the lowest free /24 of the subnet. The result depends only on which node has which
/// segment, so it stays the same while nodes get theirs one by one.
pub fn share(pod_subnet: Ipv4Net, nodes: &[(String, Option<Ipv4Net>)]) -> Result<Vec<Ipv4Net>, ClusterError> {
    let full = |node: &str| ClusterError::SubnetFull { subnet: pod_subnet, node: node.to_owned() };
    let taken: Vec<Ipv4Net> = nodes.iter().filter_map(|(_, segment)| *segment).collect();
    let mut free = pod_subnet.subnets(24).map_err(|_| full(""))?.filter(|segment| !taken.contains(segment));
    nodes.iter().map(|(node, segment)| segment.map_or_else(|| free.next().ok_or_else(|| full(node)), Ok)).collect()
}

/// Writes the files, sets up routes and rules, and has them kept, now and after every boot.
pub async fn apply(node: &impl Node, wanted: Vec<FileSpec>) -> Result<()> {
    node.put(wanted.clone()).await?;
    let start = "systemctl enable --quiet hearth-routes.service; systemctl restart --no-block hearth-routes.service";
    node.run(Command::shell(format!("{SCRIPT} apply; {start}"))).await?;
    let started = Instant::now();
    loop {
        let missing = missing(node, &wanted).await?;
        if missing.is_empty() {
            return Ok(());
        }
        if started.elapsed() > IN_PLACE {
            let what = format!("the pod network of {}", node.name());
            return Err(ClusterError::NotReady { what, limit: IN_PLACE, state: missing.join(", ") }.into());
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::InMemory;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn network(machine: bool) -> PodNetwork {
        PodNetwork {
            subnet: net("10.244.0.0/16"),
            own: net("10.244.0.0/24"),
            others: vec![Segment { host: "quick-worker".into(), cidr: net("10.244.1.0/24") }],
            service: Ipv4Addr::new(10, 96, 0, 1),
            api_server: "quick-control-plane".into(),
            machine,
        }
    }

    #[test]
    fn a_node_knows_every_other_by_name() {
        let files = node_files(&network(false));
        let facts = String::from_utf8(files[2].bytes.clone()).unwrap();
        insta::assert_snapshot!(facts, @r"
        # Written by Hearth.
        subnet 10.244.0.0/16
        api 10.96.0.1 quick-control-plane
        node quick-worker 10.244.1.0/24
        ");
        assert_eq!(files[1].mode, 0o755);
        assert!(files.iter().all(|file| !file.path.contains("networkd")), "containers have no networkd");
        assert!(node_files(&network(true)).iter().any(|file| file.path.contains("networkd")));
    }

    #[tokio::test]
    async fn what_the_node_misses_is_named() {
        let wanted = node_files(&network(false));
        let node = InMemory::new("n1");
        node.put(wanted.clone()).await.unwrap();
        assert!(missing(&node, &wanted).await.unwrap().is_empty());
        let lost = "route 10.244.1.0/24 via 172.18.0.3\nthe rules of kube-proxy";
        let damaged = node.clone().answers("routes.sh verify", 0, lost);
        assert_eq!(missing(&damaged, &wanted).await.unwrap(), ["route 10.244.1.0/24 via 172.18.0.3", "the rules of kube-proxy"]);
        let edited = node.with(FACTS, "subnet 10.0.0.0/8\n");
        assert_eq!(missing(&edited, &wanted).await.unwrap(), [format!("{FACTS} is another")]);
    }

    #[tokio::test]
    async fn a_share_that_cannot_be_read_is_not_none() {
        assert_eq!(segment(&InMemory::new("n1")).await.unwrap(), None);
        let node = InMemory::new("n1");
        node.put(node_files(&network(false))).await.unwrap();
        assert_eq!(segment(&node).await.unwrap(), Some(net("10.244.0.0/24")));
        assert!(segment(&node.clone().broken(CONFLIST, "Input/output error")).await.is_err());
        assert!(segment(&node.with(CONFLIST, "{}")).await.is_err());
    }

    #[test]
    fn shares_are_kept_and_gaps_are_filled() {
        let nodes = |third| [("a".to_owned(), Some(net("10.244.0.0/24"))), ("d".to_owned(), None), ("c".to_owned(), third)];
        let shared = share(net("10.244.0.0/16"), &nodes(Some(net("10.244.2.0/24")))).unwrap();
        assert_eq!(shared, [net("10.244.0.0/24"), net("10.244.1.0/24"), net("10.244.2.0/24")]);
        assert_eq!(share(net("10.244.0.0/16"), &nodes(None)).unwrap(), shared);
        assert!(share(net("10.244.0.0/23"), &nodes(None)).is_err());
    }
}
