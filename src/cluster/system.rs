//! What kubeadm installs into every cluster, and how its presence is seen. Whether it works is for the rules by which
//! components are judged: the objects that they take are here.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};

use super::ClusterError;
use crate::provider::{Command, Node};

/// The node image's own storage manifest (kind's contract).
const STORAGE_MANIFEST: &str = "/kind/manifests/default-storage.yaml";
/// The class in it.
const STORAGE_CLASS: &str = "standard";

/// True when kube-proxy and CoreDNS are there.
pub async fn has_services(client: &Client) -> Result<bool, ClusterError> {
    let read = ClusterError::api("read what kubeadm installed");
    let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), "kube-system");
    let deployments = Api::<Deployment>::namespaced(client.clone(), "kube-system");
    let (proxy, dns) = tokio::try_join!(daemon_sets.get_opt("kube-proxy"), deployments.get_opt("coredns")).map_err(read)?;
    Ok(proxy.is_some() && dns.is_some())
}

/// True when the storage class that the node image brings is there.
pub async fn has_storage_class(client: &Client) -> Result<bool, ClusterError> {
    let classes = Api::<StorageClass>::all(client.clone());
    Ok(classes.get_opt(STORAGE_CLASS).await.map_err(ClusterError::api("read storage classes"))?.is_some())
}

/// The objects of the storage class that the node image brings, as the control plane has them.
pub async fn storage_objects(control_plane: &impl Node) -> Result<Vec<Value>, ClusterError> {
    let manifest = control_plane.run(Command::new(["cat", STORAGE_MANIFEST])).await?;
    Ok(crate::yaml::documents(&manifest.text())?)
}

/// kube-proxy, which leads service addresses to pods.
pub fn kube_proxy() -> Value {
    object("DaemonSet", "kube-proxy")
}

/// CoreDNS.
pub fn coredns() -> Value {
    object("Deployment", "coredns")
}

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"namespace": "kube-system", "name": name}})
}
