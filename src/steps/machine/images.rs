//! Images on hosts: from the bundle, else a host pulls them itself.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::machine::images;
use crate::provider::ssh::SshNode;
use crate::provider::{Provider, runtime};
use crate::quantity::counted;
use crate::steps::{Act, Session, Stage, goes_with_its_nodes, needs};

/// A host has these images. They are copied in the order they are needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostImages {
    /// Name of the host.
    pub node: String,
    /// Image references.
    pub images: Vec<String>,
}

impl Act for HostImages {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.within(900).patient().attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Copy {} to `{}`", counted(self.images.len(), "image"), self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(&self.missing(&session.provider.machines()?.node(&self.node).await?).await?, "missing: ", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let node = session.provider.machines()?.node(&self.node).await?;
        images::copy(&node, &self.missing(&node).await?, &session.store, progress).await
    }

    goes_with_its_nodes!();
}

impl HostImages {
    async fn missing(&self, node: &SshNode) -> Result<Vec<String>> {
        let has = runtime::images(node).await?;
        Ok(self.images.iter().filter(|image| !has.contains(*image)).cloned().collect())
    }
}
