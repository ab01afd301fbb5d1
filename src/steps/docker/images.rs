//! Images in the Docker engine, from which node containers and their images come.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::quantity::counted;
use crate::steps::{Act, Session, Stage, goes_with_its_nodes, needs};

/// The engine has every image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// Image references.
    pub images: Vec<String>,
}

impl Act for Images {
    const STAGE: Stage = Stage::Images;
    const CLASS: Class = Class::InPlace;
    /// A registry may be slow, and images are large: a longer `--timeout` is for them.
    const LIMITS: StepLimits = StepLimits::USUAL.within(900).patient();
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Have {} in the Docker engine", counted(self.images.len(), "image"))
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let docker = session.provider.docker()?;
        // what existing nodes were made of need not be looked at again
        let containers = docker.own_containers().await?;
        if session.profile.nodes().iter().all(|node| containers.iter().any(|container| container.name == node.name)) {
            return Ok(Check::Satisfied);
        }
        Ok(needs(&docker.lacking(&self.images).await?, "missing: ", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let docker = session.provider.docker()?;
        for image in docker.lacking(&self.images).await? {
            docker.fetch_image(&image, &session.store, progress).await?;
        }
        Ok(())
    }

    goes_with_its_nodes!();
}
