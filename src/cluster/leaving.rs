//! How a node leaves: no new pods are scheduled on it, its pods are evicted, its Node object is removed.
//! (Kubernetes documentation, "Safely Drain a Node" and "API-initiated Eviction".)

use std::time::Duration;

use futures_util::future::try_join_all;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Node as NodeObject, NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, EvictParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::ClusterError;
use crate::progress::Progress;

/// Pause between two looks at pods that take time to end.
const LOOK: Duration = Duration::from_millis(500);

/// Marks the node unschedulable and evicts its pods until none is left, except for DaemonSet pods and static pods. Evictions
/// that a disruption budget refuses are retried until `deadline`.
pub async fn drain(client: &Client, node: &str, deadline: Instant, progress: &Progress) -> Result<(), ClusterError> {
    let started = Instant::now();
    let nodes = Api::<NodeObject>::all(client.clone());
    let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    let cordoned = match nodes.patch(node, &PatchParams::default(), &cordon).await {
        // never registered, or already gone: nothing runs there
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        result => result.map_err(ClusterError::api(format!("cordon node {node}")))?,
    };
    let mut dead = is_silent(&cordoned);
    loop {
        let pods = pods_of(client, node).await?;
        if pods.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
            let state = format!("pods that do not go: {}", names.join(", "));
            return Err(ClusterError::NotReady { what: format!("drained node {node}"), limit: started.elapsed(), state });
        }
        progress.say(format!("pods to move: {}", pods.len()));
        try_join_all(pods.iter().map(|pod| evict(client, pod, dead))).await?;
        sleep(LOOK).await;
        dead = dead || standing(client, node).await? == Standing::Silent;
    }
}

/// A node's state as the cluster sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not part of the cluster.
    Absent,
    /// Its kubelet has not reported for a while: if anything still runs there, nothing will ever report its end.
    Silent,
    /// Its kubelet reports regularly.
    Reports,
}

/// A node's state as the cluster sees it.
pub async fn standing(client: &Client, node: &str) -> Result<Standing, ClusterError> {
    let found = Api::<NodeObject>::all(client.clone()).get_opt(node).await;
    Ok(match found.map_err(ClusterError::api(format!("look at node {node}")))? {
        None => Standing::Absent,
        Some(node) if is_silent(&node) => Standing::Silent,
        Some(_) => Standing::Reports,
    })
}

/// Waits until a node's kubelet has been silent for a while. A machine that does not answer may still run pods: it counts as
/// dead only once its kubelet is silent too, which Kubernetes notices after 50 s.
///
/// # Errors
/// [`ClusterError::NotDead`] when the kubelet still reports at `deadline`.
pub async fn wait_for_silence(client: &Client, node: &str, deadline: Instant, progress: &Progress) -> Result<(), ClusterError> {
    while standing(client, node).await? == Standing::Reports {
        if Instant::now() > deadline {
            return Err(ClusterError::NotDead { node: node.to_owned() });
        }
        progress.say(format!("{node} does not answer; waiting to see whether its kubelet still reports"));
        sleep(LOOK).await;
    }
    Ok(())
}

/// Removes the Node object; no error if it is already gone.
pub async fn forget(client: &Client, node: &str) -> Result<(), ClusterError> {
    let removed = remove(&Api::<NodeObject>::all(client.clone()), node).await;
    removed.map(drop).map_err(ClusterError::api(format!("remove node {node}")))
}

/// A volume that only exists on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The node.
    pub node: String,
    /// Namespace and name of the claim that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<(String, String)>,
}

impl std::fmt::Display for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.name, self.node)?;
        self.claim.as_ref().map_or(Ok(()), |(namespace, name)| write!(f, " (claim {namespace}/{name})"))
    }
}

/// Volumes that exist on one of `nodes` only: their content would be lost with the node.
pub async fn volumes_on(client: &Client, nodes: &[String]) -> Result<Vec<Volume>, ClusterError> {
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let list = volumes.list(&ListParams::default()).await.map_err(ClusterError::api("list volumes"))?;
    let place = |volume: &PersistentVolume| {
        let spec = volume.spec.as_ref()?;
        let terms = spec.node_affinity.as_ref()?.required.as_ref()?.node_selector_terms.clone();
        let hosts = |term: NodeSelectorTerm| {
            let mut expressions = term.match_expressions.into_iter().flatten();
            expressions.find(|expression| expression.key == "kubernetes.io/hostname")?.values
        };
        // each term is another place where it exists
        let hosts = terms.into_iter().map(hosts).collect::<Option<Vec<_>>>()?.concat();
        let node = hosts.first().filter(|_| hosts.iter().all(|host| nodes.contains(host)))?.clone();
        let claim = spec.claim_ref.clone().and_then(|claim| claim.namespace.zip(claim.name));
        Some(Volume { name: volume.name_any(), node, claim })
    };
    Ok(list.iter().filter_map(place).collect())
}

/// Deletes volumes of a dead node together with their claims; a StatefulSet then makes new ones. The volume comes first, or its
/// provisioner would wait for the dead node to clear it. They disappear once no pod uses them; returns true when they are gone.
pub async fn give_up(client: &Client, volumes: &[Volume]) -> Result<bool, ClusterError> {
    let mut gone = true;
    for Volume { name, claim, .. } in volumes {
        let failed = || ClusterError::api(format!("delete volume {name}"));
        gone &= remove(&Api::<PersistentVolume>::all(client.clone()), name).await.map_err(failed())?;
        let Some((namespace, claim)) = claim else { continue };
        let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
        let found = claims.get_opt(claim).await.map_err(failed())?;
        // a new claim with the same name may exist by now, with another volume
        if found.and_then(|claim| claim.spec?.volume_name).as_ref() == Some(name) {
            gone &= remove(&claims, claim).await.map_err(failed())?;
        }
    }
    Ok(gone)
}

/// Waits until these volumes are gone.
///
/// # Errors
/// [`ClusterError::NotReady`] when they are not at `deadline`.
pub async fn wait_for_loss(client: &Client, volumes: &[Volume], deadline: Instant) -> Result<(), ClusterError> {
    let started = Instant::now();
    while !give_up(client, volumes).await? {
        if Instant::now() > deadline {
            let state = volumes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(ClusterError::NotReady { what: "end of volumes".to_owned(), limit: started.elapsed(), state });
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Deletes an object; returns true if there is none.
async fn remove<K>(api: &Api<K>, name: &str) -> kube::Result<bool>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    match api.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
        result => result.map(|_| false),
    }
}

/// Refuses to evict pods from `nodes` if something would be lost: pods that nothing recreates, and pods not made by Hearth that
/// keep data in an emptyDir, as `kubectl drain` does without `--force` and `--delete-emptydir-data`. Only for nodes that run:
/// pods may go on under a kubelet that is silent.
pub async fn refuse_loss(client: &Client, nodes: &[String]) -> Result<(), ClusterError> {
    let mut lost = Vec::new();
    for node in nodes {
        for pod in pods_of(client, node).await? {
            if let Some(why) = loss(client, &pod).await? {
                lost.push(format!("pod {}/{} on {node}: {why}", pod.namespace().unwrap_or_default(), pod.name_any()));
            }
        }
    }
    match lost.is_empty() {
        true => Ok(()),
        false => Err(ClusterError::PodsLost { pods: lost.join("\n  ") }),
    }
}

/// What is lost if a pod is evicted.
async fn loss(client: &Client, pod: &Pod) -> Result<Option<String>, ClusterError> {
    let Some(owner) = controller(pod) else { return Ok(Some("nothing makes it again".to_owned())) };
    let kept = kept_on_node(pod);
    if kept.is_empty() || is_hearths(client, &pod.namespace().unwrap_or_default(), owner).await? {
        return Ok(None);
    }
    Ok(Some(format!("what it keeps in emptyDir {} is lost", kept.join(", "))))
}

fn controller(object: &impl ResourceExt) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}

/// Volumes of a pod that live on its node and end with it, without those that Istio's injection adds.
fn kept_on_node(pod: &Pod) -> Vec<String> {
    let injected = pod.annotations().get("sidecar.istio.io/status").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let injected = injected.and_then(|status| status["volumes"].as_array().cloned()).unwrap_or_default();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let kept = volumes.filter(|volume| volume.empty_dir.is_some() && !injected.contains(&json!(volume.name)));
    kept.map(|volume| volume.name.clone()).collect()
}

/// True when Hearth made the pod's controller: such pods hold nothing that matters.
async fn is_hearths(client: &Client, namespace: &str, owner: &OwnerReference) -> Result<bool, ClusterError> {
    let failed = || ClusterError::api(format!("read {} {namespace}/{}", owner.kind, owner.name));
    let maker = match owner.kind.as_str() {
        "ReplicaSet" => {
            let set = Api::<ReplicaSet>::namespaced(client.clone(), namespace).get_metadata_opt(&owner.name).await;
            let Some(deployment) = set.map_err(failed())?.and_then(|set| controller(&set).cloned()) else { return Ok(false) };
            let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
            deployments.get_metadata_opt(&deployment.name).await.map_err(failed())?.map(|found| found.metadata)
        }
        "StatefulSet" => {
            let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
            sets.get_metadata_opt(&owner.name).await.map_err(failed())?.map(|found| found.metadata)
        }
        _ => None,
    };
    let label = maker.and_then(|meta| meta.labels?.remove("app.kubernetes.io/managed-by"));
    Ok(label.as_deref() == Some("hearth"))
}

/// Pods that have to be evicted.
async fn pods_of(client: &Client, node: &str) -> Result<Vec<Pod>, ClusterError> {
    let parameters = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let list = Api::<Pod>::all(client.clone()).list(&parameters).await.map_err(ClusterError::api("list pods"))?;
    let stays = |pod: &Pod| {
        let ended = pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(|phase| phase == "Succeeded");
        // a DaemonSet recreates its pods on any node; a static pod comes from a file on its node
        ended || pod.owner_references().iter().any(|owner| owner.kind == "DaemonSet" || owner.kind == "Node")
    };
    Ok(list.into_iter().filter(|pod| !stays(pod)).collect())
}

/// True when a node's kubelet is silent: if anything still runs there, nothing will ever report its end.
fn is_silent(node: &NodeObject) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    !conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status != "Unknown")
}

/// Evicts a pod. One that is already terminating is only waited for, unless its node is dead: then it is deleted.
async fn evict(client: &Client, pod: &Pod, dead: bool) -> Result<(), ClusterError> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    if pod.metadata.deletion_timestamp.is_some() {
        if !dead {
            return Ok(());
        }
        let at_once = DeleteParams::default().grace_period(0);
        return match Api::<Pod>::namespaced(client.clone(), &namespace).delete(&name, &at_once).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop).map_err(ClusterError::api(format!("give up pod {namespace}/{name}"))),
        };
    }
    match Api::<Pod>::namespaced(client.clone(), &namespace).evict(&name, &EvictParams::default()).await {
        // gone in the meantime, or held back by a disruption budget for now
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 429) => Ok(()),
        result => result.map(drop).map_err(ClusterError::api(format!("evict pod {namespace}/{name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pod_keeps_on_its_node_is_told_from_what_injection_adds() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "a", "annotations": {"sidecar.istio.io/status": "{\"volumes\":[\"istio-envoy\"]}"}},
            "spec": {"containers": [], "volumes": [
                {"name": "istio-envoy", "emptyDir": {}}, {"name": "cache", "emptyDir": {}}, {"name": "settings", "configMap": {}}]},
        }))
        .unwrap();
        assert_eq!(kept_on_node(&pod), ["cache"]);
    }

    #[test]
    fn a_node_that_nobody_hears_of_is_dead() {
        let node = |status: &str| -> NodeObject {
            serde_json::from_value(json!({"metadata": {"name": "n3"}, "status": {"conditions": [
                {"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status}]}}))
            .unwrap()
        };
        assert!(is_silent(&node("Unknown")) && is_silent(&NodeObject::default()));
        assert!(!is_silent(&node("True")) && !is_silent(&node("False")), "one that reports trouble is alive");
    }
}
