//! Kubelets: their configuration, and workers that start without a join.
//!
//! A worker gets exactly the files that `kubeadm join` leaves behind (kubeadm `cmd/phases/join/kubelet.go`),
//! with a client certificate signed beforehand instead of one asked for with a bootstrap token.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ClusterError, pki::Pki};
use crate::profile::Kubernetes;
use crate::provider::{Command, FileSpec, Node};

/// What differs between hosts.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// The host has cgroup v1, which kubelets from 1.35 on refuse unless told otherwise.
    pub cgroup_v1: bool,
    /// Nodes are containers: kubelets live below `/kubelet`, as the node image prepares it.
    pub in_container: bool,
    /// The node's name where the host calls itself otherwise.
    pub name: Option<String>,
    /// The file that names the host's DNS servers; none: the kubelet's own choice.
    pub resolver: Option<String>,
    /// A DNS server for pods where the host's own only listens on its loopback: pods would ask themselves.
    pub nameserver: Option<Ipv4Addr>,
}

/// Where pods find their DNS servers on hosts whose own file does not serve them.
const RESOLVER: &str = "/etc/kubernetes/resolv.conf";

impl Quirks {
    /// What the kubelet's command line needs besides its configuration.
    pub fn arguments(&self, node: &impl Node, provider_id: &str) -> Vec<(&'static str, String)> {
        let mut arguments = vec![("node-ip", node.address().to_string()), ("provider-id", provider_id.to_owned())];
        arguments.extend(self.name.clone().map(|name| ("hostname-override", name)));
        arguments
    }

    /// Files of the host's that the configuration speaks of.
    pub fn files(&self) -> Vec<FileSpec> {
        let text = self.nameserver.map(|address| format!("nameserver {address}\n"));
        text.map(|text| FileSpec { path: RESOLVER.to_owned(), bytes: text.into_bytes(), mode: 0o644 }).into_iter().collect()
    }
}

/// The KubeletConfiguration of every node.
pub fn config(kubernetes: &Kubernetes, quirks: &Quirks) -> Value {
    // by convention the tenth address of the service subnet
    let dns = kubernetes.service_subnet.hosts().nth(9).map(|address| address.to_string());
    let mut config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd",
        "clusterDNS": [dns],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "failSwapOn": false,
        "rotateCertificates": true,
        "staticPodPath": "/etc/kubernetes/manifests",
    });
    if quirks.cgroup_v1 {
        config["failCgroupV1"] = json!(false);
    }
    if let Some(resolver) = quirks.nameserver.map(|_| RESOLVER.to_owned()).or(quirks.resolver.clone()) {
        config["resolvConf"] = json!(resolver);
    }
    if quirks.in_container {
        config["cgroupRoot"] = json!("/kubelet");
        // the disk is the host's: its fill level is not ours to act on
        config["imageGCHighThresholdPercent"] = json!(100);
        config["evictionHard"] = json!({"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"});
    }
    config
}

/// What a kubelet is known by at the API server: its certificate, in the file where it renews it itself, and the kubeconfig
/// that names both.
pub fn credentials(node: &impl Node, pki: &Pki, endpoint: &str) -> Result<Vec<FileSpec>, ClusterError> {
    const CLIENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    let client = pki.client(&format!("system:node:{}", node.name()), "system:nodes")?;
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "default",
        "clusters": [{"name": "default", "cluster": {
            "server": format!("https://{endpoint}"), "certificate-authority": "/etc/kubernetes/pki/ca.crt"}}],
        "users": [{"name": "default", "user": {"client-certificate": CLIENT, "client-key": CLIENT}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
    });
    Ok(vec![
        file("/etc/kubernetes/kubelet.conf", crate::yaml::to_string(&kubeconfig)?, 0o600),
        file(CLIENT, format!("{}{}", client.certificate, client.key), 0o600),
    ])
}

fn file(path: &str, text: String, mode: u32) -> FileSpec {
    FileSpec { path: path.to_owned(), bytes: text.into_bytes(), mode }
}

/// A worker's files.
pub fn worker_files(
    node: &impl Node,
    pki: &Pki,
    endpoint: &str,
    provider_id: &str,
    kubernetes: &Kubernetes,
    quirks: &Quirks,
) -> Result<Vec<FileSpec>, ClusterError> {
    let arguments: Vec<String> =
        quirks.arguments(node, provider_id).iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let flags = format!("KUBELET_KUBEADM_ARGS=\"{}\"\n", arguments.join(" "));
    let mut files = credentials(node, pki, endpoint)?;
    files.extend([
        file("/etc/kubernetes/pki/ca.crt", pki.cluster.certificate.clone(), 0o644),
        file("/var/lib/kubelet/config.yaml", crate::yaml::to_string(&config(kubernetes, quirks))?, 0o644),
        file("/var/lib/kubelet/kubeadm-flags.env", flags, 0o644),
    ]);
    files.extend(quirks.files());
    Ok(files)
}

/// True when the kubelet runs.
pub async fn is_running(node: &impl Node) -> Result<bool, ClusterError> {
    Ok(node.exec(Command::new(["systemctl", "is-active", "--quiet", "kubelet"])).await?.success())
}

/// Starts the kubelet, with whatever configuration the node has now.
pub async fn start(node: &impl Node) -> Result<(), ClusterError> {
    node.run(Command::new(["systemctl", "restart", "kubelet"]).timeout(Duration::from_secs(60))).await?;
    Ok(())
}
