//! The control plane, by kubeadm. Its phases run in three calls, so that Hearth controls the moment in between, when the API
//! starts to answer: workers and components start then instead of after kubeadm's own waits. (Phases: kubeadm reference,
//! "kubeadm init"; configuration: kubeadm.k8s.io/v1beta4.)

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use super::{ClusterError, kubelet};
use crate::error::Result;
use crate::profile::Kubernetes;
use crate::provider::{Command, FileSpec, Node, NodeError, Quirks, files};

/// Where kind keeps the configuration; its node image reads it when a container restarts.
pub(super) const CONFIG: &str = "/kind/kubeadm.conf";
/// What has to be done before the API can answer.
const BEFORE_API: &str = "certs,kubeconfig,etcd,control-plane/apiserver,kubelet-start";
/// What pods need. The controller manager and the scheduler belong here: started together with etcd and the API server they
/// would only slow those down, and then sit out the pauses after their failed first attempts.
const FOR_PODS: &str = "control-plane/controller-manager,control-plane/scheduler,addon";
/// What only later upgrades need.
const FOR_LATER: &str = "upload-config";
/// What nobody needs: checks made for bare machines, waits that ours replace, and advice to a reader. Labels and taint of the
/// control plane are registered with it ([`super::registration`]). Nothing joins by a token, so none is made that others could
/// use. The last phase makes the kubelet renew its certificate, which [`kubelet::client`] allowed from the start, and restarts
/// it: containers that are just being created are then lost, half made.
const NEVER: &str =
    "preflight,wait-control-plane,upload-certs,mark-control-plane,bootstrap-token,show-join-command,kubelet-finalize";
/// The group of kubeadm's own kubeconfig, and the name of the binding that gives it its rights.
const ADMINISTRATORS: &str = "kubeadm:cluster-admins";
/// Lets kubelets renew their own certificates; named as kubeadm names it. (Source: kubeadm `phases/bootstraptoken/node`,
/// AutoApproveNodeCertificateRotation; kubeadm creates it with the bootstrap tokens, of which we have none.)
const ROTATION: &str = "kubeadm:node-autoapprove-certificate-rotation";
/// Lets the API server ask kubelets for logs and shells; named as kubeadm names it. (Source: kubeadm
/// `phases/bootstraptoken/node`, AllowAPIServerToAccessKubeletAPI; from 1.36 on its certificate is no administrator's, and
/// kubeadm creates the binding with the bootstrap tokens, of which we have none.)
const KUBELET_API: &str = "kubeadm:apiserver-kubelet-client";
/// The last object that kubeadm stores. (Source: kubeadm `phases/kubelet`, CreateConfigMap.)
const STORED: &str = "kubeadm:kubelet-config";
/// kind's fixed token, which is public: earlier versions of Hearth made clusters with it.
const TOKEN: &str = "bootstrap-token-abcdef";

/// The input to kubeadm's configuration.
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
    /// The control plane's own address.
    pub address: Ipv4Addr,
    /// Command-line arguments of its kubelet.
    pub arguments: Vec<(&'static str, String)>,
    /// Differences between hosts that matter to kubelets.
    pub kubelet: Quirks,
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
            // a single control plane has no other to elect a leader against, and not waiting for the election saves seconds;
            // with the default of 20 calls a second the controller manager takes six seconds to start its controllers
            "controllerManager": {"extraArgs": [
                argument("enable-hostpath-provisioner", "true"), argument("leader-elect", "false"),
                argument("kube-api-qps", "300"), argument("kube-api-burst", "600")]},
            "scheduler": {"extraArgs": [
                argument("leader-elect", "false"), argument("kube-api-qps", "300"), argument("kube-api-burst", "600")]},
            "networking": {"podSubnet": kubernetes.pod_subnet, "serviceSubnet": kubernetes.service_subnet},
        }),
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration",
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
            // 0: do not change the host's nf_conntrack_max
            "conntrack": {"maxPerCore": 0},
        }),
    ]
}

/// The file that holds the configuration on a node.
pub fn config_file(settings: &Settings) -> Result<FileSpec, ClusterError> {
    let documents = config(settings).iter().map(crate::yaml::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(FileSpec { path: CONFIG.to_owned(), bytes: documents.join("---\n").into_bytes(), mode: 0o600 })
}

/// Files of a control plane that was started: without them the API server does not answer, or kubeadm cannot continue.
pub const STARTED: [&str; 5] = [
    CONFIG,
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/kubelet/config.yaml",
];
/// Files that [`install_services`] writes.
pub const INSTALLED: [&str; 2] =
    ["/etc/kubernetes/manifests/kube-controller-manager.yaml", "/etc/kubernetes/manifests/kube-scheduler.yaml"];

/// Those of `paths` that are missing on a node, one line each.
pub async fn files_missing(node: &impl Node, paths: &[&str]) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for (path, look) in paths.iter().zip(files::read(node, paths).await?) {
        if look.known()?.is_none_or(|file| file.bytes.is_empty()) {
            missing.push(format!("{path} is missing"));
        }
    }
    Ok(missing)
}

/// Runs everything up to the start of the kubelet; the API answers some seconds later.
pub async fn start(node: &impl Node, in_container: bool) -> Result<(), ClusterError> {
    node.run(Command::shell(kubelet::slices(in_container)).timeout(Duration::from_secs(30))).await?;
    init(node, &[NEVER, FOR_PODS, FOR_LATER], Duration::from_secs(120)).await
}

/// Grants the group of kubeadm's own kubeconfig its rights. kubeadm does so too on its first call, but uses the API before the
/// new rights are in effect, and fails; these are in effect by the time it has started. (Source: kubeadm `phases/kubeconfig`,
/// EnsureAdminClusterRoleBinding.)
pub async fn bind_administrators(client: &Client) -> Result<(), ClusterError> {
    bind(client, ADMINISTRATORS, "cluster-admin", ("Group", ADMINISTRATORS))
        .await
        .map_err(ClusterError::api("give kubeadm its rights"))
}

/// Binds a cluster role to a group or user; no error if it is bound already.
async fn bind(client: &Client, name: &str, role: &str, (kind, subject): (&str, &str)) -> Result<(), kube::Error> {
    let binding = ClusterRoleBinding {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..Default::default() },
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "ClusterRole".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: kind.to_owned(),
            name: subject.to_owned(),
            ..Default::default()
        }]),
    };
    match Api::<ClusterRoleBinding>::all(client.clone()).create(&PostParams::default(), &binding).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        created => created.map(drop),
    }
}

/// Which of kubeadm's own bindings are missing, one line each.
pub async fn rights_missing(client: &Client) -> Result<Vec<String>, ClusterError> {
    let bindings = Api::<ClusterRoleBinding>::all(client.clone());
    let found = bindings.get_metadata_opt(ADMINISTRATORS).await.map_err(ClusterError::api("look for kubeadm's rights"))?;
    Ok(found.is_none().then(|| format!("ClusterRoleBinding {ADMINISTRATORS} is missing")).into_iter().collect())
}

/// Installs controller manager, scheduler, kube-proxy and CoreDNS. Needs the API.
pub async fn install_services(node: &impl Node) -> Result<(), ClusterError> {
    init(node, &[NEVER, BEFORE_API, FOR_LATER], Duration::from_secs(180)).await
}

/// What is left for [`finish`] to do, one line each; empty if nothing is.
pub async fn unfinished(client: &Client) -> Result<Vec<String>, ClusterError> {
    let roles = Api::<RoleBinding>::namespaced(client.clone(), "kube-system");
    let rights = Api::<ClusterRoleBinding>::all(client.clone());
    let secrets = Api::<Secret>::namespaced(client.clone(), "kube-system");
    let settings = Api::<ConfigMap>::namespaced(client.clone(), "kube-system");
    let looks = tokio::try_join!(
        settings.get_metadata_opt("kubeadm-config"),
        settings.get_metadata_opt("kubelet-config"),
        roles.get_metadata_opt(STORED),
        rights.get_metadata_opt(ROTATION),
        rights.get_metadata_opt(KUBELET_API),
        secrets.get_metadata_opt(TOKEN),
    );
    let (own, kubelets, readable, rotation, logs, token) =
        looks.map_err(ClusterError::api("look for the stored configuration"))?;
    let wanted = [
        (own.is_none(), "ConfigMap kubeadm-config is missing"),
        (kubelets.is_none(), "ConfigMap kubelet-config is missing"),
        (readable.is_none(), "nodes may not read the kubelets' configuration"),
        (rotation.is_none(), "kubelets may not renew their certificates"),
        (logs.is_none(), "the API server may not ask kubelets for logs"),
        (token.is_some(), "a bootstrap token that everybody knows lets anybody join"),
    ];
    Ok(wanted.into_iter().filter(|(lacks, _)| *lacks).map(|(_, what)| what.to_owned()).collect())
}

/// Stores the configuration, lets kubelets renew their certificates and the API server read their logs, and removes the token
/// that earlier versions of Hearth made. Needs the API.
pub async fn finish(node: &impl Node, client: &Client) -> Result<(), ClusterError> {
    init(node, &[NEVER, BEFORE_API, FOR_PODS], Duration::from_secs(180)).await?;
    let role = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient";
    let bound = bind(client, ROTATION, role, ("Group", "system:nodes")).await;
    bound.map_err(ClusterError::api("let kubelets renew their certificates"))?;
    let bound = bind(client, KUBELET_API, "system:kubelet-api-admin", ("User", "kube-apiserver-kubelet-client")).await;
    bound.map_err(ClusterError::api("let the API server ask kubelets for logs"))?;
    match Api::<Secret>::namespaced(client.clone(), "kube-system").delete(TOKEN, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        deleted => deleted.map(drop).map_err(ClusterError::api("remove the bootstrap token")),
    }
}

/// Runs `kubeadm init` without some phases. A kubeadm started by an earlier, killed Hearth may still be running: two at once
/// would get in each other's way, so that one is waited for.
async fn init(node: &impl Node, skip: &[&str], timeout: Duration) -> Result<(), ClusterError> {
    let script = format!(
        "while pgrep -x kubeadm >/dev/null; do sleep 0.2; done; exec kubeadm init --config={CONFIG} --skip-token-print --skip-phases={}",
        skip.join(",")
    );
    node.run(Command::shell(script).timeout(timeout)).await.map_err(without_advice)?;
    Ok(())
}

/// Users see the last lines of an error; kubeadm's are usage advice, which is of no use to them.
fn without_advice(mut error: NodeError) -> NodeError {
    if let NodeError::Failed { output, .. } = &mut error
        && let Some(advice) = output.find("To see the stack trace of this error")
    {
        output.truncate(output[..advice].trim_end().len());
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::provider::fake::InMemory;

    fn settings(kubernetes: &Kubernetes) -> Settings<'_> {
        Settings {
            cluster: "quick",
            kubernetes,
            endpoint: "quick-control-plane:6443",
            name: "quick-control-plane",
            address: Ipv4Addr::new(172, 18, 0, 2),
            arguments: vec![("node-ip", "172.18.0.2".into())],
            kubelet: Quirks::default(),
        }
    }

    #[tokio::test]
    async fn nothing_secret_is_a_constant_and_no_token_is_made() {
        let kubernetes = Profile::of_name("q").unwrap().kubernetes;
        let file = config_file(&settings(&kubernetes)).unwrap();
        let text = String::from_utf8(file.bytes).unwrap();
        assert!(!text.contains("oken"), "{text}");
        assert_eq!(file.mode, 0o600, "it is nobody else's to read");
        let node = InMemory::new("n1");
        start(&node, true).await.unwrap();
        install_services(&node).await.unwrap();
        let asked = node.asked.lock().unwrap().clone();
        assert!(asked[0].contains("kubelet-kubepods.slice"), "what static pods live in is there first: {asked:?}");
        assert!(asked[1..].iter().all(|command| command.contains("bootstrap-token")), "a phase that is skipped: {asked:?}");
    }
}
