//! Why something is not ready, as far as the cluster shows: pods, states of their containers, events and last log lines.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::health::Unhealthy;

/// Log lines quoted per container.
const LOG_LINES: i64 = 5;
/// Pods described in detail; the others are counted.
const PODS: usize = 5;

/// Why something is not ready.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Diagnosis {
    /// Objects that do not work.
    pub objects: Vec<Unhealthy>,
    /// Pods behind them that are not ready.
    pub pods: Vec<PodTrouble>,
    /// How many more pods are not ready.
    pub more_pods: usize,
}

/// A pod that is not ready.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct PodTrouble {
    /// `namespace/name`.
    pub pod: String,
    /// Its node, once it has one.
    pub node: Option<String>,
    /// Phase, and the reason and message of each container that is not ready.
    pub states: Vec<String>,
    /// Its latest warnings, newest last.
    pub events: Vec<String>,
    /// The last log lines of containers that are not ready, each with its container's name.
    pub logs: Vec<String>,
}

impl Diagnosis {
    /// The next thing to do, for the most common reasons.
    pub fn hint(&self) -> Option<String> {
        let states: Vec<&str> = self.pods.iter().flat_map(|pod| &pod.states).map(String::as_str).collect();
        let seen = |words: &[&str]| states.iter().any(|state| words.iter().any(|word| state.contains(word)));
        if seen(&["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"]) {
            return Some("an image is missing on a node: is its name right, and does the node reach its registry?".into());
        }
        if seen(&["Insufficient"]) {
            return Some("no node has room for a pod: ask for fewer replicas, or add a node".into());
        }
        if seen(&["Unschedulable"]) {
            return Some("no node takes a pod: `kubectl describe node` shows taints and labels".into());
        }
        (!self.pods.is_empty()).then(|| "`hearth logs` shows all that these pods wrote".into())
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for unhealthy in &self.objects {
            lines.push(format!("{}: {}", unhealthy.object, unhealthy.why));
        }
        for pod in &self.pods {
            let node = pod.node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default();
            lines.push(format!("pod {}{node}: {}", pod.pod, pod.states.join("; ")));
            lines.extend(pod.events.iter().map(|event| format!("  event: {event}")));
            lines.extend(pod.logs.iter().map(|line| format!("  log: {line}")));
        }
        if self.more_pods > 0 {
            lines.push(format!("and {} more pods", self.more_pods));
        }
        f.write_str(&lines.join("\n"))
    }
}

/// Describes the pods behind `objects` that are not ready. What cannot be read is left out: a diagnosis never fails.
pub(super) async fn diagnose(client: &Client, objects: &[Value], unhealthy: Vec<Unhealthy>) -> Diagnosis {
    let mut troubled = BTreeMap::new();
    for object in objects {
        for pod in pods_of(client, object).await {
            let key = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
            if !is_ready(&pod) {
                troubled.insert(key, pod);
            }
        }
    }
    let more_pods = troubled.len().saturating_sub(PODS);
    let mut pods = Vec::new();
    for (key, pod) in troubled.into_iter().take(PODS) {
        pods.push(PodTrouble {
            pod: key,
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            states: states(&pod),
            events: latest(warnings(client, &pod).await),
            logs: logs(client, &pod).await,
        });
    }
    Diagnosis { objects: unhealthy, pods, more_pods }
}

pub(super) async fn pods_of(client: &Client, object: &Value) -> Vec<Pod> {
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let (Some(namespace), Some(labels)) = (namespace, labels) else { return Vec::new() };
    let selector: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let params = ListParams::default().labels(&selector.join(","));
    Api::<Pod>::namespaced(client.clone(), namespace).list(&params).await.map(|list| list.items).unwrap_or_default()
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Containers of a pod, including init containers, that are neither ready nor done.
pub(super) fn waiting(pod: &Pod) -> Vec<&ContainerStatus> {
    let Some(status) = &pod.status else { return Vec::new() };
    let all = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    all.filter(|container| {
        let done = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        !container.ready && done.is_none_or(|done| done.exit_code != 0)
    })
    .collect()
}

fn states(pod: &Pod) -> Vec<String> {
    let status = pod.status.clone().unwrap_or_default();
    let mut states = vec![status.phase.unwrap_or_else(|| "Unknown".into())];
    for condition in status.conditions.into_iter().flatten() {
        if condition.type_ == "PodScheduled" && condition.status == "False" {
            states.push(join(condition.reason, condition.message));
        }
    }
    for container in waiting(pod) {
        let state = container.state.clone().unwrap_or_default();
        let text = match (state.waiting, state.terminated) {
            (Some(waiting), _) => join(waiting.reason, waiting.message),
            (_, Some(ended)) => format!("exit code {} {}", ended.exit_code, join(ended.reason, ended.message)),
            _ => "running, not ready".to_owned(),
        };
        let restarts = match container.restart_count {
            0 => String::new(),
            count => format!(", {count} restarts"),
        };
        states.push(format!("{}: {}{restarts}", container.name, text.trim()));
    }
    states
}

pub(super) fn join(reason: Option<String>, message: Option<String>) -> String {
    [reason, message].into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
}

/// A pod's warnings, oldest first; found by uid, since an earlier pod may have had the same name.
pub(super) async fn warnings(client: &Client, pod: &Pod) -> Vec<Event> {
    let params = ListParams::default().fields(&format!("involvedObject.uid={},type=Warning", pod.uid().unwrap_or_default()));
    let events = Api::<Event>::namespaced(client.clone(), &pod.namespace().unwrap_or_default()).list(&params).await;
    let mut events = events.map(|list| list.items).unwrap_or_default();
    events.sort_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0).or(event.event_time.as_ref().map(|time| time.0)));
    events
}

/// The latest events as text.
fn latest(mut events: Vec<Event>) -> Vec<String> {
    let newest = events.len().saturating_sub(3);
    events.drain(..newest);
    events.into_iter().map(|event| join(event.reason, event.message)).collect()
}

async fn logs(client: &Client, pod: &Pod) -> Vec<String> {
    let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let mut lines = Vec::new();
    for container in waiting(pod) {
        // the log of a restarting container's previous run has the reason
        let previous = container.restart_count > 0 && container.state.as_ref().is_some_and(|state| state.running.is_none());
        let params =
            LogParams { container: Some(container.name.clone()), tail_lines: Some(LOG_LINES), previous, ..LogParams::default() };
        let text = api.logs(&pod.name_any(), &params).await.unwrap_or_default();
        lines.extend(text.lines().map(|line| format!("{}: {line}", container.name)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_without_its_image_is_described() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "was-1", "namespace": "blog-system"},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "was", "ready": false, "restartCount": 0, "image": "x",
                "imageID": "", "state": {"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}}}]},
        }))
        .expect("a pod");
        let diagnosis = Diagnosis {
            pods: vec![PodTrouble { pod: "blog-system/was-1".into(), states: states(&pod), ..PodTrouble::default() }],
            ..Diagnosis::default()
        };
        assert_eq!(diagnosis.to_string(), "pod blog-system/was-1: Pending; was: ErrImageNeverPull: not present");
        assert!(diagnosis.hint().is_some_and(|hint| hint.contains("image")));
    }
}
