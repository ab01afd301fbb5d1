//! Nodes as containers.

use serde::{Deserialize, Serialize};

use crate::components::catalogue;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::profile::Role;
use crate::progress::Progress;
use crate::steps::{Act, Session, Stage, there};

/// The node runs and accepts commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The node's name.
    pub node: String,
    /// Its part in the cluster.
    pub role: Role,
}

impl Act for Node {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Start node `{}` ({})", self.node, self.role)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let docker = session.provider.docker()?;
        let containers = docker.own_containers().await?;
        Ok(match containers.iter().find(|container| container.name == self.node) {
            Some(container) if container.running && docker.is_booted(&self.node).await? => Check::Satisfied,
            Some(container) if container.running => Check::Needed("it is still starting".into()),
            Some(container) => Check::Needed(format!("it is stopped: {}", container.status)),
            None => there(false),
        })
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let docker = session.provider.docker()?;
        let image = docker.image_of_nodes(&catalogue::pulled(&session.profile)).await?;
        docker.start_node(&self.node, self.role, &image.value).await?;
        progress.say("booting");
        docker.wait_booted(&self.node).await
    }

    fn undo_sentence(&self) -> String {
        format!("Remove node `{}` and its volume", self.node)
    }

    async fn undo(&self, session: &Session, _: &Progress) -> Result<()> {
        let docker = session.provider.docker()?;
        docker.thaw(&self.node).await;
        Ok(docker.remove_node(&self.node).await?)
    }
}
