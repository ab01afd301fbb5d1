//! What kubeadm keeps in the cluster for later joins and upgrades.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, there};
use crate::cluster::{kubeadm, system};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// It is stored.
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
        Ok(there(system::has_configuration(session.client().await?).await?))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(kubeadm::finish(&session.control_plane().await?).await?)
    }

    goes_with_its_nodes!();
}
