//! `nodePause`: a worker is paused. Kubelet, container runtime and pods stop; the kernel still accepts packets, so that
//! connections neither break nor answer. A hung disk or a starved machine looks like this, and it is harder on the other nodes
//! than a node that dies: nothing is refused, everything has to be given up by a timeout.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::super::Context;
use super::super::error::ScenarioError;
use super::super::facts::Fact;
use super::super::objects::{is_ready, pods};
use super::super::record::{FaultRecord, FaultWords};
use super::super::undo::Undo;
use super::{Inject, LOOK, Stage, traffic};
use crate::load::Ledger;
use crate::quantity::Span;

/// A worker is paused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePause {
    /// The worker.
    pub node: Choice,
    /// For how long. A kubelet reports every 10 s: from 12 s on its absence can be noticed. Should the run be killed, the node
    /// resumes by itself some seconds later.
    pub r#for: Span,
    /// Longest wait for the kubelet's next report after that.
    #[serde(default = "NodePause::back_within")]
    pub back_within: Span,
}

/// How the worker is chosen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Choice {
    /// The worker with this name.
    Name(String),
    /// The first by name that runs some pods and does not run others.
    Worker(Worker),
}

/// A worker chosen by what it runs when the fault comes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Worker {
    /// It has a ready pod matching this.
    pub with: Pods,
    /// It has no pod matching any of these.
    #[serde(default)]
    pub without: Vec<Pods>,
}

/// Pods matched by label.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pods {
    /// Their namespace.
    pub namespace: String,
    /// Label selector.
    pub selector: String,
}

/// With a shorter pause, a silent kubelet cannot be distinguished from one that is not due (kubelet: a quarter of
/// `nodeLeaseDurationSeconds`, which is 40).
const SHORTEST: Duration = Duration::from_secs(12);
/// After this long, pods are evicted from a silent node: that is another fault.
const LONGEST: Duration = Duration::from_secs(300);
/// How much later than requested the node resumes by itself: time for the run to do it.
const GRACE: Duration = Duration::from_secs(5);
/// Longest wait for pods to leave a node that they are being removed from.
const GONE_WITHIN: Duration = Duration::from_secs(60);
/// The namespace with the kubelets' heartbeats.
const HEARTBEATS: &str = "kube-node-lease";

/// The fact with the state of the kubelet.
const KUBELET: &str = "kubelet";
const SILENT: &str = "silent";

impl NodePause {
    fn back_within() -> Span {
        Span::secs(60)
    }

    /// Waits if needed: pods that are being removed may still run where they must not.
    async fn choose(&self, client: &Client) -> Result<String, ScenarioError> {
        let begun = Instant::now();
        loop {
            let workers = workers(client).await?;
            let found = match &self.node {
                Choice::Name(name) => workers.into_iter().find(|worker| worker == name),
                Choice::Worker(worker) => worker.among(client, workers).await?,
            };
            match found {
                Some(node) => return Ok(node),
                None if begun.elapsed() > GONE_WITHIN => return Err(ScenarioError::NoTarget { what: self.to_string() }),
                None => sleep(LOOK).await,
            }
        }
    }
}

impl std::fmt::Display for NodePause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.node {
            Choice::Name(name) => write!(f, "worker {name}"),
            Choice::Worker(Worker { with, without }) => {
                write!(f, "worker with a ready pod of {}", with.selector)?;
                without.iter().try_for_each(|pods| write!(f, ", without one of {}", pods.selector))
            }
        }
    }
}

impl Worker {
    async fn among(&self, client: &Client, workers: Vec<String>) -> Result<Option<String>, ScenarioError> {
        let with = self.with.nodes(client, true).await?;
        let mut without = Vec::new();
        for other in &self.without {
            without.extend(other.nodes(client, false).await?);
        }
        Ok(fit(workers, &with, &without))
    }
}

/// The first worker that is in `with` and not in `without`.
fn fit(workers: Vec<String>, with: &[String], without: &[String]) -> Option<String> {
    workers.into_iter().find(|name| with.contains(name) && !without.contains(name))
}

impl Pods {
    /// The nodes on which the pods run.
    async fn nodes(&self, client: &Client, ready: bool) -> Result<Vec<String>, ScenarioError> {
        let all = pods(client, &self.namespace, &self.selector).await?;
        let there = all.into_iter().filter(|pod| !ready || is_ready(pod));
        Ok(there.filter_map(|pod| pod.spec?.node_name).collect())
    }
}

/// The names of nodes that are not control planes.
async fn workers(client: &Client) -> Result<Vec<String>, ScenarioError> {
    let selector = ListParams::default().labels("!node-role.kubernetes.io/control-plane");
    let nodes = Api::<Node>::all(client.clone()).list(&selector).await.map_err(ScenarioError::kube("list nodes"))?;
    let mut names: Vec<String> = nodes.items.iter().map(ResourceExt::name_any).collect();
    names.sort();
    Ok(names)
}

/// The time of the kubelet's last heartbeat.
async fn heartbeat(client: &Client, node: &str) -> Result<Option<MicroTime>, ScenarioError> {
    let lease = Api::<Lease>::namespaced(client.clone(), HEARTBEATS).get(node).await;
    let lease = lease.map_err(ScenarioError::kube(format!("read the last report of node {node}")))?;
    Ok(lease.spec.and_then(|spec| spec.renew_time))
}

impl Inject for NodePause {
    async fn lacks(&self, context: &Context) -> Result<Vec<String>, ScenarioError> {
        let workers = workers(&context.client).await?;
        let mut lacks = Vec::new();
        if context.nodes.is_none() {
            lacks.push("its fault needs access to nodes, and there is none".to_owned());
        }
        match &self.node {
            Choice::Name(name) if !workers.contains(name) => lacks.push(format!("there is no worker {name}")),
            Choice::Name(_) => {}
            Choice::Worker(worker) => {
                // what it must not run has to run somewhere else
                let needed = 1 + usize::from(!worker.without.is_empty());
                if workers.len() < needed {
                    lacks.push(format!("its fault needs {needed} workers, and there are {}", workers.len()));
                }
            }
        }
        Ok(lacks)
    }

    async fn inject(&self, stage: &mut Stage<'_>) -> Result<(), ScenarioError> {
        let context = stage.context;
        let nodes = context.nodes.as_ref().ok_or(ScenarioError::NoNodes)?;
        let node = self.choose(&context.client).await?;
        stage.count_retries().await;
        let lease = self.r#for.0 + GRACE;
        stage.changes.open(Undo::Standstill { node: node.clone() }, Duration::ZERO, Some(lease)).await?;
        stage.begin("nodePause", node.clone(), words(), (1, 1));
        let paused = nodes.pause(&node, lease).await;
        paused.map_err(|source| ScenarioError::Node { action: format!("pause node {node}"), source })?;
        let before = heartbeat(&context.client, &node).await;
        sleep(self.r#for.0).await;
        let after = heartbeat(&context.client, &node).await;
        let silent = before.ok().zip(after.ok()).map(|(before, after)| if before == after { SILENT } else { "heard of" });
        stage.record().facts.set(KUBELET, silent);
        Ok(())
    }

    async fn heal(&self, stage: &mut Stage<'_>) -> Result<(), ScenarioError> {
        if stage.changes.standing() == stage.standing {
            return Ok(());
        }
        let Some(node) = stage.target() else {
            // the undo entry was written but the fault did not begin: the latest record is another fault's
            return stage.changes.take_back_to(stage.standing).await;
        };
        let client = &stage.context.client;
        let before = heartbeat(client, &node).await;
        stage.changes.take_back_to(stage.standing).await?;
        stage.done();
        let before = before?;
        let back = || async { Ok(usize::from(heartbeat(client, &node).await? != before)) };
        stage.wait_for("nodes that stood still", 1, self.back_within.0, back).await?;
        stage.recovered();
        stage.retried().await;
        Ok(())
    }

    /// It bit if the node is known to have been silent, and requests were affected.
    fn evidence(&self, record: &mut FaultRecord, ledger: &Ledger) {
        traffic(record, ledger);
        record.bit &= record.facts.get(KUBELET) == Some(Fact::from(SILENT));
    }

    fn pods(&self) -> Option<(&str, &str)> {
        match &self.node {
            Choice::Name(_) => None,
            Choice::Worker(worker) => Some((&worker.with.namespace, &worker.with.selector)),
        }
    }

    fn problems(&self) -> Vec<(&'static str, String)> {
        let wrong = match self.r#for.0 {
            short if short < SHORTEST => format!("in less than {SHORTEST:?} a paused node cannot be recognised"),
            long if long > LONGEST => format!("after {LONGEST:?} pods are moved to other nodes"),
            _ => return Vec::new(),
        };
        vec![("for", wrong)]
    }
}

fn words() -> FaultWords {
    FaultWords {
        noun: "standstill".into(),
        subject: "worker".into(),
        done: "stopped".into(),
        did: "stood still".into(),
        does: "stands still".into(),
        do_many: "stand still".into(),
        healed: "going again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::FakeCluster;
    use crate::event::Events;
    use crate::load::{Entry, Outcome};
    use crate::provider::fake::{Fakes, InMemory};
    use crate::scenario::facts::Facts;
    use crate::scenario::load_file;
    use crate::scenario::undo::Changes;

    const SCENARIO: &str = include_str!("../../../scenarios/node-pause.yaml");

    #[test]
    fn the_shipped_scenario_is_valid_and_a_time_that_shows_nothing_is_refused() {
        load_file("node-pause.yaml", SCENARIO).unwrap_or_else(|problems| panic!("{problems}"));
        for time in ["for: 9s", "for: 400s"] {
            let wrong = load_file("s", &SCENARIO.replace("for: 15s", time)).expect_err("refused").to_string();
            assert!(wrong.contains("spec.timeline[0].fault.nodePause.for"), "{wrong}");
        }
    }

    #[test]
    fn the_first_worker_by_name_that_has_the_one_and_lacks_the_others() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let found = |with: &[&str], without: &[&str]| fit(names(&["w1", "w2", "w3"]), &names(with), &names(without));
        assert_eq!(found(&["w3", "w2"], &[]).as_deref(), Some("w2"));
        assert_eq!(found(&["w1", "w2"], &["w1"]).as_deref(), Some("w2"));
        assert_eq!(found(&["w1"], &["w1", "w2"]), None);
        assert_eq!(found(&["control-plane"], &[]), None, "only workers are asked for");
    }

    /// The API server stopped answering between the undo entry and the fault.
    #[tokio::test]
    async fn a_fault_that_did_not_begin_leaves_the_record_of_the_one_before_as_it_is() {
        let (api, provider, scratch) = (FakeCluster::default(), Fakes::default(), tempfile::tempdir().expect("scratch"));
        provider.nodes.lock().expect("unpoisoned").push(InMemory::new("w1"));
        let context = Context {
            client: api.client(),
            gateway: ([127, 0, 0, 1], 80).into(),
            host: String::new(),
            nodes: Some(crate::scenario::nodes(provider.clone())),
            profile: None,
            run: "r".into(),
            run_dir: scratch.path().to_owned(),
            journal: scratch.path().join("undo.jsonl"),
            cancel: tokio_util::sync::CancellationToken::new(),
            events: Events::open("r", Vec::new()).0,
        };
        let mut changes = Changes::new(context.hands(), &context.journal, "r", "a").expect("a journal");
        let before = FaultRecord { fault: "podKill".into(), target: "was-1".into(), at_ms: 5.0, ..FaultRecord::default() };
        let mut records = vec![before.clone()];
        let mut stage = Stage {
            context: &context,
            changes: &mut changes,
            records: &mut records,
            proxies: &[],
            clock: Instant::now(),
            moment: 1,
            standing: 0,
            counted: None,
        };
        api.silence(true);
        assert!(stage.changes.open(Undo::Standstill { node: "w1".into() }, Duration::ZERO, None).await.is_err());
        api.silence(false);
        let pause = NodePause { node: Choice::Name("w1".into()), r#for: Span::secs(15), back_within: Span::secs(60) };
        pause.heal(&mut stage).await.expect("taken back");
        assert_eq!(stage.changes.standing(), 0);
        assert_eq!(records, [before]);
        let asked = provider.get("w1").asked.lock().expect("unpoisoned").concat();
        assert!(asked.trim_end().ends_with(" sh resume"), "{asked}");
    }

    #[test]
    fn it_bit_only_when_the_kubelet_was_silent_and_requests_felt_it() {
        let pause = NodePause { node: Choice::Name("w1".into()), r#for: Span::secs(15), back_within: Span::secs(60) };
        let bit = |kubelet: Option<&str>, outcome| {
            let (sent, done) = (9_000, 30_000);
            let entry =
                Entry { sequence: 0, scheduled: sent, released: sent, sent, done, target: 0, outcome, status: 0, answer: 0 };
            let facts = Facts::default().with(KUBELET, kubelet).with("retries", Some(super::super::Amount::requests(0)));
            let mut record = FaultRecord { at_ms: 10.0, done_ms: Some(20.0), facts, ..FaultRecord::default() };
            pause.evidence(&mut record, &Ledger { entries: vec![entry], ..Ledger::default() });
            record.bit
        };
        assert!(bit(Some(SILENT), Outcome::Timeout));
        assert!(!bit(Some(SILENT), Outcome::Ok), "nobody felt it");
        assert!(!bit(Some("heard of"), Outcome::Timeout));
        assert!(!bit(None, Outcome::Timeout), "what was not looked at is not known");
    }
}
