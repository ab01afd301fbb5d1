//! Node objects, made before their kubelets start.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::registration;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The Node object is there, with its share of the pod subnet and the marks of what it is for.
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
        let missing = registration::missing(session.client().await?, &self.node, session.purpose(&self.node)).await?;
        Ok(needs(&missing, "", "; "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let cidr = session.segment(&self.node).await?.cidr;
        let capacity = session.capacity(&self.node).await?;
        let id = session.provider_id(&self.node);
        let purpose = session.purpose(&self.node);
        Ok(registration::register(session.client().await?, &self.node, purpose, cidr, capacity, &id).await?)
    }

    goes_with_its_nodes!();
}
