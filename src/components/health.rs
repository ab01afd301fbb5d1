//! Whether objects work: rollouts are complete, services have their address, definitions are served, injection injects.
//! Everything is watched; only what gives no notice (a served group, a webhook that begins to answer) is asked for.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::core::DynamicObject;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::diagnosis::diagnose;
use super::{ComponentError, ObjectRef};

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unhealthy {
    /// The object.
    pub object: ObjectRef,
    /// In what way: "1 of 2 replicas available".
    pub why: String,
}

/// Waits until all objects work.
///
/// # Errors
/// [`ComponentError::NotReady`] with a diagnosis when `deadline` passes, [`ComponentError::Watch`] when the cluster
/// cannot be watched.
pub async fn wait(client: &Client, objects: &[Value], deadline: Instant) -> Result<(), ComponentError> {
    let start = Instant::now();
    let all = objects.iter().map(|object| wait_one(client, object)).collect::<FuturesUnordered<_>>().try_collect::<()>();
    match timeout_at(deadline, all).await {
        Ok(result) => result,
        Err(_) => {
            let unhealthy = unhealthy(client, objects).await.unwrap_or_default();
            let diagnosis = Box::new(diagnose(client, objects, unhealthy).await);
            Err(ComponentError::NotReady { waited: start.elapsed(), diagnosis })
        }
    }
}

async fn wait_one(client: &Client, object: &Value) -> Result<(), ComponentError> {
    match object["kind"].as_str() {
        Some("CustomResourceDefinition") => {
            ask(|| async { served(client, object).await.is_none() }).await;
            Ok(())
        }
        Some("MutatingWebhookConfiguration") => {
            ask(|| async { injects(client).await.is_none() }).await;
            Ok(())
        }
        _ if !has_state(object) => Ok(()),
        _ => {
            let reference = ObjectRef::of(object);
            let api = reference.api(client)?;
            let healthy = |live: Option<&DynamicObject>| live.is_some_and(|live| trouble(&reference.kind, live).is_none());
            let waited = await_condition(api, &reference.name, healthy).await;
            waited.map(drop).map_err(|error| ComponentError::Watch { object: Box::new(reference), source: Box::new(error) })
        }
    }
}

/// Asks until the answer is yes.
async fn ask<F: Future<Output = bool>>(question: impl Fn() -> F) {
    while !question().await {
        sleep(Duration::from_millis(100)).await;
    }
}

/// What does not work now, for `status`.
///
/// # Errors
/// [`ComponentError::Api`] when the cluster cannot be asked.
pub async fn unhealthy(client: &Client, objects: &[Value]) -> Result<Vec<Unhealthy>, ComponentError> {
    let looks = objects.iter().map(|object| async move {
        let reference = ObjectRef::of(object);
        let why = match object["kind"].as_str() {
            Some("CustomResourceDefinition") => served(client, object).await,
            Some("MutatingWebhookConfiguration") => injects(client).await,
            _ if !has_state(object) => None,
            _ => match reference.api(client)?.get_opt(&reference.name).await {
                Ok(None) => Some("does not exist".to_owned()),
                Ok(Some(live)) => trouble(&reference.kind, &live),
                Err(source) => {
                    let source = Box::new(source);
                    return Err(ComponentError::Api { action: "read", object: Box::new(reference), source });
                }
            },
        };
        Ok(why.map(|why| Unhealthy { object: reference, why }))
    });
    let found: Vec<Option<Unhealthy>> = looks.collect::<FuturesUnordered<_>>().try_collect().await?;
    let mut found: Vec<Unhealthy> = found.into_iter().flatten().collect();
    found.sort_by(|one, other| one.object.cmp(&other.object));
    Ok(found)
}

/// Whether an object's kind has a state to wait for.
fn has_state(object: &Value) -> bool {
    match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet" | "DaemonSet") => true,
        Some("Service") => object["spec"]["type"] == "LoadBalancer",
        _ => false,
    }
}

/// Why an object of that kind is not ready, from its own status. (Objects out of a list do not carry their kind.)
fn trouble(kind: &str, live: &DynamicObject) -> Option<String> {
    let count = |pointer: &str| live.data.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if kind == "Service" {
        let address = live.data.pointer("/status/loadBalancer/ingress/0");
        return address.is_none().then(|| "has no address".to_owned());
    }
    if count("/status/observedGeneration") < live.metadata.generation.unwrap_or(0) {
        return Some("its controller has not seen it yet".to_owned());
    }
    let (wanted, updated, available) = match kind {
        "DaemonSet" => {
            let wanted = count("/status/desiredNumberScheduled");
            // before any node fits, none is wanted: that is not yet a rollout
            (wanted.max(1), count("/status/updatedNumberScheduled"), count("/status/numberAvailable"))
        }
        _ => {
            let wanted = live.data.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
            (wanted, count("/status/updatedReplicas"), count("/status/availableReplicas"))
        }
    };
    match () {
        () if updated < wanted => Some(format!("{updated} of {wanted} replicas up to date")),
        () if available < wanted => Some(format!("{available} of {wanted} replicas available")),
        () => None,
    }
}

/// Why a definition's kind is not served. The group's own document is the truth: a definition is Established a moment
/// before its handlers are there; and it is small, where definitions are large.
async fn served(client: &Client, definition: &Value) -> Option<String> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let storage = versions.into_iter().flatten().find(|version| version["storage"] == true)?;
    let group_version = format!("{group}/{}", storage["name"].as_str().unwrap_or_default());
    let served = client.list_api_group_resources(&group_version).await;
    let served = served.is_ok_and(|list| list.resources.iter().any(|resource| resource.name == plural));
    (!served).then(|| format!("{plural} of {group_version} are not served"))
}

/// Why the sidecar injector does not inject: a pod that asks for a sidecar is created as a trial, and stored nowhere.
async fn injects(client: &Client) -> Option<String> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "hearth-injection-trial", "labels": {"sidecar.istio.io/inject": "true"}},
        "spec": {"containers": [{"name": "trial", "image": "trial"}], "automountServiceAccountToken": false},
    });
    let pod: Pod = serde_json::from_value(pod).ok()?;
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    match Api::<Pod>::namespaced(client.clone(), "default").create(&trial, &pod).await {
        Ok(pod) => {
            let spec = pod.spec.unwrap_or_default();
            let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
            let injected = all.into_iter().any(|container| container.name == "istio-proxy");
            (!injected).then(|| "pods get no sidecar".to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(kind: &str, data: Value) -> DynamicObject {
        let mut object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a", "generation": 2}}))
        .expect("an object");
        object.data = data;
        object
    }

    #[test]
    fn a_rollout_is_complete_when_the_new_replicas_are_available() {
        let status = |observed: i64, updated: i64, available: i64| {
            json!({"spec": {"replicas": 2},
                "status": {"observedGeneration": observed, "updatedReplicas": updated, "availableReplicas": available}})
        };
        assert!(trouble("Deployment", &live("Deployment", status(1, 2, 2))).is_some_and(|why| why.contains("not seen")));
        assert_eq!(trouble("Deployment", &live("Deployment", status(2, 1, 2))).as_deref(), Some("1 of 2 replicas up to date"));
        assert_eq!(trouble("Deployment", &live("Deployment", status(2, 2, 1))).as_deref(), Some("1 of 2 replicas available"));
        assert_eq!(trouble("Deployment", &live("Deployment", status(2, 2, 2))), None);
    }

    #[test]
    fn a_daemon_set_without_nodes_is_not_ready() {
        let empty = json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 0}});
        assert!(trouble("DaemonSet", &live("DaemonSet", empty)).is_some());
    }

    #[test]
    fn a_service_is_ready_with_its_address() {
        assert!(trouble("Service", &live("Service", json!({"status": {"loadBalancer": {}}}))).is_some());
        let with = json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}});
        assert_eq!(trouble("Service", &live("Service", with)), None);
    }
}
