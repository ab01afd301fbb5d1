//! Steps that only containers have.

use std::time::Duration;

use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::Api;
use serde_json::Value;
use tokio::time::Instant;

use super::steps::{Steps, needed_unless};
use crate::cluster::ClusterError;
use crate::components::{apply, storage};
use crate::engine::Check;
use crate::error::Result;
use crate::graph::Kind;
use crate::plan::StepKind;
use crate::profile::Role;
use crate::progress::Progress;
use crate::provider::docker::DockerProvider;
use crate::provider::{Command, Node};

/// The node image's own storage manifest (kind's contract).
const STORAGE_MANIFEST: &str = "/kind/manifests/default-storage.yaml";

impl Steps {
    pub(super) async fn check_container(&self, docker: &DockerProvider, kind: &StepKind) -> Result<Check> {
        let session = &self.0;
        let done = match kind {
            StepKind::Images { .. } if self.nodes_exist(docker).await? => true,
            StepKind::Images { images } => {
                let missing = session.images_missing_in_engine(images).await?;
                return Ok(needed_unless(missing.is_empty(), || format!("missing: {}", missing.join(", "))));
            }
            StepKind::NodeImage { images, .. } => {
                // without its images in the engine there is nothing to derive it from
                !session.images_missing_in_engine(images).await?.is_empty()
                    || docker.has_image(&docker.derived_reference(images).await?).await?
            }
            StepKind::Network => docker.has_network().await?,
            StepKind::Node { node, .. } => {
                let containers = docker.own_containers().await?;
                match containers.iter().find(|container| container.name == *node) {
                    Some(container) if container.running => true,
                    Some(container) => return Ok(Check::Needed(format!("it is stopped: {}", container.status))),
                    None => false,
                }
            }
            StepKind::Storage => self.has_storage_class().await?,
            // steps of hosts are never in a plan for containers
            _ => true,
        };
        Ok(needed_unless(done, || "not there yet".into()))
    }

    pub(super) async fn apply_container(&self, docker: &DockerProvider, kind: &StepKind, progress: &Progress) -> Result<()> {
        let session = &self.0;
        let limit = kind.limits().deadline;
        match kind {
            StepKind::Images { images } => {
                for image in session.images_missing_in_engine(images).await? {
                    session.fetch_image(&image, progress).await?;
                }
            }
            StepKind::NodeImage { images, .. } => {
                let _one_builder = session.lock_derive().await?;
                let reference = docker.derived_reference(images).await?;
                if !docker.has_image(&reference).await? {
                    docker.derive_image(&reference, images, progress).await?;
                }
            }
            StepKind::Network => docker.create_network().await?,
            StepKind::Node { node, role } => {
                let image = session.node_image().await?;
                let pool = if *role == Role::ControlPlane { session.reserve_pool().await? } else { None };
                docker.start_node(node, *role, &image, pool.as_ref().map(|reserved| reserved.range)).await?;
                drop(pool);
                progress.say("booting");
                docker.wait_booted(node).await?;
            }
            StepKind::Storage => self.install_storage_class(limit).await?,
            _ => {}
        }
        Ok(())
    }

    async fn install_storage_class(&self, limit: Duration) -> Result<()> {
        let (session, objects) = (&self.0, self.storage_objects().await?);
        Ok(apply::apply(session.client().await?, &session.owner(storage::COMPONENT.name), &objects, Instant::now() + limit)
            .await?)
    }

    /// The storage class that the node image brings.
    pub(super) async fn storage_objects(&self) -> Result<Vec<Value>> {
        let manifest = self.0.control_plane().await?.run(Command::new(["cat", STORAGE_MANIFEST])).await?;
        Ok(crate::yaml::documents(&manifest.text())?)
    }

    async fn has_storage_class(&self) -> Result<bool> {
        let classes = Api::<StorageClass>::all(self.0.client().await?.clone());
        Ok(classes.get_opt("standard").await.map_err(ClusterError::api("read storage classes"))?.is_some())
    }

    /// True when every node container exists: what they were made of need not be looked at again.
    async fn nodes_exist(&self, docker: &DockerProvider) -> Result<bool> {
        let containers = docker.own_containers().await?;
        Ok(self.0.profile.nodes().iter().all(|node| containers.iter().any(|container| container.name == node.name)))
    }
}
