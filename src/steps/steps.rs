//! Steps, as far as they are the same on nodes of any kind. Every check reads the live world; every apply may be repeated.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Session;
use crate::cluster::{self, ClusterError, kubeadm, kubelet, leaving, ready, registration, routed};
use crate::components::{ObjectRef, Part, Ready, apply, catalogue, health, probe};
use crate::engine::{Actor, Check};
use crate::error::Result;
use crate::graph::Kind;
use crate::plan::StepKind;
use crate::progress::Progress;
use crate::provider::{AnyNode, AnyProvider, Command, Node, machine};

/// A step that waits stops so much before its deadline, to find out what is wrong while the engine still listens.
const DIAGNOSIS: Duration = Duration::from_secs(20);

/// Runs steps against a cluster and its nodes.
#[derive(Clone)]
pub struct Steps(pub Arc<Session>);

impl Actor<StepKind> for Steps {
    async fn check(&self, kind: &StepKind) -> Result<Check> {
        let session = &self.0;
        let provider = &session.provider;
        let done = match kind {
            StepKind::WasImage => session.was().await.is_ok(),
            StepKind::LoadImage { image } => {
                let lacking = session.nodes_lacking(image).await?;
                let list = || lacking.iter().map(Node::name).collect::<Vec<_>>().join(", ");
                return Ok(needed_unless(lacking.is_empty(), || format!("missing on {}", list())));
            }
            StepKind::ControlPlane { node } => {
                let node = provider.node(node).await?;
                let script = "test -s /etc/kubernetes/manifests/kube-apiserver.yaml && systemctl is-active --quiet kubelet";
                // the next question needs the certificates: they are read meanwhile, and missing ones are its error to tell
                let (runs, _read) = tokio::join!(node.exec(Command::shell(script)), session.pki());
                runs?.success()
            }
            StepKind::ApiServer => cluster::api::is_ready(session.client().await?).await,
            StepKind::Register { node } => registration::is_registered(session.client().await?, node).await?,
            StepKind::PodNetwork { node } => {
                routed::is_applied(&provider.node(node).await?, &session.pod_network(node).await?).await?
            }
            StepKind::Kubelet { node } => kubelet::is_running(&provider.node(node).await?).await?,
            StepKind::ClusterServices => self.cluster_services().await?,
            StepKind::ServiceNetwork => {
                health::unhealthy(session.client().await?, &[Ready::Rollout], &[kube_proxy()]).await?.is_empty()
            }
            StepKind::ClusterConfiguration => self.cluster_configuration().await?,
            StepKind::NodesReady { nodes } => {
                let problems = ready::node_problems(session.client().await?, nodes).await?;
                return Ok(needed_unless(problems.is_empty(), || problems.join("; ")));
            }
            StepKind::Apply { part } => {
                let part = session.part(*part)?;
                let differences = apply::check(session.client().await?, &session.objects(&part).await?).await?;
                let list = || differences.iter().map(|difference| difference.object.to_string()).collect::<Vec<_>>().join(", ");
                return Ok(needed_unless(differences.is_empty(), list));
            }
            StepKind::Healthy { part } => {
                let part = session.part(*part)?;
                let objects = session.objects(&part).await?;
                let unhealthy = health::unhealthy(session.client().await?, &part.ready, &objects).await?;
                let list = || unhealthy.iter().map(|one| format!("{}: {}", one.object, one.why)).collect::<Vec<_>>().join(", ");
                return Ok(needed_unless(unhealthy.is_empty(), list));
            }
            StepKind::Gateway => gateway_answers(session.vip().await?).await,
            StepKind::Leave { .. } => false,
            StepKind::Connectivity => ready::is_proven(session.client().await?).await?,
            StepKind::Prune => {
                let written = async { Ok(apply::written(session.client().await?, &session.profile.name).await?) };
                let (written, wanted) = tokio::try_join!(written, self.wanted_objects())?;
                let stale = apply::stale(written, &wanted);
                let list = || stale.iter().map(ObjectRef::to_string).collect::<Vec<_>>().join(", ");
                return Ok(needed_unless(stale.is_empty(), list));
            }
            StepKind::Settled => {
                let unsettled = session.unsettled().await?;
                return Ok(needed_unless(unsettled.is_empty(), || unsettled.join("; ")));
            }
            StepKind::Kubeconfig => session.kubeconfig_is_current().await?,
            other => match provider {
                AnyProvider::Docker(docker) => return self.check_container(docker, other).await,
                AnyProvider::Ssh(_) => return self.check_host(other).await,
            },
        };
        Ok(needed_unless(done, || "not there yet".into()))
    }

    async fn apply(&self, kind: &StepKind, progress: &Progress) -> Result<()> {
        let session = &self.0;
        let provider = &session.provider;
        let limit = kind.limits().deadline - DIAGNOSIS;
        let deadline = Instant::now() + limit;
        match kind {
            StepKind::WasImage => drop(session.was().await?),
            StepKind::LoadImage { image } => session.load_image(image, progress).await?,
            StepKind::ControlPlane { node } => self.control_plane(&provider.node(node).await?).await?,
            StepKind::ApiServer => cluster::api::wait_ready(session.client().await?, limit).await?,
            StepKind::Register { node } => {
                let cidr = session.segment(node).await?.cidr;
                let capacity = session.capacity(node).await?;
                registration::register(session.client().await?, node, cidr, capacity, &session.provider_id(node)).await?;
            }
            StepKind::Leave { node, .. } => {
                leaving::drain(session.client().await?, node, deadline, progress).await?;
                session.release_node(node).await?;
                leaving::forget(session.client().await?, node).await?;
            }
            StepKind::PodNetwork { node } => {
                routed::apply(&provider.node(node).await?, session.pod_network(node).await?).await?;
            }
            StepKind::Kubelet { node } => {
                let node = provider.node(node).await?;
                let quirks = session.quirks(node.name()).await?;
                let (endpoint, id) = (session.endpoint().await?, session.provider_id(node.name()));
                let kubernetes = &session.profile.kubernetes;
                node.put(kubelet::worker_files(&node, session.pki().await?, &endpoint, &id, kubernetes, &quirks)?).await?;
                kubelet::start(&node).await?;
            }
            StepKind::ClusterServices => {
                kubeadm::bind_administrators(session.client().await?).await?;
                kubeadm::install_services(&session.control_plane().await?).await?;
            }
            StepKind::ServiceNetwork => {
                health::wait(session.client().await?, &[Ready::Rollout], &[kube_proxy()], deadline).await?;
            }
            StepKind::ClusterConfiguration => kubeadm::finish(&session.control_plane().await?).await?,
            StepKind::NodesReady { nodes } => ready::wait_nodes(session.client().await?, nodes, limit).await?,
            StepKind::Apply { part } => self.apply_part(&session.part(*part)?, deadline).await?,
            StepKind::Healthy { part } => self.wait_part(&session.part(*part)?, deadline).await?,
            StepKind::Gateway => wait_gateway(session.vip().await?, limit).await?,
            StepKind::Connectivity => self.prove_connectivity(limit, progress).await?,
            StepKind::Prune => {
                let wanted = self.wanted_objects().await?;
                for object in apply::prune(session.client().await?, &session.profile.name, &wanted, deadline).await? {
                    progress.say(format!("removed {object}"));
                }
            }
            StepKind::Settled => session.wait_settled(limit).await?,
            StepKind::Kubeconfig => session.write_kubeconfig().await?,
            other => match provider {
                AnyProvider::Docker(docker) => self.apply_container(docker, other, progress).await?,
                AnyProvider::Ssh(_) => self.apply_host(other, progress).await?,
            },
        }
        Ok(())
    }

    async fn undo(&self, kind: &StepKind, _progress: &Progress) -> Result<()> {
        let session = &self.0;
        match (kind, &session.provider) {
            (StepKind::Kubeconfig, _) => session.remove_kubeconfig()?,
            (StepKind::Node { node, .. }, AnyProvider::Docker(docker)) => docker.remove_node(node).await?,
            (StepKind::Network, AnyProvider::Docker(docker)) => docker.remove_network().await?,
            (StepKind::NodeImage { .. }, AnyProvider::Docker(docker)) => docker.remove_builders().await?,
            (StepKind::Install { node, .. }, AnyProvider::Ssh(_)) => {
                machine::clean::clean(&session.host(node).await?, session.profile.kubernetes.pod_subnet).await?;
            }
            // lives in the nodes and goes with them, or is a cache that later runs use
            _ => {}
        }
        Ok(())
    }
}

/// An object that kubeadm installs, as the health rules know it.
fn system_object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"namespace": "kube-system", "name": name}})
}

fn kube_proxy() -> Value {
    system_object("DaemonSet", "kube-proxy")
}

pub(super) fn needed_unless(done: bool, why: impl FnOnce() -> String) -> Check {
    if done { Check::Satisfied } else { Check::Needed(why()) }
}

impl Steps {
    async fn control_plane(&self, node: &AnyNode) -> Result<()> {
        let session = &self.0;
        let endpoint = session.endpoint().await?;
        let quirks = session.quirks(node.name()).await?;
        let mut arguments = quirks.arguments(node, &session.provider_id(node.name()));
        // kubeadm gives this one itself
        arguments.retain(|(name, _)| *name != "hostname-override");
        let settings = kubeadm::Settings {
            cluster: &session.profile.name,
            kubernetes: &session.profile.kubernetes,
            endpoint: &endpoint,
            name: node.name(),
            address: node.address(),
            arguments,
            kubelet: quirks.clone(),
        };
        let mut files = session.pki().await?.files();
        files.extend(kubelet::credentials(node, session.pki().await?, &endpoint)?);
        files.push(kubeadm::config_file(&settings)?);
        files.extend(quirks.files());
        node.put(files).await?;
        Ok(kubeadm::start(node).await?)
    }

    async fn cluster_services(&self) -> Result<bool> {
        let client = self.0.client().await?;
        let read = ClusterError::api("read what kubeadm installed");
        let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), "kube-system");
        let deployments = Api::<Deployment>::namespaced(client.clone(), "kube-system");
        let (proxy, dns) = tokio::try_join!(daemon_sets.get_opt("kube-proxy"), deployments.get_opt("coredns")).map_err(read)?;
        Ok(proxy.is_some() && dns.is_some())
    }

    /// What the last of these phases leaves last. (Source: kubeadm `phases/bootstraptoken/clusterinfo`, CreateClusterInfoRBACRules.)
    async fn cluster_configuration(&self) -> Result<bool> {
        let bindings = Api::<RoleBinding>::namespaced(self.0.client().await?.clone(), "kube-public");
        let last = bindings.get_opt("kubeadm:bootstrap-signer-clusterinfo").await;
        Ok(last.map_err(ClusterError::api("look for the stored configuration"))?.is_some())
    }

    /// Everything that the profile asks for, and what the storage step applies.
    async fn wanted_objects(&self) -> Result<Vec<ObjectRef>> {
        let mut wanted = Vec::new();
        for part in catalogue::parts(&self.0.profile).into_iter().chain([probe::part()]) {
            wanted.extend(self.0.objects(&part).await?.iter().map(ObjectRef::of));
        }
        if let AnyProvider::Docker(_) = self.0.provider {
            wanted.extend(self.storage_objects().await?.iter().map(ObjectRef::of));
        }
        Ok(wanted)
    }

    async fn prove_connectivity(&self, limit: Duration, progress: &Progress) -> Result<()> {
        let client = self.0.client().await?;
        let deadline = Instant::now() + limit;
        progress.say("system pods");
        let system = [system_object("Deployment", "coredns"), kube_proxy()];
        health::wait(client, &[Ready::Rollout], &system, deadline).await?;
        progress.say("probe pods");
        let probe = probe::part();
        self.apply_part(&probe, deadline).await?;
        self.wait_part(&probe, deadline).await?;
        progress.say("from every pod to every pod");
        let made = ready::prove_connectivity(client, "hearth-system", "app=probe").await?;
        progress.say(format!("{made} connections made"));
        ready::keep_proof(client).await?;
        let probes: Vec<ObjectRef> = self.0.objects(&probe).await?.iter().map(ObjectRef::of).collect();
        Ok(apply::delete(client, &probes, deadline).await?)
    }

    async fn apply_part(&self, part: &Part, deadline: Instant) -> Result<()> {
        let owner = self.0.owner(part.id.component());
        Ok(apply::apply(self.0.client().await?, &owner, &self.0.objects(part).await?, deadline).await?)
    }

    async fn wait_part(&self, part: &Part, deadline: Instant) -> Result<()> {
        Ok(health::wait(self.0.client().await?, &part.ready, &self.0.objects(part).await?, deadline).await?)
    }
}

/// True when the application answers 200 at the gateway's address.
pub(super) async fn gateway_answers(vip: Ipv4Addr) -> bool {
    let answer = async {
        let mut stream = TcpStream::connect((vip, 80)).await.ok()?;
        stream
            .write_all(format!("GET /api/whoami HTTP/1.1\r\nHost: {vip}\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        head.ends_with(b" 200").then_some(())
    };
    tokio::time::timeout(Duration::from_secs(2), answer).await.ok().flatten().is_some()
}

/// Nothing tells when the address starts to answer, so it is asked, ten times a second.
async fn wait_gateway(vip: Ipv4Addr, limit: Duration) -> Result<()> {
    let start = Instant::now();
    while !gateway_answers(vip).await {
        if start.elapsed() > limit {
            let state = "no 200 on /api/whoami".to_owned();
            return Err(ClusterError::NotReady { what: format!("http://{vip}/"), limit, state }.into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
