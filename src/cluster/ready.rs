//! Readiness as Hearth defines it: every node Ready, system pods Ready, DNS answers, and a pod on every node reaches a pod on
//! every other.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Node as NodeObject, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde_json::json;

use super::ClusterError;
use crate::progress::Progress;
use crate::provider::{Command, Node};

/// Why a node is not Ready; `None` when it is.
pub fn node_problem(node: &NodeObject) -> Option<String> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.and_then(|all| all.iter().find(|condition| condition.type_ == "Ready"));
    match ready {
        Some(condition) if condition.status == "True" => None,
        Some(condition) => Some(condition.message.clone().or(condition.reason.clone()).unwrap_or("not Ready".into())),
        None => Some("its kubelet has not reported yet".into()),
    }
}

/// Watches until every node in `names` is Ready, and reports why some are not.
pub async fn wait_nodes(client: &Client, names: &[String], limit: Duration, progress: &Progress) -> Result<(), ClusterError> {
    let nodes = Api::<NodeObject>::all(client.clone());
    let complete = |seen: &BTreeMap<String, Option<String>>| {
        let problems: Vec<String> = problems(seen);
        if !problems.is_empty() {
            progress.say(problems.join("; "));
        }
        names.iter().all(|name| seen.contains_key(name))
    };
    wait_all(nodes, watcher::Config::default(), "nodes", limit, node_problem, complete).await
}

fn problems(seen: &BTreeMap<String, Option<String>>) -> Vec<String> {
    seen.iter().filter_map(|(name, problem)| Some(format!("{name}: {}", problem.as_ref()?))).collect()
}

/// A node that is not Ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProblem {
    /// Its name.
    pub node: String,
    /// Why, as a fragment.
    pub why: String,
}

impl fmt::Display for NodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.why)
    }
}

/// Which nodes in `names` are not Ready, and why.
pub async fn node_problems(client: &Client, names: &[String]) -> Result<Vec<NodeProblem>, ClusterError> {
    let list =
        Api::<NodeObject>::all(client.clone()).list(&ListParams::default()).await.map_err(ClusterError::api("list nodes"))?;
    let problem = |name: &String| {
        let why = match list.iter().find(|node| node.name_any() == *name) {
            Some(node) => node_problem(node)?,
            None => "not registered".into(),
        };
        Some(NodeProblem { node: name.clone(), why })
    };
    Ok(names.iter().filter_map(problem).collect())
}

/// Pods with containers that the API still lists as running but that do not run, one line each: their node was down, or they
/// were killed, and their kubelet has not reported since. The container runtimes are asked instead.
pub async fn outdated(client: &Client, nodes: &[impl Node]) -> Result<Vec<String>, ClusterError> {
    // the API first: what starts afterwards is no contradiction
    let list = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.map_err(ClusterError::api("list pods"))?;
    let looks = nodes.iter().map(|node| async {
        let output = node.run(Command::new(["ctr", "--namespace=k8s.io", "tasks", "list"])).await?;
        Ok::<_, ClusterError>((node.name(), output.text()))
    });
    let tasks = futures_util::future::try_join_all(looks).await?;
    let outdated = |pod: &Pod| {
        let node = pod.spec.as_ref()?.node_name.as_deref()?;
        let (_, tasks) = tasks.iter().find(|(name, _)| *name == node)?;
        let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
        let believed = statuses.iter().filter(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
        let mut ids = believed.filter_map(|container| container.container_id.as_deref()?.rsplit('/').next());
        let runs = |id: &str| tasks.lines().any(|line| line.starts_with(id) && line.ends_with("RUNNING"));
        ids.any(|id| !runs(id)).then(|| format!("pod {}/{}: was restarted", pod.namespace().unwrap_or_default(), pod.name_any()))
    };
    Ok(list.iter().filter_map(outdated).collect())
}

/// Watches until nothing has a problem and the set is complete; on timeout the problems become the message.
async fn wait_all<K>(
    api: Api<K>,
    config: watcher::Config,
    what: &str,
    limit: Duration,
    problem: impl Fn(&K) -> Option<String>,
    complete: impl Fn(&BTreeMap<String, Option<String>>) -> bool,
) -> Result<(), ClusterError>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut seen: BTreeMap<String, Option<String>> = BTreeMap::new();
    let watch = async {
        let mut events = std::pin::pin!(watcher(api, config).default_backoff());
        let mut listing = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => {
                    seen.clear();
                    listing = true;
                }
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                    seen.insert(object.name_any(), problem(&object));
                }
                Ok(watcher::Event::Delete(object)) => {
                    seen.remove(&object.name_any());
                }
                Ok(watcher::Event::InitDone) => listing = false,
                // the watcher starts over by itself, after a pause
                Err(_) => continue,
            }
            if !listing && complete(&seen) && seen.values().all(Option::is_none) {
                return;
            }
        }
    };
    if tokio::time::timeout(limit, watch).await.is_ok() {
        return Ok(());
    }
    let problems = problems(&seen);
    let state = if problems.is_empty() { format!("saw only {:?}", seen.keys()) } else { problems.join("; ") };
    Err(ClusterError::NotReady { what: what.to_owned(), limit, state })
}

/// Name of the object that records between which nodes connectivity was proven.
const PROOF: &str = "hearth-connectivity";

/// The nodes as the record identifies them: a recreated node has another uid, so connectivity has to be proven again.
async fn node_identities(client: &Client) -> Result<String, ClusterError> {
    let list =
        Api::<NodeObject>::all(client.clone()).list(&ListParams::default()).await.map_err(ClusterError::api("list nodes"))?;
    let mut identities: Vec<String> =
        list.iter().map(|node| format!("{} {}", node.name_any(), node.uid().unwrap_or_default())).collect();
    identities.sort();
    Ok(identities.join("\n"))
}

/// True when connectivity was proven between exactly the current nodes.
pub async fn is_proven(client: &Client) -> Result<bool, ClusterError> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "kube-system");
    let proof = maps.get_opt(PROOF).await.map_err(ClusterError::api("read the proof of connectivity"))?;
    let proven = proof.and_then(|map| map.data?.get("nodes").cloned());
    Ok(proven == Some(node_identities(client).await?))
}

/// Records the proof for [`is_proven`].
pub async fn keep_proof(client: &Client) -> Result<(), ClusterError> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "kube-system");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROOF},
        "data": {"nodes": node_identities(client).await?}});
    let parameters = PatchParams::apply("hearth").force();
    maps.patch(PROOF, &parameters, &Patch::Apply(map)).await.map_err(ClusterError::api("keep the proof of connectivity"))?;
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Reached {
    url: String,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    error: Option<String>,
}

/// Proves connectivity: every probe pod resolves a service name and reaches every probe pod by address.
/// Returns how many connections were made.
pub async fn prove_connectivity(client: &Client, namespace: &str, selector: &str) -> Result<usize, ClusterError> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let list = pods.list(&ListParams::default().labels(selector)).await.map_err(ClusterError::api("list probe pods"))?;
    let targets: Vec<(String, String)> =
        list.iter().filter_map(|pod| Some((pod.name_any(), pod.status.as_ref()?.pod_ip.clone()?))).collect();
    if targets.is_empty() {
        return Err(unreachable(format!("no pod with {selector} has an address: nothing was proven")));
    }
    let urls: Vec<String> = targets.iter().map(|(_, address)| format!("url=http://{address}:8080/healthz")).collect();
    let mut made = 0;
    for (name, _) in &targets {
        let base = format!("/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/probe");
        let reached: Vec<Reached> = get(client, &format!("{base}/reach?{}", urls.join("&"))).await?;
        if let Some(failed) = reached.iter().find(|result| result.status != Some(200)) {
            let reason = failed.error.clone().unwrap_or_else(|| format!("status {:?}", failed.status));
            return Err(unreachable(format!("pod {name} cannot reach {}: {reason}", failed.url)));
        }
        made += reached.len();
        let resolved: serde_json::Value =
            get(client, &format!("{base}/resolve?name=kubernetes.default.svc.cluster.local")).await?;
        if let Some(error) = resolved.get("error").and_then(|error| error.as_str()) {
            return Err(unreachable(format!("pod {name} cannot resolve kubernetes.default.svc.cluster.local: {error}")));
        }
    }
    Ok(made)
}

fn unreachable(state: String) -> ClusterError {
    ClusterError::NotReady { what: "the pod network".into(), limit: Duration::ZERO, state }
}

/// One GET to a pod, through the API server's proxy.
async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, ClusterError> {
    let request =
        http::Request::get(path).body(Vec::new()).map_err(|error| ClusterError::Connect { reason: error.to_string() })?;
    client.request(request).await.map_err(ClusterError::api("reach a probe pod"))
}
