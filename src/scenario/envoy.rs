//! Envoy's retry counters, read from the pods themselves: port 15090 through the API server's pod proxy.
//!
//! istio-proxy keeps them only where the mesh's `proxyStatsMatcher` includes `.*upstream_rq_retry.*`. A proxy that was
//! restarted in between counts from zero again: its growth is then a lower bound, and a note says so.

use std::collections::BTreeMap;

use axum::http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::ScenarioError;
use super::objects;
use super::record::ProxyRecord;
use super::schema::{Counter, ProxyGroup};

/// Counters of one upstream cluster, in requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryCounters {
    /// `upstream_rq_retry`: retries sent.
    pub retry: u64,
    /// `upstream_rq_retry_success`: retries that were answered well.
    pub retry_success: u64,
    /// `upstream_rq_retry_limit_exceeded`: requests given up after the last attempt.
    pub retry_limit_exceeded: u64,
    /// `upstream_rq_retry_overflow`: retries not sent because of the retry budget or circuit breaker.
    pub retry_overflow: u64,
}

impl RetryCounters {
    /// One of them.
    pub fn get(&self, counter: Counter) -> u64 {
        match counter {
            Counter::Retry => self.retry,
            Counter::RetrySuccess => self.retry_success,
            Counter::RetryLimitExceeded => self.retry_limit_exceeded,
            Counter::RetryOverflow => self.retry_overflow,
        }
    }

    fn field(&mut self, metric: &str) -> Option<&mut u64> {
        match metric {
            "envoy_cluster_upstream_rq_retry" => Some(&mut self.retry),
            "envoy_cluster_upstream_rq_retry_success" => Some(&mut self.retry_success),
            "envoy_cluster_upstream_rq_retry_limit_exceeded" => Some(&mut self.retry_limit_exceeded),
            "envoy_cluster_upstream_rq_retry_overflow" => Some(&mut self.retry_overflow),
            _ => None,
        }
    }

    /// Growth since `earlier`; what shrank was restarted and counts whole.
    fn since(&self, earlier: &Self) -> Self {
        let grown = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        RetryCounters {
            retry: grown(self.retry, earlier.retry),
            retry_success: grown(self.retry_success, earlier.retry_success),
            retry_limit_exceeded: grown(self.retry_limit_exceeded, earlier.retry_limit_exceeded),
            retry_overflow: grown(self.retry_overflow, earlier.retry_overflow),
        }
    }
}

/// One proxy at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proxy {
    /// Pod and restarts of its containers: when it changes, counters began anew.
    incarnation: String,
    clusters: BTreeMap<String, RetryCounters>,
}

/// All observed proxies at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By group and pod.
    proxies: BTreeMap<(String, String), Proxy>,
    notes: Vec<String>,
}

impl Snapshot {
    /// Retries sent so far, all proxies together.
    pub fn retries(&self) -> u64 {
        self.proxies.values().flat_map(|proxy| proxy.clusters.values()).map(|counters| counters.retry).sum()
    }

    /// True when at least one proxy tells retry counters.
    pub fn tells(&self) -> bool {
        self.proxies.values().any(|proxy| !proxy.clusters.is_empty())
    }
}

/// Reads the counters of all ready pods of the groups.
///
/// # Errors
/// When pods cannot be listed. A pod that does not answer is a note in the snapshot.
pub async fn snapshot(client: &Client, groups: &[ProxyGroup]) -> Result<Snapshot, ScenarioError> {
    let mut snapshot = Snapshot::default();
    for group in groups {
        let pods = objects::pods(client, &group.namespace, &group.selector).await?;
        for pod in pods.iter().filter(|pod| objects::is_ready(pod)) {
            let name = pod.name_any();
            match read(client, &group.namespace, &name).await {
                Ok(text) => {
                    let proxy = Proxy { incarnation: incarnation(pod), clusters: parse(&text) };
                    snapshot.proxies.insert((group.name.clone(), name), proxy);
                }
                Err(error) => snapshot.notes.push(format!("{} {name} did not tell its counters: {error}", group.name)),
            }
        }
    }
    Ok(snapshot)
}

async fn read(client: &Client, namespace: &str, pod: &str) -> Result<String, kube::Error> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:15090/proxy/stats/prometheus");
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

fn incarnation(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let containers = status.iter().flat_map(|status| status.container_statuses.iter().chain(&status.init_container_statuses));
    let restarts: i32 = containers.flatten().map(|container| container.restart_count).sum();
    format!("{}/{restarts}", pod.uid().unwrap_or_default())
}

/// Retry counters by cluster name, out of the Prometheus text format.
fn parse(text: &str) -> BTreeMap<String, RetryCounters> {
    let mut clusters: BTreeMap<String, RetryCounters> = BTreeMap::new();
    for line in text.lines() {
        let Some((metric, rest)) = line.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once('}') else { continue };
        if RetryCounters::default().field(metric).is_none() {
            continue;
        }
        let cluster = labels.split_once("cluster_name=\"").and_then(|(_, rest)| rest.split('"').next());
        let (Some(cluster), Ok(value)) = (cluster, value.trim().parse::<f64>()) else { continue };
        if let Some(field) = clusters.entry(cluster.to_owned()).or_default().field(metric) {
            *field += value as u64;
        }
    }
    clusters
}

/// How much the counters grew, per proxy and cluster that ever counted anything; and what is odd about it.
pub fn growth(before: &Snapshot, after: &Snapshot) -> (Vec<ProxyRecord>, Vec<String>) {
    let mut notes: Vec<String> = before.notes.iter().chain(&after.notes).cloned().collect();
    notes.dedup();
    let mut records = Vec::new();
    for ((group, pod), proxy) in &after.proxies {
        let earlier = before.proxies.get(&(group.clone(), pod.clone()));
        let same = earlier.filter(|earlier| earlier.incarnation == proxy.incarnation);
        match (earlier, same) {
            (Some(_), None) => {
                notes.push(format!("{group} {pod} was restarted during the run: what it counted before that is not known"));
            }
            (None, _) => notes.push(format!("{group} {pod} is new since the run began: it counts from 0")),
            _ => {}
        }
        for (cluster, counters) in &proxy.clusters {
            let then = same.and_then(|earlier| earlier.clusters.get(cluster)).copied().unwrap_or_default();
            if *counters == RetryCounters::default() {
                continue;
            }
            records.push(ProxyRecord {
                group: group.clone(),
                pod: pod.clone(),
                cluster: cluster.clone(),
                before: then,
                after: *counters,
                delta: counters.since(&then),
            });
        }
    }
    for (group, pod) in before.proxies.keys().filter(|key| !after.proxies.contains_key(*key)) {
        notes.push(format!("{group} {pod} is gone: what it counted is not known"));
    }
    (records, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# TYPE envoy_cluster_upstream_rq_retry counter
envoy_cluster_upstream_rq_retry{cluster_name="outbound|80|stable|web-service.blog-system.svc.cluster.local"} 5
envoy_cluster_upstream_rq_retry{cluster_name="xds-grpc"} 0
# TYPE envoy_cluster_upstream_rq_retry_success counter
envoy_cluster_upstream_rq_retry_success{cluster_name="outbound|80|stable|web-service.blog-system.svc.cluster.local"} 4
envoy_cluster_upstream_rq_retry_backoff_exponential{cluster_name="outbound|80|stable|web-service.blog-system.svc.cluster.local"} 5
envoy_server_uptime{} 12
envoy_cluster_upstream_rq_retry_limit_exceeded{region="a",cluster_name="b"} 1e0
"#;

    fn at(incarnation: &str, retry: u64) -> Snapshot {
        let clusters = BTreeMap::from([("c".to_owned(), RetryCounters { retry, ..RetryCounters::default() })]);
        let proxy = Proxy { incarnation: incarnation.to_owned(), clusters };
        Snapshot { proxies: BTreeMap::from([(("gateway".to_owned(), "p".to_owned()), proxy)]), notes: Vec::new() }
    }

    #[test]
    fn counters_are_read_by_cluster() {
        let clusters = parse(TEXT);
        let web = clusters.get("outbound|80|stable|web-service.blog-system.svc.cluster.local").copied().unwrap_or_default();
        assert_eq!(web, RetryCounters { retry: 5, retry_success: 4, ..RetryCounters::default() });
        assert_eq!(clusters.get("b").map(|counters| counters.retry_limit_exceeded), Some(1));
        assert_eq!(clusters.len(), 3);
    }

    #[test]
    fn growth_is_the_difference_and_restarts_are_told() {
        let delta = |before: Snapshot, after: Snapshot| {
            let (records, notes) = growth(&before, &after);
            (records.iter().map(|record| record.delta.retry).sum::<u64>(), notes.len())
        };
        assert_eq!(delta(at("u/0", 5), at("u/0", 8)), (3, 0));
        assert_eq!(delta(at("u/0", 5), at("u/1", 2)), (2, 1));
        assert_eq!(delta(Snapshot::default(), at("u/0", 2)), (2, 1));
        assert_eq!(delta(at("u/0", 5), Snapshot::default()), (0, 1));
    }
}
