//! Routes and CNI configuration.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::routed;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::Provider;

/// Pods on this node and on all others reach each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodNetwork {
    /// Name of the node.
    pub node: String,
}

impl Act for PodNetwork {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Write the pod network of `{}`", self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let node = session.provider.node(&self.node).await?;
        Ok(needs(&routed::missing(&node, &session.pod_network(&self.node).await?).await?, "missing: ", ", "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let node = session.provider.node(&self.node).await?;
        routed::apply(&node, session.pod_network(&self.node).await?).await
    }

    goes_with_its_nodes!();
}
