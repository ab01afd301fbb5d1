//! The proof that pods reach each other.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Act, Session, Stage, goes_with_its_nodes, patience, there};
use crate::cluster::{ready, system};
use crate::components::{ObjectRef, Ready, apply, health, probe};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// DNS answers, and a pod on every node reaches a pod on every other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connectivity;

impl Act for Connectivity {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Prove DNS and pod-to-pod connectivity".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(ready::is_proven(session.client().await?).await?))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let client = session.client().await?;
        let deadline = Instant::now() + patience::<Self>();
        progress.say("system pods");
        health::wait(client, &[Ready::Rollout], &[system::coredns(), system::kube_proxy()], deadline, progress).await?;
        progress.say("probe pods");
        let part = probe::part();
        let objects = session.objects(&part).await?;
        apply::apply(client, &session.owner(part.id.component()), &objects, deadline).await?;
        health::wait(client, &part.ready, &objects, deadline, progress).await?;
        progress.say("from every pod to every pod");
        let made = ready::prove_connectivity(client, "hearth-system", "app=probe").await?;
        progress.say(format!("{made} connections made"));
        ready::keep_proof(client).await?;
        let probes: Vec<ObjectRef> = objects.iter().map(ObjectRef::of).collect();
        Ok(apply::delete(client, &probes, deadline).await?)
    }

    goes_with_its_nodes!();
}
