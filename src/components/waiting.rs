//! During a wait: what the cluster shows about the pods behind it, and when that makes waiting hopeless.
//!
//! What a pod reports changes from moment to moment (an image is pulled, refused, pulled again), so a sign is identified by its
//! pod and its kind; one that lasts as long as its kind allows ends the wait.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Ready;
use super::diagnosis::{is_ready, join, pods_of, waiting, warnings};
use super::health::unhealthy;

/// Most waits are over by then.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// After this many ends, a container that keeps ending is no longer taken for one that waits for something.
const RESTARTS: i32 = 3;

/// How long a container may be down between two ends, in seconds: from the third on the kubelet waits 40 s and more.
const CRASHING: u64 = 20;
/// The kubelet's pauses before that, in its words.
const SHORT_PAUSES: [&str; 2] = ["back-off 10s ", "back-off 20s "];
/// How long an event about a failed sandbox counts. The kubelet tries again after 10 to 15 s, and writes an event each time it
/// fails; if it succeeds and pulls an image, it writes nothing.
const SANDBOX: Duration = Duration::from_secs(30);
/// Words of registries and the kubelet for images that will never come.
const REFUSALS: &[&str] = &["not found", "denied", "unauthorized", "manifest unknown", "no such host", "does not exist"];

/// What keeps a pod from being ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Image,
    Configuration,
    Crash,
    Scheduling,
    Sandbox,
    Other,
}

/// The reason why one pod is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    kind: Kind,
    /// `namespace/name`.
    pod: String,
    /// In the cluster's words, cut to a sentence.
    pub(super) what: String,
    /// How long it may last before waiting is hopeless; none if it may pass at any time.
    lasts: Option<Duration>,
    /// The event that it rests on, whose cause may be over by now; none if it rests on the pod's present state.
    said: Option<Said>,
}

/// An event that a sign rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// The event's resource version: another one after each repetition.
    version: String,
    /// How long one repetition counts.
    counts: Duration,
}

impl Said {
    fn by(event: &Event, counts: Duration) -> Said {
        Said { version: event.resource_version().unwrap_or_default(), counts }
    }
}

/// The signs of all looks so far.
#[derive(Default)]
struct Watch(BTreeMap<(String, Kind), Seen>);

/// A sign that was seen before.
struct Seen {
    first: Instant,
    said: Option<Said>,
    /// When the event was last seen to be repeated.
    again: Option<Instant>,
}

impl Watch {
    /// The sign that makes waiting hopeless; none if there is hope. The cause of an event from before the first look may be over by
    /// now, so an event counts only once it is repeated.
    fn hopeless<'a>(&mut self, signs: &'a [Sign], now: Instant) -> Option<&'a Sign> {
        let lasting: Vec<(&Sign, Duration)> = signs.iter().filter_map(|sign| Some((sign, sign.lasts?))).collect();
        self.0.retain(|(pod, kind), _| lasting.iter().any(|(sign, _)| sign.pod == *pod && sign.kind == *kind));
        lasting.into_iter().find_map(|(sign, limit)| {
            let new = || Seen { first: now, said: sign.said.clone(), again: None };
            let seen = self.0.entry((sign.pod.clone(), sign.kind)).or_insert_with(new);
            if seen.said != sign.said {
                (seen.said, seen.again) = (sign.said.clone(), Some(now));
            }
            let counts = |said: &Said| seen.again.is_some_and(|again| now - again <= said.counts);
            (sign.said.as_ref().is_none_or(counts) && now - seen.first >= limit).then_some(sign)
        })
    }
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pod {}: {}", self.pod, self.what)
    }
}

/// Looks repeatedly at the pods behind `objects`, and reports through `say`. Returns only when waiting for them is hopeless,
/// with the reason.
pub(super) async fn until_hopeless(client: &Client, ready: &[Ready], objects: &[Value], say: impl Fn(String)) -> Sign {
    let mut watch = Watch::default();
    sleep(FIRST_LOOK).await;
    loop {
        let signs = signs(client, objects).await;
        if let Some(sign) = watch.hopeless(&signs, Instant::now()) {
            return sign.clone();
        }
        match signs.as_slice() {
            // no pod is to blame, so it is the object itself
            [] => {
                let unhealthy = unhealthy(client, ready, objects).await.unwrap_or_default();
                if let Some(first) = unhealthy.first() {
                    say(format!("{}: {}", first.object, first.why));
                }
            }
            [only] => say(only.to_string()),
            [first, rest @ ..] => say(format!("{first} (and {} more)", rest.len())),
        }
        sleep(PAUSE).await;
    }
}

/// The signs at this moment. If the cluster cannot be asked there are none, and the wait goes on.
async fn signs(client: &Client, objects: &[Value]) -> Vec<Sign> {
    let mut pods = Vec::new();
    for object in objects {
        pods.extend(newest(pods_of(client, object).await));
    }
    let ended = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Failed" | "Succeeded"))
    };
    pods.retain(|pod| !is_ready(pod) && !ended(pod) && pod.metadata.deletion_timestamp.is_none());
    if pods.is_empty() {
        return Vec::new();
    }
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let mut signs = Vec::new();
    for pod in &pods {
        let events = warnings(client, pod).await;
        signs.extend(sign(pod, &events, &nodes));
    }
    // hopeless signs matter most to the reader
    signs.sort_by_key(|sign| (sign.lasts.is_none(), sign.kind));
    signs
}

/// Pods of the latest revision: pods of an earlier one are being replaced.
fn newest(pods: Vec<Pod>) -> Vec<Pod> {
    let revision = |pod: &Pod| {
        let labels = pod.labels();
        ["pod-template-hash", "controller-revision-hash"].iter().find_map(|label| labels.get(*label).cloned())
    };
    let latest = pods.iter().max_by_key(|pod| pod.creation_timestamp().map(|time| time.0)).and_then(revision);
    pods.into_iter().filter(|pod| revision(pod) == latest).collect()
}

/// The most telling sign of a pod that is not ready; none if there is no sign.
fn sign(pod: &Pod, events: &[Event], nodes: &[Node]) -> Option<Sign> {
    let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    let sign = |kind, what: String, lasts: Option<u64>| {
        Some(Sign { kind, pod: name.clone(), what, lasts: lasts.map(Duration::from_secs), said: None })
    };
    let unready: Vec<String> = nodes.iter().filter(|node| !is_node_ready(node)).map(ResourceExt::name_any).collect();
    if let Some(why) = unscheduled(pod) {
        // nodes that are still to come may accept it, and so may a volume
        let passes = nodes.is_empty()
            || !unready.is_empty()
            || ["not-ready", "unreachable", "uninitialized", "unbound"].iter().any(|word| why.contains(word));
        return sign(Kind::Scheduling, format!("cannot be scheduled: {why}"), (!passes).then_some(30));
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    if let Some(node) = node.filter(|node| unready.contains(node)) {
        return sign(Kind::Other, format!("its node {node} is not Ready"), None);
    }
    for container in waiting(pod) {
        let state = container.state.clone().unwrap_or_default();
        let (reason, text) = match state.waiting {
            Some(waiting) => (waiting.reason.clone().unwrap_or_default(), join(waiting.reason, waiting.message)),
            None => (String::new(), String::new()),
        };
        let found = match reason.as_str() {
            "InvalidImageName" | "ErrImageNeverPull" => sign(Kind::Image, text, Some(10)),
            "ErrImagePull" | "ImagePullBackOff" => {
                let (why, limit, said) = refusal(events, text);
                let what = format!("image {} cannot be pulled: {why}", image(pod, &container.name));
                sign(Kind::Image, what, Some(limit)).map(|sign| Sign { said, ..sign })
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                sign(Kind::Configuration, text, Some(60))
            }
            _ if container.restart_count > 0 => {
                let ended = container.last_state.clone().and_then(|state| state.terminated).or(state.terminated);
                let how =
                    ended.map(|ended| format!(", last with exit code {} {}", ended.exit_code, join(ended.reason, ended.message)));
                let times = container.restart_count;
                let what = format!("container {} ended {times} times{}", container.name, how.unwrap_or_default().trim_end());
                // a container that runs, or is being recreated, may still work, however often it has ended; and after ends long ago
                // or of its node, the kubelet begins with short pauses
                let in_a_row = reason == "CrashLoopBackOff" && !SHORT_PAUSES.iter().any(|pause| text.contains(pause));
                sign(Kind::Crash, what, (times >= RESTARTS && in_a_row).then_some(CRASHING))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    if let Some(event) = last(events, &["FailedCreatePodSandBox"], "").filter(|_| has_no_sandbox(pod)) {
        let what = format!("it gets no network or sandbox: {}", message(event));
        let said = Some(Said::by(event, SANDBOX));
        return sign(Kind::Sandbox, what, Some(60)).map(|sign| Sign { said, ..sign });
    }
    let event = last(events, &["FailedMount", "FailedAttachVolume", "Unhealthy"], "")?;
    sign(Kind::Other, message(event), None)
}

/// Why an image cannot be pulled, how many seconds that may last, and the event that says so. `state` is the container's own message.
fn refusal(events: &[Event], state: String) -> (String, u64, Option<Said>) {
    let event = last(events, &["Failed"], "ailed to pull");
    let pull = event.and_then(|event| event.message.clone()).unwrap_or(state);
    // a broken connection is retried; a refusal is final
    let refused = REFUSALS.iter().any(|words| pull.to_lowercase().contains(words));
    // after an earlier refusal the image may exist by now: the kubelet waits up to 5 min before it tries again
    (sentence(&pull), if refused { 20 } else { 120 }, event.map(|event| Said::by(event, Duration::MAX)))
}

fn is_node_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    let message = found.message.clone().unwrap_or_default();
    // leave out the scheduler's remarks about preemption
    let ends = [". preemption:", ", preemption:", ". no new claims"].iter().filter_map(|words| message.find(words)).min();
    Some(message[..ends.unwrap_or(message.len())].to_owned())
}

/// The image that a container should run; its status names the one that ran before.
fn image(pod: &Pod, container: &str) -> String {
    let all = pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    all.into_iter().find(|one| one.name == container).and_then(|one| one.image.clone()).unwrap_or_default()
}

/// True while a pod has neither an address nor a container that ever ran.
fn has_no_sandbox(pod: &Pod) -> bool {
    pod.status.as_ref().is_none_or(|status| status.pod_ip.is_none())
}

/// The latest warning with one of these reasons and with these words in its message.
fn last<'a>(events: &'a [Event], reasons: &[&str], words: &str) -> Option<&'a Event> {
    let is_one = |event: &&Event| event.reason.as_deref().is_some_and(|reason| reasons.contains(&reason));
    let says = |event: &&Event| event.message.as_deref().is_some_and(|text| text.contains(words));
    events.iter().rev().filter(is_one).find(says)
}

fn message(event: &Event) -> String {
    sentence(event.message.as_deref().unwrap_or_default())
}

/// The innermost message, without the layers around it.
fn sentence(text: &str) -> String {
    let said = text.rsplit("desc = ").next().unwrap_or(text).trim();
    // ids of sandboxes are of no interest
    let words: Vec<&str> = said.split(' ').filter(|word| word.trim_matches(['"', ':', '\\']).len() != 64).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: Value) -> Pod {
        let pod = json!({"metadata": {"name": "a", "namespace": "x"}, "spec": {"containers": [{"name": "c", "image": "r/none:1"}], "nodeName": "n1"}, "status": status});
        serde_json::from_value(pod).expect("a pod")
    }

    fn event(reason: &str, message: &str) -> Event {
        serde_json::from_value(json!({"metadata": {}, "involvedObject": {}, "reason": reason, "message": message}))
            .expect("an event")
    }

    fn node(ready: &str) -> Node {
        let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
        serde_json::from_value(json!({"metadata": {"name": "n1"}, "status": status})).expect("a node")
    }

    fn container(restarts: i32, state: Value) -> Value {
        json!({"containerStatuses": [{"name": "c", "ready": false, "restartCount": restarts, "image": "r/before:1", "imageID": "",
            "state": state, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]})
    }

    #[test]
    fn what_does_not_pass_is_hopeless_after_a_while_and_says_why() {
        let seen = |status: Value, events: &[Event]| sign(&pod(status), events, &[node("True")]).expect("a sign");
        let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": "m"}});

        let pull = event("Failed", "Failed to pull image \"r/none:1\": rpc error: code = NotFound desc = r/none:1: not found");
        let image = seen(container(0, waiting("ImagePullBackOff")), &[pull]);
        assert_eq!(image.what, "image r/none:1 cannot be pulled: r/none:1: not found");
        assert_eq!(image.lasts, Some(Duration::from_secs(20)));

        let crash = seen(container(3, waiting("CrashLoopBackOff")), &[]);
        assert_eq!(crash.what, "container c ended 3 times, last with exit code 3 Error");
        assert!(crash.lasts.is_some() && seen(container(2, waiting("CrashLoopBackOff")), &[]).lasts.is_none());
        assert!(seen(container(9, json!({"running": {}})), &[]).lasts.is_none(), "it starts, and has a long life behind it");
        let paused = |pause: &str| {
            let message = format!("back-off {pause} restarting failed container=c pod=p_n(u)");
            seen(container(7, json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})), &[]).lasts.is_some()
        };
        assert_eq!(["10s", "20s", "40s", "1m20s", "5m0s"].map(paused), [false, false, true, true, true]);

        let broken = event("Failed", "Failed to pull image \"r/a:1\": read tcp: connection reset by peer");
        assert_eq!(seen(container(0, waiting("ErrImagePull")), &[broken]).lasts, Some(Duration::from_secs(120)));

        let id = "0123456789abcdef".repeat(4);
        let said = format!(
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \
             \"{id}\": plugin type=\"calico\" failed (add): failed to find plugin \"calico\" in path [/opt/cni/bin]"
        );
        let sandbox = seen(json!({"phase": "Pending"}), &[event("FailedCreatePodSandBox", &said)]);
        assert!(sandbox.what.ends_with("failed to find plugin \"calico\" in path [/opt/cni/bin]"), "{}", sandbox.what);
        assert!(!sandbox.what.contains(&id) && sandbox.lasts.is_some());
    }

    #[test]
    fn a_pod_that_no_node_takes_may_wait_for_nodes_that_are_still_to_come() {
        let status = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available"}]});
        let ready = sign(&pod(status.clone()), &[], &[node("True")]).expect("a sign");
        assert_eq!(ready.what, "cannot be scheduled: 0/3 nodes are available: 3 Insufficient cpu");
        assert!(ready.lasts.is_some());
        assert!(sign(&pod(status), &[], &[node("Unknown")]).expect("a sign").lasts.is_none());
    }

    #[test]
    fn an_event_counts_while_it_is_repeated_and_a_pods_state_as_long_as_it_lasts() {
        let pending = pod(json!({"phase": "Pending"}));
        let sandbox = |version: &str| {
            let mut event = event("FailedCreatePodSandBox", "no network");
            event.metadata.resource_version = Some(version.to_owned());
            sign(&pending, &[event], &[node("True")]).expect("a sign")
        };
        let (begun, mut watch) = (Instant::now(), Watch::default());
        let mut hopeless =
            |sign: &Sign, second: u64| watch.hopeless(std::slice::from_ref(sign), begun + Duration::from_secs(second)).is_some();
        assert!(!hopeless(&sandbox("1"), 0) && !hopeless(&sandbox("1"), 70), "an event from before the wait, not repeated since");
        assert!(hopeless(&sandbox("2"), 72));
        assert!(!hopeless(&sandbox("2"), 110), "it has a sandbox by now, and pulls an image");
        assert!(hopeless(&sandbox("3"), 120));
        let crash = sign(&pod(container(3, json!({"waiting": {"reason": "CrashLoopBackOff"}}))), &[], &[node("True")]);
        let crash = crash.expect("a sign");
        assert!(!hopeless(&crash, 200) && hopeless(&crash, 230));
    }

    #[test]
    fn pods_of_an_earlier_revision_are_on_their_way_out() {
        let of = |name: &str, hash: &str, made: &str| -> Pod {
            serde_json::from_value(
                json!({"metadata": {"name": name, "creationTimestamp": made, "labels": {"pod-template-hash": hash}}}),
            )
            .expect("a pod")
        };
        let left = newest(vec![of("old", "1", "2026-01-01T00:00:00Z"), of("new", "2", "2026-01-01T00:00:09Z")]);
        assert_eq!(left.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["new"]);
    }
}
