//! Node objects, made before their kubelets start.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, there};
use crate::cluster::registration;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The Node object is there, with its share of the pod subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// The node.
    pub node: String,
}

impl Act for Register {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Register node `{}`", self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(registration::is_registered(session.client().await?, &self.node).await?))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let cidr = session.segment(&self.node).await?.cidr;
        let capacity = session.capacity(&self.node).await?;
        let id = session.provider_id(&self.node);
        Ok(registration::register(session.client().await?, &self.node, cidr, capacity, &id).await?)
    }

    goes_with_its_nodes!();
}
