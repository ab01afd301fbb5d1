//! A host is claimed for the cluster before anything on it is changed; the clean-up compares with what it had then.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::{Provider, machine};
use crate::steps::{Act, Session, Stage, goes_with_its_nodes, there};

/// The host's stock is recorded on it, and it is marked as part of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// Name of the host.
    pub node: String,
}

impl Act for Stock {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Take stock of `{}`", self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let node = session.provider.machines()?.node(&self.node).await?;
        let ours = machine::cluster(&node).await?.as_deref() == Some(session.profile.name.as_str());
        Ok(there(ours))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let node = session.provider.machines()?.node(&self.node).await?;
        machine::claim(&node, &session.profile.name, session.profile.kubernetes.pod_subnet).await
    }

    goes_with_its_nodes!();
}
