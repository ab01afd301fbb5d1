//! What kubeadm installs into every cluster, and how to see that it is there. Whether it works is judged by the rules for
//! components, from the objects returned here.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};

use super::ClusterError;
use crate::provider::{Command, Node};

/// The node image's own storage manifest (kind's contract).
const STORAGE_MANIFEST: &str = "/kind/manifests/default-storage.yaml";

/// Which objects of kube-proxy and CoreDNS are missing, one line each.
pub async fn services_missing(client: &Client) -> Result<Vec<String>, ClusterError> {
    let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), "kube-system");
    let deployments = Api::<Deployment>::namespaced(client.clone(), "kube-system");
    let services = Api::<Service>::namespaced(client.clone(), "kube-system");
    let settings = Api::<ConfigMap>::namespaced(client.clone(), "kube-system");
    let looks = tokio::try_join!(
        daemon_sets.get_metadata_opt("kube-proxy"),
        deployments.get_metadata_opt("coredns"),
        services.get_metadata_opt("kube-dns"),
        settings.get_metadata_opt("kube-proxy"),
        settings.get_metadata_opt("coredns"),
    );
    let (proxy, dns, address, proxy_settings, dns_settings) = looks.map_err(ClusterError::api("read what kubeadm installed"))?;
    let wanted = [
        (proxy.is_some(), "DaemonSet kube-proxy"),
        (dns.is_some(), "Deployment coredns"),
        (address.is_some(), "Service kube-dns"),
        (proxy_settings.is_some(), "ConfigMap kube-proxy"),
        (dns_settings.is_some(), "ConfigMap coredns"),
    ];
    Ok(wanted.into_iter().filter(|(there, _)| !there).map(|(_, what)| format!("{what} is missing")).collect())
}

/// The objects of the node image's storage class, as the control plane has them.
pub async fn storage_objects(control_plane: &impl Node) -> Result<Vec<Value>, ClusterError> {
    let manifest = control_plane.run(Command::new(["cat", STORAGE_MANIFEST])).await?;
    Ok(crate::yaml::documents(&manifest.text())?)
}

/// kube-proxy, which routes service addresses to pods.
pub fn kube_proxy() -> Value {
    object("DaemonSet", "kube-proxy")
}

/// CoreDNS, which resolves service names.
pub fn coredns() -> Value {
    object("Deployment", "coredns")
}

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"namespace": "kube-system", "name": name}})
}
