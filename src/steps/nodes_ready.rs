//! The wait for nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::cluster::ready::{self, NodeProblem};
use crate::cluster::{ClusterError, kubelet};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::Provider;
use crate::quantity::counted;

/// All nodes are Ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodesReady {
    /// Names of the nodes.
    pub nodes: Vec<String>,
}

impl Act for NodesReady {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;

    fn sentence(&self) -> String {
        format!("Wait for {} to be Ready", counted(self.nodes.len(), "node"))
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(&ready::node_problems(session.client().await?, &self.nodes).await?, "", "; "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let client = session.client().await?;
        tokio::select! {
            ready = ready::wait_nodes(client, &self.nodes, patience::<Self>(), progress) => Ok(ready?),
            hopeless = kubelet_that_fails(session, &self.nodes, progress) => Err(hopeless.into()),
        }
    }

    goes_with_its_nodes!();
}

/// How long a node may take before it is asked for the reason.
const ASK_AFTER: Duration = Duration::from_secs(15);
/// Pause between two looks at nodes.
const PAUSE: Duration = Duration::from_secs(5);
/// A kubelet that restarts this often during the wait will not recover.
const STARTS: u32 = 10;

/// Checks what the kubelets of the nodes that are not Ready report, and passes it on. Returns only if a kubelet keeps
/// restarting.
async fn kubelet_that_fails(session: &Session, nodes: &[String], progress: &Progress) -> ClusterError {
    let mut before = BTreeMap::new();
    sleep(ASK_AFTER).await;
    loop {
        let problems = match session.client().await {
            Ok(client) => ready::node_problems(client, nodes).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        for NodeProblem { node: name, why } in problems {
            let Ok(node) = session.provider.node(&name).await else { continue };
            let Some(state) = kubelet::state(&node).await else { continue };
            let first = *before.entry(name.clone()).or_insert(state.restarts);
            let said = state.said.unwrap_or(why);
            if state.restarts >= first + STARTS {
                return ClusterError::KubeletFails { node: name, restarts: state.restarts, said };
            }
            progress.say(format!("{name}: its kubelet says: {said}"));
        }
        sleep(PAUSE).await;
    }
}
