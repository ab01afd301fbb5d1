//! Workers' kubelets, which start without a join.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, there};
use crate::cluster::kubelet;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::Node;

/// The kubelet of a worker runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kubelet {
    /// The worker.
    pub node: String,
}

impl Act for Kubelet {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::Restart;
    const LIMITS: StepLimits = StepLimits::USUAL.attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Start the kubelet of `{}`", self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(kubelet::is_running(&session.provider.node(&self.node).await?).await?))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let node = session.provider.node(&self.node).await?;
        let quirks = session.quirks(&self.node).await?;
        let (endpoint, id) = (session.endpoint().await?, session.provider_id(&self.node));
        let kubernetes = &session.profile.kubernetes;
        node.put(kubelet::worker_files(&node, session.pki().await?, &endpoint, &id, kubernetes, &quirks)?).await?;
        Ok(kubelet::start(&node).await?)
    }

    goes_with_its_nodes!();
}
