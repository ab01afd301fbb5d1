//! Nodes that the profile no longer asks for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::error::SessionError;
use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::cluster::leaving::{self, Standing, Volume};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::profile::{NodeSpec, Role};
use crate::progress::Progress;
use crate::provider::{NodeView, Provider};

/// How long it may take until the cluster considers a machine that does not answer as silent; it waits for 50 s itself.
const SILENT_WITHIN: Duration = Duration::from_secs(90);

/// The pods of a node have moved, and its Node object and the node itself are gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leave {
    /// The node's name.
    pub node: String,
    /// Its part in the cluster.
    pub role: Role,
    /// Whether to remove pods that nothing recreates, and data that pods keep on the node.
    #[serde(rename = "deleteData", default)]
    pub delete_data: bool,
    /// Volumes that existed only on it and are deleted, because it is gone for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Volume>,
}

impl Act for Leave {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::Destroy;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        let lost = self.lost.iter().map(|volume| format!("; delete volume {volume}")).collect::<String>();
        format!("Drain and remove node `{}` ({}){lost}", self.node, self.role)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    /// A node that does not answer has left once the cluster no longer knows it; it is released when it is back.
    async fn check(&self, session: &Session) -> Result<Check> {
        let (client, view) = (session.client().await?, self.view(session).await?);
        let registered = leaving::standing(client, &self.node).await? != Standing::Absent;
        let volumes = match self.lost.is_empty() {
            true => Vec::new(),
            false => leaving::volumes_on(client, std::slice::from_ref(&self.node)).await?,
        };
        let left = [
            (registered, "its Node object is there"),
            (view.is_some_and(|view| !view.away), "it is there itself"),
            (volumes.iter().any(|volume| self.lost.contains(volume)), "its volumes are there"),
        ];
        let left: Vec<&str> = left.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
        Ok(needs(&left, "", "; "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let (client, deadline) = (session.client().await?, Instant::now() + patience::<Self>());
        let view = self.view(session).await?;
        let (away, runs) = view.map_or((false, false), |view| (view.away, view.running));
        if away {
            // what a dead node held is already lost
            leaving::wait_for_silence(client, &self.node, Instant::now() + SILENT_WITHIN, progress).await?;
            leaving::give_up(client, &self.lost).await?;
        } else if runs && !self.delete_data {
            leaving::refuse_loss(client, std::slice::from_ref(&self.node)).await?;
        }
        leaving::drain(client, &self.node, deadline, progress).await?;
        if away {
            leaving::wait_for_loss(client, &self.lost, deadline).await?;
        }
        // the node itself goes last: as long as it exists, the next run knows that it has to leave
        leaving::forget(client, &self.node).await?;
        if away { Ok(()) } else { session.provider.release(&self.node).await }
    }

    goes_with_its_nodes!();
}

impl Leave {
    async fn view(&self, session: &Session) -> Result<Option<NodeView>> {
        Ok(session.provider.existing().await?.into_iter().find(|node| node.name == self.node))
    }
}

/// A node that the profile no longer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The node.
    pub node: NodeSpec,
    /// Volumes that are lost with it.
    pub lost: Vec<Volume>,
}

/// Refuses to lose volumes of nodes that leave. Exception: hosts that do not answer and that the user says are gone for good.
pub(super) fn refuse_volumes(volumes: &[Volume], go: &[NodeView], forgotten: &[String]) -> Result<()> {
    let is_away = |name: &String| go.iter().any(|node| node.away && node.name == *name);
    let held: Vec<&Volume> =
        volumes.iter().filter(|volume| !(is_away(&volume.node) && forgotten.contains(&volume.node))).collect();
    if held.is_empty() {
        return Ok(());
    }
    let mut away: Vec<String> = held.iter().map(|volume| volume.node.clone()).filter(is_away).collect();
    away.dedup();
    let volumes = held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(SessionError::VolumeLost { volumes, away }.into())
}
