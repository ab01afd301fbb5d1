//! Reading and changing objects whose types are known only at run time, and a few queries about pods and deployments.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::error::ScenarioError;
use super::schema::ObjectRef;

/// How often a change is attempted if somebody else changes the object at the same time.
const TRIES: u32 = 5;
/// Field manager of changes.
pub(super) const MANAGER: &str = "hearth-scenario";
/// Label of objects that a run made; its value is the run's name.
pub(super) const RUN_LABEL: &str = "hearth.dev/scenario-run";
/// How long a deleted object may take to disappear.
const GONE_WITHIN: Duration = Duration::from_secs(60);
/// How long a deployment may take to replace its pods.
const ROLLED_OUT_WITHIN: Duration = Duration::from_secs(120);

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The API of an object's kind.
pub(super) async fn api(client: &Client, object: &ObjectRef) -> Result<Api<DynamicObject>, ScenarioError> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let kind = GroupVersionKind::gvk(group, version, &object.kind);
    let (resource, _) = kube::discovery::pinned_kind(client, &kind)
        .await
        .map_err(ScenarioError::kube(format!("find kind {} in {}", object.kind, object.api_version)))?;
    Ok(Api::namespaced_with(client.clone(), &object.namespace, &resource))
}

/// The object; none if it does not exist, or its kind does not.
pub(super) async fn get(client: &Client, object: &ObjectRef) -> Result<Option<DynamicObject>, ScenarioError> {
    let api = match api(client, object).await {
        Err(ScenarioError::Kube { source, .. }) if is_absent(&source) => return Ok(None),
        api => api?,
    };
    api.get_opt(&object.name).await.map_err(ScenarioError::kube(format!("read {object}")))
}

/// If the API server does not serve a kind, the answer is a missing path or a discovery error.
fn is_absent(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 404,
        kube::Error::Discovery(_) => true,
        _ => false,
    }
}

/// Replaces the object's `spec` by the result of `change`; tries again if somebody else was faster. Returns the new object;
/// none, without a change, if the object is gone, is another one with the same name, or is already as wanted.
pub(super) async fn replace_spec(
    client: &Client,
    object: &ObjectRef,
    uid: &str,
    change: impl Fn(&mut Value) -> Result<(), ScenarioError>,
) -> Result<Option<DynamicObject>, ScenarioError> {
    let api = api(client, object).await?;
    for _ in 0..TRIES {
        let found = api.get_opt(&object.name).await.map_err(ScenarioError::kube(format!("read {object}")))?;
        let Some(mut found) = found.filter(|found| found.uid().as_deref() == Some(uid)) else { return Ok(None) };
        let spec = &mut found.data["spec"];
        let before = spec.clone();
        change(spec)?;
        if *spec == before {
            return Ok(None);
        }
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        // the object carries its resource version: if it was changed in between, this is refused
        match api.replace(&object.name, &parameters, &found).await {
            Ok(now) => return Ok(Some(now)),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(ScenarioError::kube(format!("change {object}"))(error)),
        }
    }
    Err(ScenarioError::Contended { object: object.to_string(), tries: TRIES })
}

/// Waits until an object does not exist any more.
pub(super) async fn wait_gone(client: &Client, object: &ObjectRef) -> Result<(), ScenarioError> {
    let begun = tokio::time::Instant::now();
    while get(client, object).await?.is_some() {
        if begun.elapsed() > GONE_WITHIN {
            return Err(ScenarioError::NotGone { object: object.to_string(), limit: GONE_WITHIN });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// An object in a form in which it can be created again: without the fields that only the API server writes.
pub(super) fn portable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
    }
    object
}

/// Sets one field of a `spec`, or removes it. The last part of the path may be new in a mapping.
pub(super) fn put(spec: &mut Value, object: &ObjectRef, path: &str, value: Option<Value>) -> Result<(), ScenarioError> {
    let missing = || ScenarioError::NoField { object: object.to_string(), path: format!("/spec{path}") };
    let (parent, key) = path.rsplit_once('/').ok_or_else(missing)?;
    match (spec.pointer_mut(parent).ok_or_else(missing)?, value) {
        (Value::Object(map), Some(value)) => drop(map.insert(unescape(key), value)),
        (Value::Object(map), None) => drop(map.shift_remove(&unescape(key))),
        (Value::Array(items), Some(value)) => {
            let index: usize = key.parse().map_err(|_| missing())?;
            *items.get_mut(index).ok_or_else(missing)? = value;
        }
        _ => return Err(missing()),
    }
    Ok(())
}

/// A part of a JSON pointer, unescaped (RFC 6901, 4).
fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Pods that match a label selector.
pub(super) async fn pods(client: &Client, namespace: &str, selector: &str) -> Result<Vec<Pod>, ScenarioError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(selector)).await;
    Ok(list.map_err(ScenarioError::kube(format!("list pods of {selector} in {namespace}")))?.items)
}

/// True for a pod that serves: ready, and not being deleted.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// Numbers of ready and of wanted pods of a deployment; none if it does not exist. While it replaces its pods, only the new
/// ones count.
pub(super) async fn availability(client: &Client, namespace: &str, name: &str) -> Result<Option<(i32, i32)>, ScenarioError> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(ScenarioError::kube(format!("read deployment {namespace}/{name}")))?;
    Ok(found.map(|deployment| (lasting(&deployment), deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1))))
}

/// Ready pods that a deployment is not about to replace.
fn lasting(deployment: &Deployment) -> i32 {
    let Some(status) = &deployment.status else { return 0 };
    if status.observed_generation < deployment.metadata.generation {
        return 0;
    }
    let leaving = status.replicas.unwrap_or(0) - status.updated_replicas.unwrap_or(0);
    status.ready_replicas.unwrap_or(0).min(status.updated_replicas.unwrap_or(0)) - leaving
}

/// Waits until a deployment has replaced its pods after the latest change; returns at once for other objects, which need no
/// rollout.
pub(super) async fn wait_rolled_out(client: &Client, object: &ObjectRef) -> Result<(), ScenarioError> {
    if (object.api_version.as_str(), object.kind.as_str()) != ("apps/v1", "Deployment") {
        return Ok(());
    }
    let begun = tokio::time::Instant::now();
    while let Some((ready, wanted)) = availability(client, &object.namespace, &object.name).await?
        && ready < wanted
    {
        if begun.elapsed() > ROLLED_OUT_WITHIN {
            return Err(ScenarioError::NotRolledOut { object: object.to_string(), limit: ROLLED_OUT_WITHIN });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Images of a pod's containers.
pub(super) fn images(pod: &Pod) -> impl Iterator<Item = String> {
    pod.spec
        .iter()
        .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()))
        .filter_map(|c| c.image.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_set_by_pointer_and_nothing_is_invented() {
        let object = ObjectRef { api_version: "v1".into(), kind: "X".into(), namespace: "n".into(), name: "x".into() };
        let mut spec = json!({"http": [{"retries": {"attempts": 3, "perTryTimeout": "3s"}}]});
        let mut set = |path: &str, value| put(&mut spec, &object, path, value).map_err(|error| error.to_string());
        assert_eq!(set("/http/0/retries", Some(json!({"attempts": 0}))), Ok(()));
        assert_eq!(set("/http/0/timeout", Some(json!("1s"))), Ok(()));
        assert_eq!(set("/http/1/timeout", Some(json!("1s"))), Err("X n/x has no field /spec/http/1/timeout".into()));
        assert_eq!(set("/tcp/0", Some(json!({}))), Err("X n/x has no field /spec/tcp/0".into()));
        assert_eq!(set("/http/0/retries", None), Ok(()));
        assert_eq!(spec, json!({"http": [{"timeout": "1s"}]}));
    }

    #[test]
    fn pods_that_are_being_replaced_do_not_count() {
        let lasting = |generation: i64, replicas: i32, updated: i32, ready: i32| {
            let status =
                json!({"observedGeneration": 2, "replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready});
            let deployment = json!({"metadata": {"name": "d", "generation": generation}, "status": status});
            lasting(&serde_json::from_value(deployment).expect("a deployment"))
        };
        assert_eq!(lasting(2, 2, 2, 2), 2);
        assert_eq!(lasting(2, 2, 2, 1), 1);
        assert!(lasting(3, 2, 2, 2) < 1, "the controller has not seen its new form");
        assert!(lasting(2, 3, 1, 3) < 2, "two of the old form, one of the new");
        assert!(lasting(2, 3, 2, 3) < 2, "one of the old form has not gone");
    }

    #[test]
    fn an_object_is_made_again_without_what_the_server_wrote() {
        let was = json!({"kind": "X", "metadata": {"name": "x", "uid": "u", "resourceVersion": "7"}, "spec": 1, "status": 2});
        assert_eq!(portable(&was), json!({"kind": "X", "metadata": {"name": "x"}, "spec": 1}));
    }
}
