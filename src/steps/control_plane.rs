//! Certificates, configuration and static pods of the control plane.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::cluster::renewal::{self, Certificates};
use crate::cluster::{kubeadm, kubelet};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::{self, AnyNode, Node, Provider};

/// The control plane runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlPlane {
    /// Name of the node.
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
        let arguments = arguments(session, &node).await?;
        let pki = session.pki().await?;
        let files = kubeadm::files_missing(&node, &kubeadm::STARTED);
        let looks = tokio::try_join!(files, renewal::look(&node), kubelet::problems(&node, pki, &arguments))?;
        let (missing, Certificates { missing: unsigned, due }, kubelet) = looks;
        let kubelet = kubelet.into_iter().map(|problem| format!("kubelet: {problem}"));
        let problems: Vec<String> = [missing, unsigned, due].into_iter().flatten().chain(kubelet).collect();
        Ok(needs(&problems, "", "; "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let node = session.provider.node(&self.node).await?;
        let endpoint = provider::endpoint(&session.profile).value;
        let quirks = session.provider.machine(&self.node).await?.quirks;
        let settings = kubeadm::Settings {
            cluster: &session.profile.name,
            kubernetes: &session.profile.kubernetes,
            endpoint: &endpoint,
            name: node.name(),
            address: node.address(),
            arguments: arguments(session, &node).await?,
            kubelet: quirks.clone(),
        };
        let pki = session.pki().await?;
        pki.install(&node).await?;
        let mut files = vec![kubelet::kubeconfig(&endpoint)?, kubelet::client(&node, pki)?, kubeadm::config_file(&settings)?];
        files.extend(quirks.files());
        node.put(files).await?;
        if !renewal::look(&node).await?.due.is_empty() {
            progress.say("renewing its certificates");
            renewal::renew(&node).await?;
        }
        Ok(kubeadm::start(&node, quirks.in_container).await?)
    }

    goes_with_its_nodes!();
}

/// The arguments of its kubelet; kubeadm sets the node's name itself.
async fn arguments(session: &Session, node: &AnyNode) -> Result<Vec<(&'static str, String)>> {
    let machine = session.provider.machine(node.name()).await?;
    let mut arguments = machine.quirks.arguments(node, &machine.provider_id);
    arguments.retain(|(name, _)| *name != "hostname-override");
    Ok(arguments)
}
