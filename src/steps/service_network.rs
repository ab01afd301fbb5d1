//! The wait for kube-proxy.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Act, Session, Stage, goes_with_its_nodes, patience, there};
use crate::cluster::system;
use crate::components::{Ready, health};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// Service addresses reach pods, from every node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceNetwork;

impl Act for ServiceNetwork {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;

    fn sentence(&self) -> String {
        "Wait for kube-proxy on every node".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let unhealthy = health::unhealthy(session.client().await?, &[Ready::Rollout], &[system::kube_proxy()]).await?;
        Ok(there(unhealthy.is_empty()))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let deadline = Instant::now() + patience::<Self>();
        Ok(health::wait(session.client().await?, &[Ready::Rollout], &[system::kube_proxy()], deadline, progress).await?)
    }

    goes_with_its_nodes!();
}
