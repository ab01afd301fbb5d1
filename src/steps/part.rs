//! Parts of components: their objects in the cluster, and the wait until they work.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::components::{PartId, apply, health};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The objects of a part are in the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Apply {
    /// Id of the part.
    pub part: PartId,
}

impl Act for Apply {
    const STAGE: Stage = Stage::Components;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Apply {}", self.part)
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let part = session.part(self.part)?;
        let owner = session.owner(self.part.component());
        let differences = apply::check(session.client().await?, &owner, &session.objects(&part).await?).await?;
        Ok(needs(&differences, "", ", "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let (client, deadline) = (session.client().await?, Instant::now() + patience::<Self>());
        let objects = session.objects(&session.part(self.part)?).await?;
        Ok(apply::apply(client, &session.owner(self.part.component()), &objects, deadline).await?)
    }

    goes_with_its_nodes!();
}

/// A part works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Healthy {
    /// Id of the part.
    pub part: PartId,
}

impl Act for Healthy {
    const STAGE: Stage = Stage::Components;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;

    fn sentence(&self) -> String {
        format!("Wait for {}", self.part)
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let part = session.part(self.part)?;
        let unhealthy = health::unhealthy(session.client().await?, &part.ready, &session.objects(&part).await?).await?;
        let lines: Vec<String> = unhealthy.into_iter().map(|one| format!("{}: {}", one.object, one.why)).collect();
        Ok(needs(&lines, "", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let (part, deadline) = (session.part(self.part)?, Instant::now() + patience::<Self>());
        Ok(health::wait(session.client().await?, &part.ready, &session.objects(&part).await?, deadline, progress).await?)
    }

    goes_with_its_nodes!();
}
