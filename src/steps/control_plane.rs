//! Certificates, configuration and static pods of the control plane.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, there};
use crate::cluster::{kubeadm, kubelet};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::Node;

/// The control plane runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlPlane {
    /// Its name.
    pub node: String,
}

impl Act for ControlPlane {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Set up the control plane on `{}`", self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let node = session.provider.node(&self.node).await?;
        // the next step needs the certificates: they are read meanwhile, and missing ones are its error
        let (started, _read) = tokio::join!(kubeadm::is_started(&node), session.pki());
        Ok(there(started?))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let node = session.provider.node(&self.node).await?;
        let endpoint = session.endpoint().await?;
        let quirks = session.quirks(node.name()).await?;
        let mut arguments = quirks.arguments(&node, &session.provider_id(node.name()));
        // kubeadm gives this one itself
        arguments.retain(|(name, _)| *name != "hostname-override");
        let settings = kubeadm::Settings {
            cluster: &session.profile.name,
            kubernetes: &session.profile.kubernetes,
            endpoint: &endpoint,
            name: node.name(),
            address: node.address(),
            arguments,
            kubelet: quirks.clone(),
        };
        let mut files = session.pki().await?.files();
        files.extend(kubelet::credentials(&node, session.pki().await?, &endpoint)?);
        files.push(kubeadm::config_file(&settings)?);
        files.extend(quirks.files());
        node.put(files).await?;
        Ok(kubeadm::start(&node).await?)
    }

    goes_with_its_nodes!();
}
