//! Objects that Hearth once wrote and the profile no longer asks for.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Act, Session, Stage, docker, goes_with_its_nodes, needs, patience};
use crate::components::{ObjectRef, apply, catalogue, probe};
use crate::error::{BoxError, Result};
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// They are gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prune;

impl Act for Prune {
    const STAGE: Stage = Stage::Components;
    const CLASS: Class = Class::Destroy;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Remove objects the profile no longer asks for".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let written = async { Ok::<_, BoxError>(apply::written(session.client().await?, &session.profile.name).await?) };
        let (written, wanted) = tokio::try_join!(written, wanted(session))?;
        Ok(needs(&apply::stale(written, &wanted), "", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let (client, deadline) = (session.client().await?, Instant::now() + patience::<Self>());
        for object in apply::prune(client, &session.profile.name, &wanted(session).await?, deadline).await? {
            progress.say(format!("removed {object}"));
        }
        Ok(())
    }

    goes_with_its_nodes!();
}

/// Everything that the profile asks for, and what the storage step applies.
async fn wanted(session: &Session) -> Result<Vec<ObjectRef>> {
    let mut wanted = Vec::new();
    for part in catalogue::parts(&session.profile).into_iter().chain([probe::part()]) {
        wanted.extend(session.objects(&part).await?.iter().map(ObjectRef::of));
    }
    wanted.extend(docker::storage::objects(session).await?.iter().map(ObjectRef::of));
    Ok(wanted)
}
