//! The kubelets' figures of the pods on their nodes: the summary of each kubelet, read through the API server
//! (kubernetes/kubelet, pkg/apis/stats/v1alpha1, `Summary`).
//!
//! A kubelet samples a pod every 10 to 20 s (cAdvisor's housekeeping) and reports the last sample until then, with its time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::error::CompareError;

/// Time between two requests to a kubelet: short enough to miss no sample.
const EVERY: Duration = Duration::from_secs(5);

/// One sample: a number and when the kubelet took it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub at: Timestamp,
    pub value: f64,
}

/// The last samples of a pod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodSeen {
    /// `NAMESPACE/NAME`.
    pub pod: String,
    pub node: String,
    /// Its working set in bytes.
    pub working_set: Option<Seen>,
    /// Bytes received since the pod began.
    pub received: Option<Seen>,
}

/// The kubelets of a cluster.
pub(super) struct Kubelets {
    client: Client,
    nodes: Vec<String>,
    /// Pods with a network of their own; for the others the kubelet counts the bytes of the whole node.
    pods: BTreeSet<String>,
}

impl Kubelets {
    /// Finds all nodes and pods.
    pub async fn find(client: &Client) -> Result<Self, CompareError> {
        let all = ListParams::default();
        let nodes = Api::<Node>::all(client.clone()).list(&all).await.map_err(CompareError::kube("list nodes"))?;
        let pods = Api::<Pod>::all(client.clone()).list(&all).await.map_err(CompareError::kube("list pods"))?;
        let own = |pod: &&Pod| pod.spec.as_ref().is_some_and(|spec| spec.host_network != Some(true));
        Ok(Kubelets {
            client: client.clone(),
            nodes: nodes.iter().map(ResourceExt::name_any).collect(),
            pods: pods.iter().filter(own).map(|pod| name(&pod.namespace().unwrap_or_default(), &pod.name_any())).collect(),
        })
    }

    /// Reads the figures at once and then every few seconds for this long, unless it is cancelled.
    pub async fn watch(&self, time: Duration, cancel: &CancellationToken) -> Result<Vec<Vec<PodSeen>>, CompareError> {
        let begun = Instant::now();
        let mut looks = Vec::new();
        for number in 0..=time.as_secs() as u32 / EVERY.as_secs() as u32 {
            let look = async {
                sleep_until(begun + EVERY * number).await;
                self.look().await
            };
            match cancel.run_until_cancelled(look).await {
                Some(look) => looks.push(look?),
                None => break,
            }
        }
        Ok(looks)
    }

    async fn look(&self) -> Result<Vec<PodSeen>, CompareError> {
        let nodes = self.nodes.iter().map(|node| async move {
            let asking = || CompareError::kube(format!("read the figures of the kubelet of {node}"));
            let request = http::Request::get(format!("/api/v1/nodes/{node}/proxy/stats/summary")).body(Vec::new());
            let request = request.map_err(|error| asking()(kube::Error::HttpError(error)))?;
            let summary: Summary = self.client.request(request).await.map_err(asking())?;
            Ok::<_, CompareError>(summary.seen(node))
        });
        let seen = try_join_all(nodes).await?.into_iter().flatten();
        Ok(seen.filter(|seen| self.pods.contains(&seen.pod)).collect())
    }
}

fn name(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// The needed part of a summary. A kubelet leaves out what it does not know.
#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(default)]
    pods: Vec<PodStats>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodReference,
    memory: Option<MemoryStats>,
    network: Option<NetworkStats>,
}

#[derive(Debug, Deserialize)]
struct PodReference {
    namespace: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemoryStats {
    time: Timestamp,
    working_set_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkStats {
    time: Timestamp,
    rx_bytes: Option<u64>,
}

impl Summary {
    fn seen(self, node: &str) -> Vec<PodSeen> {
        let seen = |at: Timestamp, value: Option<u64>| value.map(|value| Seen { at, value: value as f64 });
        let pod = |of: PodStats| PodSeen {
            pod: name(&of.pod_ref.namespace, &of.pod_ref.name),
            node: node.to_owned(),
            working_set: of.memory.and_then(|memory| seen(memory.time, memory.working_set_bytes)),
            received: of.network.and_then(|network| seen(network.time, network.rx_bytes)),
        };
        self.pods.into_iter().map(pod).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_is_read_as_kubelets_write_it() {
        let summary = json!({"node": {"nodeName": "w1"}, "pods": [
            {"podRef": {"name": "nginx-1", "namespace": "ingress-nginx", "uid": "u"}, "startTime": "2026-11-27T10:00:00Z",
             "cpu": {"time": "2026-11-27T10:00:07Z", "usageNanoCores": 5},
             "memory": {"time": "2026-11-27T10:00:08Z", "usageBytes": 90, "workingSetBytes": 64, "rssBytes": 50},
             "network": {"time": "2026-11-27T10:00:09Z", "name": "eth0", "rxBytes": 1000, "txBytes": 7, "interfaces": []}},
            {"podRef": {"name": "starting", "namespace": "a", "uid": "v"}}]});
        let summary: Summary = serde_json::from_value(summary).expect("a summary");
        let seen = |at: &str, value| Some(Seen { at: at.parse().expect("a time"), value });
        let nginx = PodSeen {
            pod: "ingress-nginx/nginx-1".into(),
            node: "w1".into(),
            working_set: seen("2026-11-27T10:00:08Z", 64.0),
            received: seen("2026-11-27T10:00:09Z", 1000.0),
        };
        let starting = PodSeen { pod: "a/starting".into(), node: "w1".into(), working_set: None, received: None };
        assert_eq!(summary.seen("w1"), [nginx, starting]);
    }
}
