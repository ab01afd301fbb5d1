//! What kubeadm stores in the cluster for later upgrades, the right of kubelets to renew their certificates, and the absence of
//! a token with which others could join.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::kubeadm;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The configuration is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterConfiguration;

impl Act for ClusterConfiguration {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Store the cluster's configuration".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(&kubeadm::unfinished(session.client().await?).await?, "", "; "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(kubeadm::finish(&session.control_plane().await?, session.client().await?).await?)
    }

    goes_with_its_nodes!();
}
