//! Whether objects work: rollouts are complete, services have their address, definitions are served, injection injects.
//! Everything is watched, except what cannot be (a served group, a webhook that begins to answer), which is polled.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::PostParams;
use kube::core::DynamicObject;
use kube::runtime::wait::{self, await_condition};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::diagnosis::diagnose;
use super::{ComponentError, ObjectRef, waiting};
use crate::error::plain;
use crate::progress::Progress;

/// How to see that a part works, beyond its objects existing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Its deployments, stateful sets and daemon sets have rolled out.
    Rollout,
    /// The kinds that it defines are served.
    Served,
    /// Its services of type LoadBalancer have an address.
    Address,
    /// Its objects of a kind have a condition that is True.
    Condition {
        /// The kind of the objects.
        kind: &'static str,
        /// The condition's type.
        condition: &'static str,
    },
    /// Its webhooks change pods: a pod with this label, created as a dry run, gets this container.
    Injects {
        /// Key and value of the label.
        label: (&'static str, &'static str),
        /// The container's name.
        container: &'static str,
    },
}

impl Ready {
    /// True when this check looks at the object.
    fn concerns(self, object: &Value) -> bool {
        let kind = object["kind"].as_str().unwrap_or_default();
        match self {
            Ready::Rollout => ["Deployment", "StatefulSet", "DaemonSet"].contains(&kind),
            Ready::Served => kind == "CustomResourceDefinition",
            Ready::Address => kind == "Service" && object["spec"]["type"] == "LoadBalancer",
            Ready::Condition { kind: conditional, .. } => kind == conditional,
            Ready::Injects { .. } => kind == "MutatingWebhookConfiguration",
        }
    }
}

/// Something wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unhealthy {
    /// The object.
    pub object: ObjectRef,
    /// A fragment such as "1 of 2 replicas available".
    pub why: String,
}

/// Waits until objects meet every check of `ready`; reports meanwhile what the cluster shows about them.
///
/// # Errors
/// [`ComponentError::Hopeless`] as soon as the cluster shows that waiting is in vain, [`ComponentError::NotReady`] with a
/// diagnosis at the `deadline`, [`ComponentError::Watch`] if the cluster cannot be watched.
pub async fn wait(
    client: &Client,
    ready: &[Ready],
    objects: &[Value],
    deadline: Instant,
    progress: &Progress,
) -> Result<(), ComponentError> {
    let start = Instant::now();
    let waits = questions(ready, objects).map(|(ready, object)| wait_one(client, ready, object));
    let all = waits.collect::<FuturesUnordered<_>>().try_collect::<()>();
    let hopeless = tokio::select! {
        biased;
        done = timeout_at(deadline, all) => match done {
            Ok(result) => return result,
            Err(_) => None,
        },
        sign = waiting::until_hopeless(client, ready, objects, |said| progress.say(said)) => Some(sign),
    };
    let unhealthy = unhealthy(client, ready, objects).await.unwrap_or_default();
    let diagnosis = Box::new(diagnose(client, objects, unhealthy).await);
    Err(match hopeless {
        Some(sign) => ComponentError::Hopeless { cause: sign.to_string(), waited: start.elapsed(), diagnosis },
        None => ComponentError::NotReady { waited: start.elapsed(), diagnosis },
    })
}

/// Every check, with each object that it looks at.
fn questions<'a>(ready: &'a [Ready], objects: &'a [Value]) -> impl Iterator<Item = (Ready, &'a Value)> {
    let of = |ready: &'a Ready| objects.iter().filter(|object| ready.concerns(object)).map(|object| (*ready, object));
    ready.iter().flat_map(of)
}

async fn wait_one(client: &Client, ready: Ready, object: &Value) -> Result<(), ComponentError> {
    let reference = ObjectRef::of(object);
    match ready {
        Ready::Served => ask(|| async { served(client, object).await.is_none() }).await,
        Ready::Injects { label, container } => {
            // a dry run before the webhook has an endpoint would only cost the API server time
            for service in webhook_services(object) {
                let has_endpoint =
                    |slice: &EndpointSlice| slice.endpoints.iter().flatten().any(|endpoint| !endpoint.addresses.is_empty());
                let label = format!("kubernetes.io/service-name={}", service.name);
                let slices = Api::namespaced(client.clone(), &service.namespace);
                watch_until(&reference, || until_one(slices.clone(), &label, has_endpoint)).await?;
            }
            ask(|| async { injects(client, label, container).await.is_none() }).await;
        }
        Ready::Rollout | Ready::Address | Ready::Condition { .. } => {
            let api = reference.api(client)?;
            let healthy = |live: Option<&DynamicObject>| live.is_some_and(|live| trouble(ready, &reference.kind, live).is_none());
            watch_until(&reference, || await_condition(api.clone(), &reference.name, healthy)).await?;
        }
    }
    Ok(())
}

/// Watches again when a watch breaks off, which happens whenever the API server is busy; gives up if it refuses.
async fn watch_until<T, F>(object: &ObjectRef, watch: impl Fn() -> F) -> Result<(), ComponentError>
where
    F: Future<Output = Result<T, wait::Error>>,
{
    loop {
        let Err(wait::Error::ProbeFailed(error)) = watch().await else { return Ok(()) };
        if let watcher::Error::InitialListFailed(kube::Error::Api(status)) = &error
            && matches!(status.code, 401 | 403)
        {
            return Err(ComponentError::Watch { object: Box::new(object.clone()), source: Box::new(error) });
        }
        tracing::debug!(%object, %error, "will be watched again");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until one of the labelled objects matches.
async fn until_one<K>(api: Api<K>, label: &str, matches: impl Fn(&K) -> bool) -> Result<(), wait::Error>
where
    K: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut events = pin!(watcher(api, watcher::Config::default().labels(label)));
    while let Some(event) = events.try_next().await.map_err(wait::Error::ProbeFailed)? {
        if let watcher::Event::Apply(object) | watcher::Event::InitApply(object) = event
            && matches(&object)
        {
            break;
        }
    }
    Ok(())
}

/// The services that a webhook configuration calls, each once.
fn webhook_services(configuration: &Value) -> BTreeSet<Service> {
    let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
    let service = |webhook: &Value| {
        let text = |key: &str| webhook.pointer(&format!("/clientConfig/service/{key}"))?.as_str().map(str::to_owned);
        Some(Service { namespace: text("namespace")?, name: text("name")? })
    };
    webhooks.filter_map(service).collect()
}

/// A service's namespace and name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Service {
    namespace: String,
    name: String,
}

/// Polls until the answer is yes.
async fn ask<F: Future<Output = bool>>(question: impl Fn() -> F) {
    while !question().await {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Which checks of `ready` the objects do not meet now.
///
/// # Errors
/// [`ComponentError::Api`] if the cluster does not answer.
pub async fn unhealthy(client: &Client, ready: &[Ready], objects: &[Value]) -> Result<Vec<Unhealthy>, ComponentError> {
    let looks = questions(ready, objects).map(|(ready, object)| async move {
        let reference = ObjectRef::of(object);
        let why = match ready {
            Ready::Served => served(client, object).await,
            Ready::Injects { label, container } => injects(client, label, container).await,
            Ready::Rollout | Ready::Address | Ready::Condition { .. } => {
                match reference.api(client)?.get_opt(&reference.name).await {
                    Ok(None) => Some("does not exist".to_owned()),
                    Ok(Some(live)) => trouble(ready, &reference.kind, &live),
                    Err(source) => {
                        let source = Box::new(source);
                        return Err(ComponentError::Api { action: "read", object: Box::new(reference), source });
                    }
                }
            }
        };
        Ok(why.map(|why| Unhealthy { object: reference, why }))
    });
    let found: Vec<Option<Unhealthy>> = looks.collect::<FuturesUnordered<_>>().try_collect().await?;
    let mut found: Vec<Unhealthy> = found.into_iter().flatten().collect();
    found.sort_by(|one, other| one.object.cmp(&other.object));
    Ok(found)
}

/// Why an object is not ready, from its own status. (Objects from a list do not carry their kind.)
fn trouble(ready: Ready, kind: &str, live: &DynamicObject) -> Option<String> {
    match ready {
        Ready::Rollout => rolling_out(kind, live),
        Ready::Address => {
            let address = live.data.pointer("/status/loadBalancer/ingress/0");
            address.is_none().then(|| "has no address".to_owned())
        }
        Ready::Condition { condition, .. } => unmet(condition, live),
        Ready::Served | Ready::Injects { .. } => None,
    }
}

/// Why a condition is not True, in the words of the controller that sets it.
fn unmet(condition: &str, live: &DynamicObject) -> Option<String> {
    let conditions = live.data.pointer("/status/conditions").and_then(Value::as_array);
    let Some(found) = conditions.into_iter().flatten().find(|one| one["type"] == condition) else {
        return Some(format!("nothing is known of {condition} yet"));
    };
    let text = |key: &str| found[key].as_str().filter(|text| !text.is_empty());
    let why = [text("reason"), text("message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    (found["status"] != "True").then(|| format!("not {condition}: {why}"))
}

/// Why a rollout is not complete.
fn rolling_out(kind: &str, live: &DynamicObject) -> Option<String> {
    let count = |pointer: &str| live.data.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
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

/// Why a definition's kind is not served. The group's own document is the authority: a definition is Established a moment
/// before its handlers are there. The document is also small, where definitions are large.
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

/// Why a webhook does not inject: a pod that should get the container is created as a dry run, which stores nothing.
async fn injects(client: &Client, label: (&str, &str), container: &str) -> Option<String> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "hearth-injection-trial", "labels": {label.0: label.1}},
        "spec": {"containers": [{"name": "trial", "image": "trial"}], "automountServiceAccountToken": false},
    });
    let pod: Pod = serde_json::from_value(pod).ok()?;
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    match Api::<Pod>::namespaced(client.clone(), "default").create(&trial, &pod).await {
        Ok(pod) => {
            let spec = pod.spec.unwrap_or_default();
            let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
            let injected = all.into_iter().any(|one| one.name == container);
            (!injected).then(|| format!("pods get no container {container}"))
        }
        Err(error) => Some(plain(&error.to_string())),
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
        let why = |observed: i64, updated: i64, available: i64| {
            let status = json!({"observedGeneration": observed, "updatedReplicas": updated, "availableReplicas": available});
            trouble(Ready::Rollout, "Deployment", &live("Deployment", json!({"spec": {"replicas": 2}, "status": status})))
        };
        assert!(why(1, 2, 2).is_some_and(|why| why.contains("not seen")));
        assert_eq!(why(2, 1, 2).as_deref(), Some("1 of 2 replicas up to date"));
        assert_eq!(why(2, 2, 1).as_deref(), Some("1 of 2 replicas available"));
        assert_eq!(why(2, 2, 2), None);
    }

    #[test]
    fn a_daemon_set_without_nodes_is_not_ready() {
        let empty = json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 0}});
        assert!(trouble(Ready::Rollout, "DaemonSet", &live("DaemonSet", empty)).is_some());
    }

    #[test]
    fn a_service_is_ready_with_its_address() {
        let why = |status: Value| trouble(Ready::Address, "Service", &live("Service", json!({"status": status})));
        assert!(why(json!({"loadBalancer": {}})).is_some());
        assert_eq!(why(json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}})), None);
    }

    #[test]
    fn a_condition_is_met_when_it_is_true_and_otherwise_tells_why() {
        let ready = Ready::Condition { kind: "APIService", condition: "Available" };
        let why =
            |conditions: Value| trouble(ready, "APIService", &live("APIService", json!({"status": {"conditions": conditions}})));
        assert_eq!(why(json!([])).as_deref(), Some("nothing is known of Available yet"));
        let failing = json!([{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints"}]);
        assert_eq!(why(failing).as_deref(), Some("not Available: MissingEndpoints: no endpoints"));
        assert_eq!(why(json!([{"type": "Other", "status": "False"}, {"type": "Available", "status": "True"}])), None);
    }

    #[test]
    fn objects_are_asked_only_what_their_part_says() {
        let objects = [
            json!({"kind": "MutatingWebhookConfiguration"}),
            json!({"kind": "Deployment"}),
            json!({"kind": "Service", "spec": {"type": "ClusterIP"}}),
            json!({"kind": "Service", "spec": {"type": "LoadBalancer"}}),
        ];
        let asked = |ready: &[Ready]| questions(ready, &objects).map(|(_, object)| object.clone()).collect::<Vec<_>>();
        assert_eq!(asked(&[]), [] as [Value; 0], "a webhook of somebody else's is not tried by Istio's injection");
        assert_eq!(asked(&[Ready::Rollout, Ready::Address]), [objects[1].clone(), objects[3].clone()]);
        assert_eq!(asked(&[Ready::Injects { label: ("a", "b"), container: "c" }]), [objects[0].clone()]);
    }

    /// Parts with objects that have a state to wait for wait for it: a part that left that out would count as healthy at once.
    #[test]
    fn parts_wait_for_what_they_roll_out_and_announce() {
        use crate::components::{catalogue, render, testing};
        for profile in testing::everything() {
            let decided = testing::decided(&profile);
            for part in catalogue::parts(&profile) {
                let objects = render::render(&part, &decided).expect("renders");
                for need in [Ready::Rollout, Ready::Served, Ready::Address] {
                    let has = objects.iter().any(|object| need.concerns(object));
                    assert!(!has || part.ready.contains(&need), "{} does not wait for {need:?}", part.id);
                }
            }
        }
    }
}
