//! Kubelets: their configuration, and workers that start without joining.
//!
//! A worker gets exactly the files that `kubeadm join` leaves behind (kubeadm `cmd/phases/join/kubelet.go`), with a client
//! certificate signed in advance instead of one requested with a bootstrap token.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ClusterError, pki::Pki};
use crate::error::Result;
use crate::look::Look;
use crate::profile::Kubernetes;
use crate::provider::{Command, FileSpec, Node, Quirks, files};

/// The file with the DNS servers for pods, on hosts whose own file is of no use to them.
const RESOLVER: &str = "/etc/kubernetes/resolv.conf";

impl Quirks {
    /// Command-line arguments that the kubelet needs besides its configuration.
    pub fn arguments(&self, node: &impl Node, provider_id: &str) -> Vec<(&'static str, String)> {
        let mut arguments = vec![("node-ip", node.address().to_string()), ("provider-id", provider_id.to_owned())];
        arguments.extend(self.name.clone().map(|name| ("hostname-override", name)));
        arguments
    }

    /// Files on the host that the configuration refers to.
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
        // the disk belongs to the host: it is not ours to act on its fill level
        config["imageGCHighThresholdPercent"] = json!(100);
        config["evictionHard"] = json!({"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"});
    }
    config
}

/// Where a kubelet keeps its certificate, and renews it itself.
const CLIENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
/// The kubelet's command-line arguments.
const ARGUMENTS: &str = "/var/lib/kubelet/kubeadm-flags.env";

/// A kubelet's client certificate and key for the API server.
pub fn client(node: &impl Node, pki: &Pki) -> Result<FileSpec, ClusterError> {
    let client = pki.client(&format!("system:node:{}", node.name()), "system:nodes")?;
    Ok(file(CLIENT, format!("{}{}", client.certificate, client.key), 0o600))
}

/// The kubeconfig that refers to the API server and to [`client`].
pub fn kubeconfig(endpoint: &str) -> Result<FileSpec, ClusterError> {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "default",
        "clusters": [{"name": "default", "cluster": {
            "server": format!("https://{endpoint}"), "certificate-authority": "/etc/kubernetes/pki/ca.crt"}}],
        "users": [{"name": "default", "user": {"client-certificate": CLIENT, "client-key": CLIENT}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
    });
    Ok(file("/etc/kubernetes/kubelet.conf", crate::yaml::to_string(&kubeconfig)?, 0o600))
}

fn file(path: &str, text: String, mode: u32) -> FileSpec {
    FileSpec { path: path.to_owned(), bytes: text.into_bytes(), mode }
}

/// A worker's files, except for its [`client`].
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
    let mut files = vec![
        kubeconfig(endpoint)?,
        file("/etc/kubernetes/pki/ca.crt", pki.cluster.certificate.clone(), 0o644),
        file("/var/lib/kubelet/config.yaml", crate::yaml::to_string(&config(kubernetes, quirks))?, 0o644),
        file(ARGUMENTS, format!("KUBELET_KUBEADM_ARGS=\"{}\"\n", arguments.join(" ")), 0o644),
    ];
    files.extend(quirks.files());
    Ok(files)
}

/// True when a node was ever part of a cluster: its kubelet has a kubeconfig.
pub async fn has_joined(node: &impl Node) -> Result<bool> {
    let look = files::read(node, &["/etc/kubernetes/kubelet.conf"]).await?.pop();
    Ok(look.map(Look::known).transpose()?.flatten().is_some())
}

/// What is wrong with a worker's kubelet, one line each: its files, its certificate, the service.
pub async fn worker_problems(node: &impl Node, pki: &Pki, wanted: &[FileSpec]) -> Result<Vec<String>> {
    let (differing, rest) = tokio::try_join!(files::differing(node, wanted), problems(node, pki, &[]))?;
    Ok(differing.into_iter().map(|path| format!("{path} is another")).chain(rest).collect())
}

/// What is wrong with a kubelet, one line each. On a control plane kubeadm writes the arguments among others of its own:
/// `arguments` are those that must be present.
pub async fn problems(node: &impl Node, pki: &Pki, arguments: &[(&str, String)]) -> Result<Vec<String>> {
    let active = Command::new(["systemctl", "is-active", "--quiet", "kubelet"]);
    let (looks, active) = tokio::try_join!(files::read(node, &[CLIENT, ARGUMENTS]), node.exec(active))?;
    let mut texts = Vec::new();
    for look in looks {
        texts.push(look.known()?.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default());
    }
    let mut problems: Vec<String> = pki.refuses(&texts[0]).map(|why| format!("its certificate {why}")).into_iter().collect();
    let has = |argument: &String| texts[1].split(['"', ' ', '\n']).any(|one| one == argument);
    let arguments = arguments.iter().map(|(name, value)| format!("--{name}={value}"));
    problems.extend(arguments.filter(|argument| !has(argument)).map(|argument| format!("it does not have {argument}")));
    if !active.success() {
        problems.push("it does not run".to_owned());
    }
    Ok(problems)
}

/// The state of a node's kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// How often it was restarted.
    pub restarts: u32,
    /// The last error in its log.
    pub said: Option<String>,
}

/// The state of a node's kubelet; none if the node does not answer.
pub async fn state(node: &impl Node) -> Option<State> {
    let script = "systemctl show kubelet --property=NRestarts --value
        journalctl --unit=kubelet --output=cat --lines=60 --no-pager | grep -E '^(E[0-9]|Error|.*err=)' | tail -n 1";
    let output = node.exec(Command::shell(script).timeout(Duration::from_secs(10))).await.ok()?;
    let text = output.text();
    let mut lines = text.lines();
    let restarts = lines.next()?.trim().parse().ok()?;
    Some(State { restarts, said: lines.next().map(said) })
}

/// A line of the kubelet's log as a sentence: its message and its error. (Format: Kubernetes' structured logging, klog.)
fn said(line: &str) -> String {
    let message = line.split_once("] ").map_or(line, |(_, message)| message);
    let error = line.split_once("err=").map(|(_, error)| error.trim_matches('"').replace("\\\"", "\""));
    let mut text = error.unwrap_or_else(|| message.trim_matches('"').to_owned());
    if let Some((at, _)) = text.char_indices().nth(300) {
        text.truncate(at);
    }
    text
}

/// A script that creates the cgroups for a kubelet's pods before the kubelet starts. The kubelet creates them itself, but may
/// look for a static pod's cgroup earlier than that, and then leaves the pod alone for ten seconds and more. systemd makes
/// slices in the hierarchies that it manages; under cgroup v1 the kubelet looks in every hierarchy.
pub fn slices(in_container: bool) -> String {
    let top = if in_container { "kubelet-kubepods" } else { "kubepods" };
    let above = if in_container { "kubelet.slice/" } else { "" };
    format!(
        "systemctl start {top}-burstable.slice {top}-besteffort.slice 2>/dev/null || true
        for root in /sys/fs/cgroup/*; do
          [ -f \"$root/cgroup.procs\" ] && [ ! -L \"$root\" ] && [ ! -f /sys/fs/cgroup/cgroup.controllers ] || continue
          for slice in {above} {above}{top}.slice {above}{top}.slice/{top}-burstable.slice {above}{top}.slice/{top}-besteffort.slice; do
            mkdir -p \"$root/$slice\" 2>/dev/null || continue
            for file in cpuset.cpus cpuset.mems; do
              [ -f \"$root/$slice/$file\" ] && [ -z \"$(cat \"$root/$slice/$file\")\" ] || continue
              cat \"$(dirname \"$root/$slice\")/$file\" >\"$root/$slice/$file\" || true
            done
          done
        done"
    )
}

/// Starts the kubelet, with whatever configuration the node has now.
pub async fn start(node: &impl Node) -> Result<(), ClusterError> {
    node.run(Command::new(["systemctl", "restart", "kubelet"]).timeout(Duration::from_secs(60))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::provider::fake::InMemory;

    async fn worker(pki: &Pki) -> (InMemory, Vec<FileSpec>) {
        let kubernetes = Profile::of_name("q").unwrap().kubernetes;
        let node = InMemory::new("n2");
        let files = worker_files(&node, pki, "n1:6443", "kind://docker/q/n2", &kubernetes, &Quirks::default()).unwrap();
        node.put(files.clone()).await.unwrap();
        node.put(vec![client(&node, pki).unwrap()]).await.unwrap();
        (node, files)
    }

    /// Breaks every postcondition of a worker's kubelet, one at a time.
    #[tokio::test]
    async fn whatever_is_wrong_with_a_kubelet_is_seen() {
        let (pki, other) = (Pki::generate().unwrap(), Pki::generate().unwrap());
        let (node, files) = worker(&pki).await;
        assert!(worker_problems(&node, &pki, &files).await.unwrap().is_empty());
        let seen = async |node: InMemory| worker_problems(&node, &pki, &files).await.unwrap().join("; ");

        for file in &files {
            let (node, _) = worker(&pki).await;
            assert_eq!(seen(node.with(&file.path, "edited")).await, format!("{} is another", file.path));
        }
        let (node, _) = worker(&pki).await;
        node.put(vec![client(&node, &other).unwrap()]).await.unwrap();
        assert_eq!(seen(node.clone()).await, "its certificate is not signed by the cluster's authority");
        assert_eq!(seen(node.with(CLIENT, "-----BEGIN")).await, "its certificate cannot be read");
        let (node, _) = worker(&pki).await;
        node.files.lock().unwrap().remove(CLIENT);
        assert_eq!(seen(node).await, "its certificate is missing");
        let (node, _) = worker(&pki).await;
        assert_eq!(seen(node.answers("is-active", 3, "")).await, "it does not run");

        // a file that cannot be read is neither present nor absent
        let (node, _) = worker(&pki).await;
        assert!(worker_problems(&node.broken(CLIENT, "Input/output error"), &pki, &files).await.is_err());
    }

    #[tokio::test]
    async fn a_kubelet_that_fails_says_why() {
        let log = "12\nE1127 11:34:04.622048     489 run.go:72] \"command failed\" err=\"failed to run Kubelet: open /dev/kmsg: no such file\"\n";
        let node = InMemory::new("n2").answers("NRestarts", 0, log);
        let state = state(&node).await.unwrap();
        assert_eq!((state.restarts, state.said.as_deref()), (12, Some("failed to run Kubelet: open /dev/kmsg: no such file")));
        assert_eq!(super::state(&InMemory::new("n3")).await, None, "no answer is no state");
    }

    #[test]
    fn the_cgroups_of_pods_are_named_as_the_kubelet_names_them() {
        assert!(slices(true).contains("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice"));
        assert!(slices(false).contains(" kubepods.slice/kubepods-besteffort.slice"));
    }

    #[tokio::test]
    async fn a_control_planes_kubelet_has_its_arguments_among_kubeadms() {
        let pki = Pki::generate().unwrap();
        let (node, _) = worker(&pki).await;
        let node = node.with(ARGUMENTS, "KUBELET_KUBEADM_ARGS=\"--node-ip=172.18.0.2 --provider-id=x --v=2\"\n");
        let asked = [("node-ip", "172.18.0.2".to_owned()), ("provider-id", "x".to_owned())];
        assert!(problems(&node, &pki, &asked).await.unwrap().is_empty());
        let asked = [("node-ip", "172.18.0.20".to_owned())];
        assert_eq!(problems(&node, &pki, &asked).await.unwrap(), ["it does not have --node-ip=172.18.0.20"]);
    }
}
