//! Whether everything works, and whether what the API says of it is news: after a node was down, the API goes on
//! telling what its kubelet last said, until that kubelet speaks again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Session, gateway_answers};
use crate::cluster::{ClusterError, ready};
use crate::components::{PartId, catalogue, health};
use crate::error::Result;
use crate::provider::AnyNode;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// What runs on the nodes.
pub struct Look {
    /// Each component, and whether it works.
    pub parts: Vec<(PartId, bool)>,
    /// What does not work, one line each.
    pub problems: Vec<String>,
}

impl Session {
    /// Looks at what runs on these nodes, by the health rules that the steps of a run wait for.
    pub async fn look(&self, nodes: &[AnyNode]) -> Result<Look> {
        let client = self.client().await?;
        let mut look = Look { parts: Vec::new(), problems: ready::outdated(client, nodes).await? };
        for part in catalogue::parts(&self.profile).into_iter().filter(|part| part.file().is_none()) {
            let unhealthy = health::unhealthy(client, &part.ready, &self.objects(&part).await?).await?;
            look.parts.push((part.id, unhealthy.is_empty()));
            look.problems.extend(unhealthy.into_iter().map(|one| format!("{}: {}: {}", part.id, one.object, one.why)));
        }
        if self.profile.components.workloads.is_some() {
            let vip = self.vip().await?;
            if !gateway_answers(vip).await {
                look.problems.push(format!("gateway: http://{vip}/api/whoami does not answer 200"));
            }
        }
        Ok(look)
    }

    /// What does not work, one line each; empty when everything does.
    pub(super) async fn unsettled(&self) -> Result<Vec<String>> {
        let nodes = self.nodes().await?;
        let names = self.profile.nodes().names();
        let mut found: Vec<String> = ready::node_problems(self.client().await?, &names)
            .await?
            .into_iter()
            .map(|problem| format!("node {problem}"))
            .collect();
        found.extend(self.look(&nodes).await?.problems);
        Ok(found)
    }

    /// Waits until nothing is found.
    pub async fn wait_settled(&self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let found = self.unsettled().await?;
            if found.is_empty() {
                return Ok(());
            }
            if start.elapsed() > limit {
                return Err(ClusterError::NotReady { what: "the cluster".into(), limit, state: found.join("; ") }.into());
            }
            sleep(LOOK).await;
        }
    }
}
