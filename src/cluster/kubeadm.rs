//! The control plane, by kubeadm. Its phases are run in three calls, so that the moment in between, when the
//! API starts to answer, is ours: workers and components start then instead of after kubeadm's own waits.
//! (Phases: kubeadm reference, "kubeadm init"; configuration: kubeadm.k8s.io/v1beta4.)

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use super::{ClusterError, kubelet};
use crate::profile::Kubernetes;
use crate::provider::{Command, FileSpec, Node, NodeError};

/// Where kind keeps the configuration; its node image reads it when a container restarts.
const CONFIG: &str = "/kind/kubeadm.conf";
/// What must be done before the API can answer.
const BEFORE_API: &str = "certs,kubeconfig,etcd,control-plane/apiserver,kubelet-start";
/// What pods wait for. The controller manager and the scheduler are among it: started together with etcd and the API
/// server they would only slow them down, and then sit out the pauses after their failed first attempts.
const FOR_PODS: &str = "control-plane/controller-manager,control-plane/scheduler,addon";
/// What only later joins and upgrades need.
const FOR_LATER: &str = "upload-config,mark-control-plane,bootstrap-token";
/// What nobody needs: checks made for bare machines, waits that ours replace, and advice to a reader. The last phase makes the
/// kubelet renew its certificate, which [`kubelet::credentials`] let it do from the start, and restarts it: containers that
/// are being created then are lost, half made.
const NEVER: &str = "preflight,wait-control-plane,upload-certs,show-join-command,kubelet-finalize";
/// The group of kubeadm's own kubeconfig, and the name of the binding that gives it its rights.
const ADMINISTRATORS: &str = "kubeadm:cluster-admins";
/// kind's fixed token; its joins use it, so a worker added by kind's way works too.
const TOKEN: &str = "abcdef.0123456789abcdef";

/// What kubeadm needs to know.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// Version and subnets.
    pub kubernetes: &'a Kubernetes,
    /// Host and port by which nodes reach the API server.
    pub endpoint: &'a str,
    /// The control plane's name.
    pub name: &'a str,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Arguments of its kubelet.
    pub arguments: Vec<(&'static str, String)>,
    /// What differs between hosts for kubelets.
    pub kubelet: kubelet::Quirks,
}

/// kubeadm's configuration documents.
pub fn config(settings: &Settings) -> Vec<Value> {
    let Settings { cluster, kubernetes, endpoint, name, address, arguments, kubelet } = settings;
    let argument = |name: &str, value: &str| json!({"name": name, "value": value});
    vec![
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration",
            "kubernetesVersion": kubernetes.version,
            "clusterName": cluster,
            "controlPlaneEndpoint": endpoint,
            "encryptionAlgorithm": "ECDSA-P256",
            "apiServer": {"certSANs": ["localhost", "127.0.0.1"], "extraArgs": [argument("runtime-config", "")]},
            // one control plane has nobody to elect a leader against: not waiting for the election saves seconds
            // and its default of 20 calls a second makes the controller manager take six seconds to start its controllers
            "controllerManager": {"extraArgs": [
                argument("enable-hostpath-provisioner", "true"), argument("leader-elect", "false"),
                argument("kube-api-qps", "300"), argument("kube-api-burst", "600")]},
            "scheduler": {"extraArgs": [
                argument("leader-elect", "false"), argument("kube-api-qps", "300"), argument("kube-api-burst", "600")]},
            "networking": {"podSubnet": kubernetes.pod_subnet, "serviceSubnet": kubernetes.service_subnet},
        }),
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration",
            "bootstrapTokens": [{"token": TOKEN}],
            "localAPIEndpoint": {"advertiseAddress": address, "bindPort": 6443},
            "nodeRegistration": {
                "criSocket": "unix:///run/containerd/containerd.sock",
                "name": name,
                "kubeletExtraArgs": arguments.iter().map(|(name, value)| argument(name, value)).collect::<Vec<_>>(),
            },
        }),
        kubelet::config(kubernetes, kubelet),
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "iptables": {"minSyncPeriod": "1s"},
            // 0: leave the host's nf_conntrack_max alone
            "conntrack": {"maxPerCore": 0},
        }),
    ]
}

/// The file that holds the configuration on a node.
pub fn config_file(settings: &Settings) -> Result<FileSpec, ClusterError> {
    let documents = config(settings).iter().map(crate::yaml::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(FileSpec { path: CONFIG.to_owned(), bytes: documents.join("---\n").into_bytes(), mode: 0o644 })
}

/// True when the control plane has its API server's static pod, and its kubelet runs.
pub async fn is_started(node: &impl Node) -> Result<bool, NodeError> {
    let look = "test -s /etc/kubernetes/manifests/kube-apiserver.yaml && systemctl is-active --quiet kubelet";
    Ok(node.exec(Command::shell(look)).await?.success())
}

/// Everything up to the start of the kubelet; the API answers some seconds later.
pub async fn start(node: &impl Node) -> Result<(), ClusterError> {
    init(node, &[NEVER, FOR_PODS, FOR_LATER], Duration::from_secs(120)).await
}

/// Gives the group of kubeadm's own kubeconfig its rights. kubeadm does so too when it is first called, but asks the API
/// server before that has taken them up, and fails; until it has started, these are. (Source: kubeadm
/// `phases/kubeconfig`, EnsureAdminClusterRoleBinding.)
pub async fn bind_administrators(client: &Client) -> Result<(), ClusterError> {
    let binding = ClusterRoleBinding {
        metadata: ObjectMeta { name: Some(ADMINISTRATORS.to_owned()), ..Default::default() },
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "ClusterRole".to_owned(),
            name: "cluster-admin".to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "Group".to_owned(),
            name: ADMINISTRATORS.to_owned(),
            ..Default::default()
        }]),
    };
    match Api::<ClusterRoleBinding>::all(client.clone()).create(&PostParams::default(), &binding).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        created => created.map(drop).map_err(ClusterError::api("give kubeadm its rights")),
    }
}

/// Controller manager, scheduler, kube-proxy and CoreDNS. Needs the API.
pub async fn install_services(node: &impl Node) -> Result<(), ClusterError> {
    init(node, &[NEVER, BEFORE_API, FOR_LATER], Duration::from_secs(180)).await
}

/// Stored configuration, bootstrap token rules, the control plane's labels and taint. Needs the API.
pub async fn finish(node: &impl Node) -> Result<(), ClusterError> {
    init(node, &[NEVER, BEFORE_API, FOR_PODS], Duration::from_secs(180)).await
}

/// Runs `kubeadm init` without some phases. A run of an earlier, killed Hearth may still be at it: two at once
/// would trip over each other, so that one is waited for.
async fn init(node: &impl Node, skip: &[&str], timeout: Duration) -> Result<(), ClusterError> {
    let script = format!(
        "while pgrep -x kubeadm >/dev/null; do sleep 0.2; done; exec kubeadm init --config={CONFIG} --skip-token-print --skip-phases={}",
        skip.join(",")
    );
    node.run(Command::shell(script).timeout(timeout)).await.map_err(without_advice)?;
    Ok(())
}

/// The last words of an error are what people see of it; kubeadm's are how to call it, which is not the user's to do.
fn without_advice(mut error: NodeError) -> NodeError {
    if let NodeError::Failed { output, .. } = &mut error
        && let Some(advice) = output.find("To see the stack trace of this error")
    {
        output.truncate(output[..advice].trim_end().len());
    }
    error
}
