//! Node objects, made before their kubelets start.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::registration;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::Provider;

/// The Node object exists, with its share of the pod subnet, and the labels and taints for its purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// Name of the node.
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
        let (machine, purpose) = (session.provider.machine(&self.node).await?, session.purpose(&self.node));
        let capacity = registration::Capacity { cpus: machine.cpus, memory: machine.memory };
        let client = session.client().await?;
        Ok(registration::register(client, &self.node, purpose, cidr, capacity, &machine.provider_id).await?)
    }

    goes_with_its_nodes!();
}
