//! Nodes that the profile no longer asks for.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::cluster::leaving;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::profile::Role;
use crate::progress::Progress;
use crate::provider::Provider;

/// The pods of a node have moved, its Node object and the node itself are gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leave {
    /// The node.
    pub node: String,
    /// Its part in the cluster.
    pub role: Role,
    /// Whether pods go that nothing makes again, and what pods keep on the node.
    #[serde(rename = "deleteData", default)]
    pub delete_data: bool,
}

impl Act for Leave {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::Destroy;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Drain and remove node `{}` ({})", self.node, self.role)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let existing = session.provider.existing().await?;
        let registered = leaving::is_registered(session.client().await?, &self.node).await?;
        let left = [
            (registered, "its Node object is there"),
            (existing.iter().any(|node| node.name == self.node), "it is there itself"),
        ];
        let left: Vec<&str> = left.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
        Ok(needs(&left, "", "; "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let client = session.client().await?;
        if !self.delete_data {
            leaving::refuse_loss(client, std::slice::from_ref(&self.node)).await?;
        }
        leaving::drain(client, &self.node, Instant::now() + patience::<Self>(), progress).await?;
        // the node itself goes last: as long as it is there, the next run knows that it has to leave
        leaving::forget(client, &self.node).await?;
        session.provider.release(&self.node).await
    }

    goes_with_its_nodes!();
}
