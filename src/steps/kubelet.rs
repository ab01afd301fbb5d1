//! Workers' kubelets, which start without joining.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::kubelet;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::{self, AnyNode, FileSpec, Node, Provider};

/// The kubelet of a worker runs, with the right arguments, certificate and authority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kubelet {
    /// Name of the worker.
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
        let node = session.provider.node(&self.node).await?;
        let problems = kubelet::worker_problems(&node, session.pki().await?, &files(session, &node).await?).await?;
        Ok(needs(&problems, "", "; "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let node = session.provider.node(&self.node).await?;
        let mut files = files(session, &node).await?;
        files.push(kubelet::client(&node, session.pki().await?)?);
        node.put(files).await?;
        Ok(kubelet::start(&node).await?)
    }

    goes_with_its_nodes!();
}

/// The files that a worker should have.
async fn files(session: &Session, node: &AnyNode) -> Result<Vec<FileSpec>> {
    let (endpoint, machine) = (provider::endpoint(&session.profile).value, session.provider.machine(node.name()).await?);
    let (pki, kubernetes) = (session.pki().await?, &session.profile.kubernetes);
    Ok(kubelet::worker_files(node, pki, &endpoint, &machine.provider_id, kubernetes, &machine.quirks)?)
}
