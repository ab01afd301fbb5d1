//! Containers that stand still for a while.

use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::{InspectContainerOptions, StartContainerOptions};

use super::{DockerError, DockerProvider, call};

impl DockerProvider {
    /// Freezes every process of a node's container; its network still takes packets, and nobody answers them.
    pub(super) async fn pause_node(&self, name: &str) -> Result<(), DockerError> {
        self.must_be_ours(name).await?;
        self.engine.docker.pause_container(name).await.map_err(call(format!("pause container `{name}`")))
    }

    /// Lets a node's container go on: unpauses one that is paused, starts one that is stopped. Fine when it runs.
    pub(super) async fn resume_node(&self, name: &str) -> Result<(), DockerError> {
        self.must_be_ours(name).await?;
        let engine = &self.engine.docker;
        let found = engine.inspect_container(name, None::<InspectContainerOptions>).await;
        let state = found.map_err(call(format!("inspect container `{name}`")))?.state.and_then(|state| state.status);
        match state {
            Some(ContainerStateStatusEnum::PAUSED) => {
                engine.unpause_container(name).await.map_err(call(format!("unpause container `{name}`")))
            }
            Some(ContainerStateStatusEnum::RUNNING) => Ok(()),
            _ => {
                let started = engine.start_container(name, None::<StartContainerOptions>).await;
                started.map_err(call(format!("start container `{name}`")))
            }
        }
    }

    async fn must_be_ours(&self, name: &str) -> Result<(), DockerError> {
        match self.own_containers().await?.iter().any(|container| container.name == name) {
            true => Ok(()),
            false => Err(DockerError::NoNode { node: name.to_owned(), cluster: self.cluster.clone() }),
        }
    }
}
