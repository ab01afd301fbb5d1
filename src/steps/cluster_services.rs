//! What pods need, installed by kubeadm.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::{kubeadm, system};
use crate::error::{BoxError, Result};
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// Controller manager, scheduler, kube-proxy and CoreDNS are installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterServices;

impl Act for ClusterServices {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Install controllers, scheduler, kube-proxy and CoreDNS".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let (client, node) = (session.client().await?, session.control_plane().await?);
        let services = async { Ok::<_, BoxError>(system::services_missing(client).await?) };
        let rights = async { Ok(kubeadm::rights_missing(client).await?) };
        let (files, services, rights) = tokio::try_join!(kubeadm::files_missing(&node, &kubeadm::INSTALLED), services, rights)?;
        Ok(needs(&[files, services, rights].concat(), "", "; "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        kubeadm::bind_administrators(session.client().await?).await?;
        Ok(kubeadm::install_services(&session.control_plane().await?).await?)
    }

    goes_with_its_nodes!();
}
