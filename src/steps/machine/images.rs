//! Images on hosts: out of the bundle, else a host pulls them itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::runtime::{self, PINNED, import};
use crate::provider::ssh::SshNode;
use crate::provider::{Command, Node};
use crate::steps::{Act, Session, Stage, goes_with_its_nodes, needs};

/// How long a host may take to pull an image.
const PULL: Duration = Duration::from_secs(600);

/// A host has images, those that are needed first before others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostImages {
    /// The host.
    pub node: String,
    /// Image references.
    pub images: Vec<String>,
}

impl Act for HostImages {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.within(900).attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Copy {} images to `{}`", self.images.len(), self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(&self.missing(&session.host(&self.node).await?).await?, "missing: ", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let node = session.host(&self.node).await?;
        copy(session, &node, &self.missing(&node).await?, progress).await
    }

    goes_with_its_nodes!();
}

impl HostImages {
    async fn missing(&self, node: &SshNode) -> Result<Vec<String>> {
        let has = runtime::images(node).await?;
        Ok(self.images.iter().filter(|image| !has.contains(*image)).cloned().collect())
    }
}

/// Brings images to a host. An archive streams into the import, which checks every blob; index or manifest come last in it, so
/// one that breaks off is no image. Layers stay packed until they run: unpacking all of them now would starve the API
/// server that starts meanwhile.
pub(in crate::steps) async fn copy(session: &Session, node: &SshNode, images: &[String], progress: &Progress) -> Result<()> {
    for image in images {
        progress.say(format!("{image} to {}", node.name()));
        match session.store.archive(image).await? {
            Some(archive) => node.feed_file(&archive, &import(false)).await?,
            None => {
                let pull = ["ctr", "--namespace=k8s.io", "images", "pull", PINNED, image];
                node.run(Command::new(pull).timeout(PULL)).await.map(drop)?;
            }
        }
    }
    Ok(())
}
