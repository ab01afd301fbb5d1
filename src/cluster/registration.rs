//! Node objects, registered before their kubelets start. With the podCIDR in the object, the pod network can be written at once
//! instead of after the controller manager has assigned one; the range allocator keeps CIDRs that are already set
//! (kube-controller-manager `nodeipam/ipam/range_allocator.go`). With the capacity in it, a kubelet that reads the object back
//! before its own first report admits its static pods: a pod that it refused once is never started.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::{Node as NodeObject, NodeSpec, NodeStatus, Taint};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::ClusterError;

/// A machine's resources; its kubelet will report them more exactly.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Number of processors.
    pub cpus: u64,
    /// Memory in bytes.
    pub memory: u64,
}

/// A kubelet's default limit of pods.
const PODS: u64 = 110;

/// The label that kubeadm puts on control planes, also the key of their taint. (Source: kubeadm `phases/markcontrolplane`.)
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// The label that keeps service load balancers off a node.
const NO_LOAD_BALANCER: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// A node's purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It runs pods; its labels and taints are up to the user.
    Worker,
    /// It runs the control plane, and pods only if it is schedulable: then it has neither the taint nor the label that keep
    /// them off. (Source: kind `actions/kubeadminit`, which removes both on a single node.)
    ControlPlane {
        /// Whether pods may run on it.
        schedulable: bool,
    },
}

impl Purpose {
    /// Labels that the node must have, and labels that it must not have.
    fn labels(self) -> (Vec<&'static str>, Vec<&'static str>) {
        match self {
            Purpose::Worker => (vec![], vec![]),
            Purpose::ControlPlane { schedulable: true } => (vec![CONTROL_PLANE], vec![NO_LOAD_BALANCER]),
            Purpose::ControlPlane { schedulable: false } => (vec![CONTROL_PLANE, NO_LOAD_BALANCER], vec![]),
        }
    }

    /// The taints that a node should have, given those it has now: taints of others stay.
    fn taints(self, taints: &[Taint]) -> Vec<Taint> {
        let own = |taint: &&Taint| taint.key == CONTROL_PLANE && self != Purpose::Worker;
        let mut wanted: Vec<Taint> = taints.iter().filter(|taint| !own(taint)).cloned().collect();
        if self == (Purpose::ControlPlane { schedulable: false }) {
            wanted.push(Taint { key: CONTROL_PLANE.to_owned(), effect: "NoSchedule".to_owned(), ..Default::default() });
        }
        wanted
    }

    /// Which of these labels and taints are wrong on a node, in words.
    fn missing(self, node: &NodeObject) -> Vec<String> {
        let labels = node.metadata.labels.clone().unwrap_or_default();
        let (has, has_not) = self.labels();
        let lacks = has.into_iter().filter(|label| !labels.contains_key(*label)).map(|label| format!("lacks label {label}"));
        let has_too = has_not.into_iter().filter(|label| labels.contains_key(*label)).map(|label| format!("has label {label}"));
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
        let keys = |taints: &[Taint]| {
            let mut keys: Vec<String> = taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
            keys.sort();
            keys
        };
        let differs = keys(&taints) != keys(&self.taints(&taints));
        lacks.chain(has_too).chain(differs.then(|| format!("taint {CONTROL_PLANE} is not as it should be"))).collect()
    }
}

/// What is wrong with a node's registration, one line each; empty if nothing is.
pub async fn missing(client: &Client, name: &str, purpose: Purpose) -> Result<Vec<String>, ClusterError> {
    let node = Api::<NodeObject>::all(client.clone()).get_opt(name).await.map_err(ClusterError::api("read nodes"))?;
    let Some(node) = node else { return Ok(vec!["not there yet".to_owned()]) };
    let mut missing = purpose.missing(&node);
    if node.spec.and_then(|spec| spec.pod_cidr).is_none() {
        missing.push("it has no podCIDR".to_owned());
    }
    Ok(missing)
}

/// Registers a node, or corrects the object that its kubelet registered.
pub async fn register(
    client: &Client,
    name: &str,
    purpose: Purpose,
    cidr: Ipv4Net,
    capacity: Capacity,
    provider_id: &str,
) -> Result<(), ClusterError> {
    let nodes = Api::<NodeObject>::all(client.clone());
    let object = object(name, purpose, cidr, capacity, provider_id);
    match nodes.create(&PostParams::default(), &object).await {
        Ok(_) => return Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(ClusterError::api(format!("register node {name}"))(error)),
    }
    let existing = nodes.get(name).await.map_err(ClusterError::api(format!("read node {name}")))?;
    if !purpose.missing(&existing).is_empty() {
        let (has, has_not) = purpose.labels();
        let labels = has.into_iter().map(|label| (label, Some(""))).chain(has_not.into_iter().map(|label| (label, None)));
        let taints = existing.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
        // the version makes the patch fail if others change the taints in the meantime
        let patch = json!({"metadata": {"resourceVersion": existing.metadata.resource_version,
            "labels": labels.collect::<BTreeMap<_, _>>()}, "spec": {"taints": purpose.taints(&taints)}});
        let marked = nodes.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        marked.map_err(ClusterError::api(format!("mark node {name}")))?;
    }
    if existing.spec.and_then(|spec| spec.pod_cidr).is_some() {
        return Ok(());
    }
    let patch = Patch::Merge(json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}));
    match nodes.patch(name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        // the controller manager was faster: its choice is as good, and the pod network reads it back
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(()),
        Err(error) => Err(ClusterError::api(format!("give node {name} its pod subnet"))(error)),
    }
}

/// A Node object as it is before its kubelet has reported.
fn object(name: &str, purpose: Purpose, cidr: Ipv4Net, capacity: Capacity, provider_id: &str) -> NodeObject {
    let amounts = [("cpu", capacity.cpus), ("memory", capacity.memory), ("pods", PODS)];
    let amounts: BTreeMap<String, Quantity> =
        amounts.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount.to_string()))).collect();
    let marks = purpose.labels().0.into_iter().map(|label| (label.to_owned(), String::new()));
    let labels = std::iter::once(("kubernetes.io/hostname".to_owned(), name.to_owned())).chain(marks);
    NodeObject {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels.collect()), ..Default::default() },
        spec: Some(NodeSpec {
            pod_cidr: Some(cidr.to_string()),
            pod_cidrs: Some(vec![cidr.to_string()]),
            provider_id: Some(provider_id.to_owned()),
            taints: Some(purpose.taints(&[])).filter(|taints| !taints.is_empty()),
            ..Default::default()
        }),
        status: Some(NodeStatus { capacity: Some(amounts.clone()), allocatable: Some(amounts), ..Default::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(purpose: Purpose) -> NodeObject {
        object("n1", purpose, "10.244.0.0/24".parse().unwrap(), Capacity { cpus: 2, memory: 1 << 30 }, "hearth://ssh/h/n1")
    }

    #[test]
    fn a_control_plane_that_runs_pods_has_nothing_that_keeps_them_off() {
        let (keeps_off, runs_pods) = (Purpose::ControlPlane { schedulable: false }, Purpose::ControlPlane { schedulable: true });
        for purpose in [Purpose::Worker, keeps_off, runs_pods] {
            assert!(purpose.missing(&node(purpose)).is_empty(), "{purpose:?}");
        }
        assert_eq!(runs_pods.missing(&node(keeps_off)).len(), 2, "label and taint");
        assert_eq!(keeps_off.missing(&node(runs_pods)).len(), 2);
        assert!(Purpose::Worker.missing(&node(keeps_off)).is_empty(), "a worker's marks are its owner's");
    }

    #[test]
    fn taints_of_others_stay() {
        let other = Taint { key: "mine".into(), effect: "NoExecute".into(), ..Default::default() };
        let mut tainted = node(Purpose::ControlPlane { schedulable: false });
        let taints = tainted.spec.as_mut().unwrap().taints.as_mut().unwrap();
        taints.insert(0, other.clone());
        assert_eq!(Purpose::ControlPlane { schedulable: true }.taints(taints), [other]);
        assert!(Purpose::ControlPlane { schedulable: false }.missing(&tainted).is_empty());
    }
}
