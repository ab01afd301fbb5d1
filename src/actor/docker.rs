//! Steps on Docker nodes. Every check reads the live world; every apply may be repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::Api;

use super::Session;
use crate::cluster::{self, ClusterError, kubeadm, kubeconfig, kubelet, ready, registration, routed};
use crate::components;
use crate::engine::{Actor, Check, Progress};
use crate::error::Result;
use crate::plan::{Kind, StepKind};
use crate::profile::Role;
use crate::provider::docker::{DockerNode, copy_archive};
use crate::provider::{Command, Node};

/// Runs steps against Docker and the cluster on it.
#[derive(Clone)]
pub struct DockerActor(pub Arc<Session>);

impl Actor<StepKind> for DockerActor {
    async fn check(&self, kind: &StepKind) -> Result<Check> {
        let session = &self.0;
        let provider = &session.provider;
        let done = match kind {
            StepKind::Images { .. } | StepKind::NodeImage { .. } if self.nodes_exist().await? => true,
            StepKind::Images { images } => {
                let missing = session.images_missing_in_engine(images).await?;
                return Ok(needed_unless(missing.is_empty(), || format!("missing: {}", missing.join(", "))));
            }
            StepKind::NodeImage { images, .. } => {
                session.images_missing_in_engine(images).await?.is_empty()
                    && provider.has_image(&provider.derived_reference(images).await?).await?
            }
            StepKind::WasImage => session.was_packed().await?,
            StepKind::Network => provider.network().await?.is_some(),
            StepKind::Node { node, .. } => {
                let containers = provider.own_containers().await?;
                match containers.iter().find(|container| container.name == *node) {
                    Some(container) if container.running => true,
                    Some(container) => return Ok(Check::Needed(format!("it is stopped: {}", container.status))),
                    None => false,
                }
            }
            StepKind::LoadImage => session.images_missing_on_nodes().await?.iter().all(|(_, missing)| missing.is_empty()),
            StepKind::ControlPlane { node } => {
                let node = provider.node(node).await?;
                let script = "test -s /etc/kubernetes/manifests/kube-apiserver.yaml && systemctl is-active --quiet kubelet";
                node.exec(Command::shell(script)).await?.success()
            }
            StepKind::ApiServer => cluster::api::is_ready(session.client().await?).await,
            StepKind::Register { node, .. } => registration::is_registered(session.client().await?, node).await?,
            StepKind::PodNetwork { node } => {
                routed::is_applied(&provider.node(node).await?, &session.pod_network(node).await?).await?
            }
            StepKind::Kubelet { node } => kubelet::is_running(&provider.node(node).await?).await?,
            StepKind::ClusterServices => self.cluster_services().await?,
            StepKind::NodesReady { nodes } => {
                let problems = ready::node_problems(session.client().await?, nodes).await?;
                return Ok(needed_unless(problems.is_empty(), || problems.join("; ")));
            }
            StepKind::Storage => self.has_storage_class().await?,
            StepKind::Apply { part } => return components::check(session.client().await?, part, session.inputs().await?).await,
            StepKind::Healthy { part } => return components::is_healthy(session.client().await?, part, session.inputs().await?).await,
            StepKind::Gateway => gateway_answers(session.vip().await?).await,
            StepKind::Connectivity => ready::is_proven(session.client().await?).await?,
            StepKind::Kubeconfig => session.kubeconfig_is_current().await?,
        };
        Ok(needed_unless(done, || "not there yet".into()))
    }

    async fn apply(&self, kind: &StepKind, progress: &Progress) -> Result<()> {
        let session = &self.0;
        let provider = &session.provider;
        let limit = kind.limits().deadline;
        match kind {
            StepKind::Images { images } => {
                for image in session.images_missing_in_engine(images).await? {
                    session.fetch_image(&image, progress).await?;
                }
            }
            StepKind::NodeImage { images, .. } => {
                let _one_builder = session.lock_derive().await?;
                let reference = provider.derived_reference(images).await?;
                if !provider.has_image(&reference).await? {
                    provider.derive_image(&reference, images).await?;
                }
            }
            StepKind::WasImage => drop(session.was().await?),
            StepKind::Network => provider.create_network().await?,
            StepKind::Node { node, role } => {
                let image = session.node_image(*role).await?;
                let pool = if *role == Role::ControlPlane { session.reserve_pool().await? } else { None };
                provider.start_node(node, *role, &image, pool.as_ref().map(|reserved| reserved.range)).await?;
                drop(pool);
                progress.say("booting");
                provider.wait_booted(node).await?;
            }
            StepKind::LoadImage => self.load_images(progress).await?,
            StepKind::ControlPlane { node } => self.control_plane(&provider.node(node).await?).await?,
            StepKind::ApiServer => cluster::api::wait_ready(session.client().await?, limit).await?,
            StepKind::Register { node, index } => {
                let cidr = registration::pod_cidr(session.profile.kubernetes.pod_subnet, *index, node)?;
                registration::register(session.client().await?, node, cidr, &session.provider_id(node)).await?;
            }
            StepKind::PodNetwork { node } => {
                routed::apply(&provider.node(node).await?, session.pod_network(node).await?).await?;
            }
            StepKind::Kubelet { node } => {
                let node = provider.node(node).await?;
                let config = kubelet::config(&session.profile.kubernetes, &session.quirks().await?);
                let id = session.provider_id(node.name());
                node.put(kubelet::worker_files(&node, session.pki().await?, &session.endpoint(), &id, &config)?).await?;
                kubelet::start(&node).await?;
            }
            StepKind::ClusterServices => kubeadm::finish(&session.control_plane().await?).await?,
            StepKind::NodesReady { nodes } => ready::wait_nodes(session.client().await?, nodes, limit).await?,
            StepKind::Storage => {
                let manifest = session.control_plane().await?.run(Command::new(["cat", STORAGE_MANIFEST])).await?;
                components::apply_text(session.client().await?, &manifest.text(), "storage", session.inputs().await?).await?;
            }
            StepKind::Apply { part } => components::apply(session.client().await?, part, session.inputs().await?, progress).await?,
            StepKind::Healthy { part } => components::wait(session.client().await?, part, session.inputs().await?, limit, progress).await?,
            StepKind::Gateway => wait_gateway(session.vip().await?, limit).await?,
            StepKind::Connectivity => self.prove_connectivity(limit, progress).await?,
            StepKind::Kubeconfig => session.write_kubeconfig().await?,
        }
        Ok(())
    }

    async fn undo(&self, kind: &StepKind, _progress: &Progress) -> Result<()> {
        let session = &self.0;
        match kind {
            StepKind::Node { node, .. } => session.provider.remove_node(node).await?,
            StepKind::Network => drop(session.provider.remove_network().await?),
            StepKind::Kubeconfig => session.remove_kubeconfig()?,
            // lives in the nodes and goes with them, or is a cache that later runs use
            _ => {}
        }
        Ok(())
    }
}
