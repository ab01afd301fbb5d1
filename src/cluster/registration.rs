//! Node objects, registered before their kubelets start: with the podCIDR in the object, the pod network can
//! be written at once instead of after the controller manager has handed one out. The range allocator keeps
//! CIDRs that are already set (kube-controller-manager `nodeipam/ipam/range_allocator.go`). With the capacity in it, a kubelet
//! that reads the object back before its own first report admits its static pods: one it once refused it never starts.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::{Node as NodeObject, NodeSpec, NodeStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::ClusterError;

/// What a machine has; its kubelet will tell more exactly.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Processors.
    pub cpus: u64,
    /// Memory in bytes.
    pub memory: u64,
}

/// A kubelet's default.
const PODS: u64 = 110;

/// True when the Node object exists with a podCIDR.
pub async fn is_registered(client: &Client, name: &str) -> Result<bool, ClusterError> {
    let node = Api::<NodeObject>::all(client.clone()).get_opt(name).await.map_err(ClusterError::api("read nodes"))?;
    Ok(node.and_then(|node| node.spec?.pod_cidr).is_some())
}

/// Registers a node, or gives the one that its kubelet registered a podCIDR if it has none.
pub async fn register(
    client: &Client,
    name: &str,
    cidr: Ipv4Net,
    capacity: Capacity,
    provider_id: &str,
) -> Result<(), ClusterError> {
    let nodes = Api::<NodeObject>::all(client.clone());
    let amounts = [("cpu", capacity.cpus), ("memory", capacity.memory), ("pods", PODS)];
    let amounts: BTreeMap<String, Quantity> =
        amounts.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount.to_string()))).collect();
    let object = NodeObject {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([("kubernetes.io/hostname".to_owned(), name.to_owned())])),
            ..Default::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: Some(cidr.to_string()),
            pod_cidrs: Some(vec![cidr.to_string()]),
            provider_id: Some(provider_id.to_owned()),
            ..Default::default()
        }),
        status: Some(NodeStatus { capacity: Some(amounts.clone()), allocatable: Some(amounts), ..Default::default() }),
    };
    match nodes.create(&PostParams::default(), &object).await {
        Ok(_) => return Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(ClusterError::api(format!("register node {name}"))(error)),
    }
    let existing = nodes.get(name).await.map_err(ClusterError::api(format!("read node {name}")))?;
    if existing.spec.and_then(|spec| spec.pod_cidr).is_some() {
        return Ok(());
    }
    let patch = Patch::Merge(json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}));
    match nodes.patch(name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        // the controller manager was faster: its choice is as good, the pod network reads it back
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(()),
        Err(error) => Err(ClusterError::api(format!("give node {name} its pod subnet"))(error)),
    }
}
