//! The node image of later clusters, with the components' images inside.

use serde::{Deserialize, Serialize};

use crate::error::{BoxError, Result, chain};
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::docker::Turn;
use crate::quantity::counted;
use crate::steps::{Act, Session, Stage, there};

/// The engine keeps the node image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeImage {
    /// The node image it is derived from.
    pub base: String,
    /// References of the images that go into it.
    pub images: Vec<String>,
}

impl Act for NodeImage {
    const STAGE: Stage = Stage::Images;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.within(900);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Keep node image `{}` with {} inside for the next start", self.base, counted(self.images.len(), "image"))
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let docker = session.provider.docker()?;
        // unless its images are in the engine, there is nothing to derive it from
        let done = !docker.lacking(&self.images).await?.is_empty()
            || docker.has_image(&docker.derived_reference(&self.images).await?).await?;
        Ok(there(done))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let docker = session.provider.docker()?;
        let _one_builder = Turn::Derive.take().await?;
        let reference = docker.derived_reference(&self.images).await?;
        if !docker.has_image(&reference).await? {
            let kept = docker.derive_image(&reference, &self.images, progress).await;
            kept.unwrap_or_else(|error| progress.warn(not_kept(&error)));
        }
        Ok(())
    }

    fn undo_sentence(&self) -> String {
        "Remove what a killed run left of building a node image".into()
    }

    /// The image is a cache for later clusters, so it stays.
    async fn undo(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(session.provider.docker()?.remove_builders().await?)
    }
}

/// The cluster works without the image, and the next one starts as this one did.
fn not_kept(error: &BoxError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("the node image for the next start could not be kept: {}{hint}", chain(&**error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::NodeError;

    #[test]
    fn an_image_that_could_not_be_kept_is_told_with_its_cause() {
        let full = NodeError::Unreadable { node: "builder".into(), what: "it".into(), reason: "no space left on device".into() };
        let told = not_kept(&full.into());
        assert!(told.contains("could not be kept") && told.contains("no space left on device"), "{told}");
    }
}
