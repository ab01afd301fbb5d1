//! The wait for nodes.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::cluster::ready;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// All nodes are Ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodesReady {
    /// Their names.
    pub nodes: Vec<String>,
}

impl Act for NodesReady {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;

    fn sentence(&self) -> String {
        format!("Wait for {} nodes to be Ready", self.nodes.len())
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(&ready::node_problems(session.client().await?, &self.nodes).await?, "", "; "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(ready::wait_nodes(session.client().await?, &self.nodes, patience::<Self>()).await?)
    }

    goes_with_its_nodes!();
}
