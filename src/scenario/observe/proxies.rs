//! Envoy's counters, read from the pods themselves: port 15090 through the API server's pod proxy.
//!
//! istio-proxy keeps only the counters that the mesh's `proxyStatsMatcher` includes. A counter is used for an assertion only if
//! the same proxy was read before and after, or the proxy started after the load did; anything else is unknown, never 0.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::error::ScenarioError;
use super::super::facts::{Amount, Facts};
use super::super::objects;
use super::super::record::ObservationRecord;

/// How long a proxy may take to answer: one on a paused node never does.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Pods with an Envoy that serves its statistics on port 15090.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyGroup {
    /// What assertions and reports call them.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Label selector, for example `istio=ingressgateway`.
    pub selector: String,
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $variant:ident = $metric:literal,)+) => {
        /// A counter of Envoy's clusters,
        /// <https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats>.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub enum Counter { $($(#[$doc])+ $variant,)+ }

        impl Counter {
            const ALL: &[Counter] = &[$(Counter::$variant,)+];

            /// Envoy's own name for the counter.
            pub fn metric(self) -> &'static str {
                match self { $(Counter::$variant => $metric,)+ }
            }
        }
    };
}

counters! {
    /// `upstream_rq_retry`: retries sent.
    Retry = "upstream_rq_retry",
    /// `upstream_rq_retry_success`: retries that were answered well.
    RetrySuccess = "upstream_rq_retry_success",
    /// `upstream_rq_retry_limit_exceeded`: requests given up after the last attempt.
    RetryLimitExceeded = "upstream_rq_retry_limit_exceeded",
    /// `upstream_rq_retry_overflow`: retries not sent because of the retry budget or circuit breaker.
    RetryOverflow = "upstream_rq_retry_overflow",
    /// `upstream_rq_timeout`: requests that the route's timeout ended.
    Timeout = "upstream_rq_timeout",
    /// `upstream_rq_per_try_timeout`: attempts that their own timeout ended.
    PerTryTimeout = "upstream_rq_per_try_timeout",
    /// `upstream_rq_pending_overflow`: requests refused because too many waited: the circuit breaker.
    PendingOverflow = "upstream_rq_pending_overflow",
    /// `outlier_detection_ejections_enforced_total`: servers that outlier detection took out.
    Ejections = "outlier_detection_ejections_enforced_total",
}

/// Values of one counter by upstream cluster.
type Values = BTreeMap<Counter, BTreeMap<String, u64>>;

/// One proxy at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proxy {
    /// Pod and restarts of its containers: if this changes, the counters started anew.
    incarnation: String,
    /// When its pod was created, in seconds since 1970.
    created: i64,
    /// Its counters, or why they could not be read.
    values: Result<Values, String>,
}

/// All observed proxies at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Snapshot {
    /// When reading started, in seconds since 1970.
    taken: i64,
    /// The proxies by group and pod.
    proxies: BTreeMap<(String, String), Proxy>,
}

impl Snapshot {
    /// Retries sent so far by all proxies together; none unless each was read and keeps that counter.
    pub fn retries(&self) -> Option<u64> {
        let of = |proxy: &Proxy| proxy.values.as_ref().ok()?.get(&Counter::Retry).map(|clusters| clusters.values().sum::<u64>());
        (!self.proxies.is_empty()).then(|| self.proxies.values().map(of).sum::<Option<u64>>()).flatten()
    }
}

/// Reads the counters of all pods of the groups.
///
/// # Errors
/// Pods cannot be listed. A pod that does not answer only counts as unread.
pub(in super::super) async fn snapshot(client: &Client, groups: &[ProxyGroup]) -> Result<Snapshot, ScenarioError> {
    let mut snapshot = Snapshot { taken: jiff::Timestamp::now().as_second(), proxies: BTreeMap::new() };
    for group in groups {
        for pod in objects::pods(client, &group.namespace, &group.selector).await? {
            let name = pod.name_any();
            let values = match objects::is_ready(&pod) {
                true => read(client, &group.namespace, &name).await.map(|text| parse(&text)),
                false => Err("it is not ready".to_owned()),
            };
            let created = pod.creation_timestamp().map_or(0, |time| time.0.as_second());
            let proxy = Proxy { incarnation: incarnation(&pod), created, values };
            snapshot.proxies.insert((group.name.clone(), name), proxy);
        }
    }
    Ok(snapshot)
}

async fn read(client: &Client, namespace: &str, pod: &str) -> Result<String, String> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:15090/proxy/stats/prometheus");
    let request = Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(READ_WITHIN, client.request_text(request)).await;
    answer.map_err(|_| format!("no answer within {READ_WITHIN:?}"))?.map_err(|error| error.to_string())
}

fn incarnation(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let containers = status.iter().flat_map(|status| status.container_statuses.iter().chain(&status.init_container_statuses));
    let restarts: i32 = containers.flatten().map(|container| container.restart_count).sum();
    format!("{}/{restarts}", pod.uid().unwrap_or_default())
}

/// Counters by cluster name, from the Prometheus text format.
fn parse(text: &str) -> Values {
    let mut values = Values::new();
    for line in text.lines() {
        let Some((metric, rest)) = line.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once('}') else { continue };
        let Some(metric) = metric.strip_prefix("envoy_cluster_") else { continue };
        let Some(counter) = Counter::ALL.iter().find(|counter| counter.metric() == metric) else { continue };
        let cluster = labels.split_once("cluster_name=\"").and_then(|(_, rest)| rest.split('"').next());
        if let (Some(cluster), Ok(value)) = (cluster, value.trim().parse::<f64>()) {
            *values.entry(*counter).or_default().entry(cluster.to_owned()).or_default() += value as u64;
        }
    }
    values
}

/// One counter of one upstream cluster in one proxy, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    group: String,
    pod: String,
    cluster: String,
    counter: Counter,
    before: u64,
    after: u64,
}

/// How much the counters grew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Growth {
    groups: BTreeSet<String>,
    rows: Vec<Row>,
    /// Proxies whose growth is not known: group, pod and why.
    unknown: Vec<(String, String, String)>,
    /// Which counters the proxies keep, by group.
    kept: BTreeMap<String, BTreeSet<Counter>>,
}

impl Growth {
    /// The growth between two snapshots, and for which proxies it is unknown.
    pub fn between(before: &Snapshot, after: &Snapshot, groups: &[ProxyGroup]) -> Self {
        let mut growth = Growth { groups: groups.iter().map(|group| group.name.clone()).collect(), ..Growth::default() };
        for (key, proxy) in &after.proxies {
            match began(before, before.proxies.get(key), proxy) {
                Ok((then, now)) => growth.add(key, then, now),
                Err(why) => growth.unknown.push((key.0.clone(), key.1.clone(), why)),
            }
        }
        for (group, pod) in before.proxies.keys().filter(|key| !after.proxies.contains_key(*key)) {
            growth.unknown.push((group.clone(), pod.clone(), "it is gone".into()));
        }
        growth
    }

    fn add(&mut self, (group, pod): &(String, String), then: &Values, now: &Values) {
        // the sum is known only if every proxy of the group keeps the counter
        let kept: BTreeSet<Counter> = now.keys().copied().collect();
        let all = self.kept.entry(group.clone()).or_insert_with(|| kept.clone());
        all.retain(|counter| kept.contains(counter));
        for (counter, clusters) in now {
            for (cluster, after) in clusters {
                // a cluster that the proxy did not have before started at 0
                let before = then.get(counter).and_then(|clusters| clusters.get(cluster)).copied().unwrap_or(0);
                if before > *after {
                    let why = format!("{} of {cluster} began anew", counter.metric());
                    self.unknown.push((group.clone(), pod.clone(), why));
                } else if *after > 0 {
                    let (group, pod, cluster) = (group.clone(), pod.clone(), cluster.clone());
                    self.rows.push(Row { group, pod, cluster, counter: *counter, before, after: *after });
                }
            }
        }
    }

    /// The growth of a counter in a group, or in all groups.
    ///
    /// # Errors
    /// Why the growth is not known, in words.
    pub fn of(&self, counter: Counter, group: Option<&str>) -> Result<u64, String> {
        let asked = |name: &str| group.is_none_or(|group| group == name);
        if let Some((group, pod, why)) = self.unknown.iter().find(|(name, ..)| asked(name)) {
            return Err(format!("what {group} {pod} counted is not known: {why}"));
        }
        if !self.groups.iter().any(|name| asked(name)) {
            return Err("no proxies were observed".to_owned());
        }
        for name in self.groups.iter().filter(|name| asked(name)) {
            match self.kept.get(name) {
                None => return Err(format!("there is no proxy in group {name}")),
                Some(kept) if !kept.contains(&counter) => {
                    let metric = counter.metric();
                    return Err(format!(
                        "proxies of group {name} do not keep {metric}: the mesh's proxyStatsMatcher must include it"
                    ));
                }
                Some(_) => {}
            }
        }
        let rows = self.rows.iter().filter(|row| row.counter == counter && asked(&row.group));
        Ok(rows.map(|row| row.after - row.before).sum())
    }

    /// What each group counted, all proxies and upstreams together; without counters that its proxies do not keep.
    fn totals(&self) -> Vec<Facts> {
        let total = |group: &str, counter: Counter| {
            let growth = match self.of(counter, Some(group)) {
                Ok(growth) => Some(Amount::requests(growth)),
                // a counter that is not kept is left out, one that was not read is shown as unknown
                Err(_) if self.kept.get(group).is_some_and(|kept| !kept.contains(&counter)) => return None,
                Err(_) => None,
            };
            Some(Facts::default().with("group", group).with("counter", counter.metric()).with("growth", growth))
        };
        let all = |group: &String| Counter::ALL.iter().filter_map(|counter| total(group, *counter)).collect::<Vec<_>>();
        self.groups.iter().flat_map(all).collect()
    }

    /// The record for reports: every counter that ever counted anything.
    pub fn record(&self) -> ObservationRecord {
        let row = |row: &Row| {
            Facts::default()
                .with("group", row.group.as_str())
                .with("pod", row.pod.as_str())
                .with("upstream", row.cluster.as_str())
                .with("counter", row.counter.metric())
                .with("before", Amount::requests(row.before))
                .with("after", Amount::requests(row.after))
                .with("growth", Amount::requests(row.after - row.before))
        };
        ObservationRecord {
            observation: "proxies".into(),
            title: "What the proxies counted".into(),
            totals: self.totals(),
            rows: self.rows.iter().map(row).collect(),
            notes: self.unknown.iter().map(|(group, pod, why)| format!("{group} {pod} is not known: {why}")).collect(),
        }
    }
}

/// The first and the current values of a proxy, or why its growth is not known.
fn began<'a>(before: &Snapshot, earlier: Option<&'a Proxy>, now: &'a Proxy) -> Result<(&'a Values, &'a Values), String> {
    static NOTHING: Values = BTreeMap::new();
    let values = now.values.as_ref().map_err(|why| format!("it could not be read after the load: {why}"))?;
    match earlier {
        Some(earlier) if earlier.incarnation != now.incarnation => Err("it was restarted during the run".into()),
        Some(earlier) => match &earlier.values {
            Ok(then) => Ok((then, values)),
            Err(why) => Err(format!("it could not be read before the load: {why}")),
        },
        // created after the load began: it counts from 0
        None if now.created > before.taken => Ok((&NOTHING, values)),
        None => Err("it was not there when the counters were read before the load".into()),
    }
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

    fn group() -> Vec<ProxyGroup> {
        vec![ProxyGroup { name: "gateway".into(), namespace: "n".into(), selector: "s".into() }]
    }

    fn at(incarnation: &str, retry: Result<u64, &str>) -> Snapshot {
        let values = retry.map(|count| Values::from([(Counter::Retry, BTreeMap::from([("c".to_owned(), count)]))]));
        let proxy = Proxy { incarnation: incarnation.to_owned(), created: 50, values: values.map_err(str::to_owned) };
        Snapshot { taken: 100, proxies: BTreeMap::from([(("gateway".to_owned(), "p".to_owned()), proxy)]) }
    }

    #[test]
    fn counters_are_read_by_cluster() {
        let values = parse(TEXT);
        let web = "outbound|80|stable|web-service.blog-system.svc.cluster.local";
        assert_eq!(values[&Counter::Retry], BTreeMap::from([(web.to_owned(), 5), ("xds-grpc".to_owned(), 0)]));
        assert_eq!(values[&Counter::RetrySuccess][web], 4);
        assert_eq!(values[&Counter::RetryLimitExceeded]["b"], 1);
        assert_eq!(values.len(), 3);
    }

    #[test]
    fn growth_is_known_only_of_a_proxy_that_was_read_twice_or_began_later() {
        let retries = |before: &Snapshot, after: &Snapshot| Growth::between(before, after, &group()).of(Counter::Retry, None);
        assert_eq!(retries(&at("u/0", Ok(5)), &at("u/0", Ok(8))), Ok(3));
        let nothing = Snapshot { taken: 100, proxies: BTreeMap::new() };
        let unknown = [
            (at("u/0", Ok(5)), at("u/1", Ok(2)), "restarted"),
            (at("u/0", Ok(5)), at("u/0", Ok(2)), "began anew"),
            (at("u/0", Ok(5)), nothing.clone(), "gone"),
            (at("u/0", Ok(5)), at("u/0", Err("timeout")), "after the load: timeout"),
            (at("u/0", Err("timeout")), at("u/0", Ok(8)), "before the load: timeout"),
            // it existed all the time, but was missed: its lifetime total is not its growth
            (nothing.clone(), at("u/0", Ok(8)), "not there"),
            (nothing.clone(), nothing.clone(), "no proxy"),
        ];
        for (before, after, why) in unknown {
            let found = retries(&before, &after).expect_err(why);
            assert!(found.contains(why), "{found}");
        }
        let mut later = at("v/0", Ok(2));
        later.proxies.values_mut().for_each(|proxy| proxy.created = 101);
        assert_eq!(retries(&nothing, &later), Ok(2));
    }

    #[test]
    fn a_counter_that_proxies_do_not_keep_is_unknown_and_another_group_does_not_matter() {
        let growth = Growth::between(&at("u/0", Ok(5)), &at("u/0", Ok(5)), &group());
        assert_eq!(growth.of(Counter::Retry, Some("gateway")), Ok(0));
        assert!(growth.of(Counter::RetryOverflow, None).expect_err("not kept").contains("proxyStatsMatcher"));
        let mut two = group();
        two.push(ProxyGroup { name: "web".into(), ..two[0].clone() });
        let growth = Growth::between(&at("u/0", Ok(5)), &at("u/0", Ok(6)), &two);
        assert_eq!(growth.of(Counter::Retry, Some("gateway")), Ok(1));
        assert!(growth.of(Counter::Retry, None).expect_err("web was never seen").contains("group web"));
    }
}
