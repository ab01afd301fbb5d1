//! Objects that Hearth once wrote and the profile no longer asks for.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Act, Session, Stage, docker, goes_with_its_nodes, needs, patience};
use crate::components::removal::Removal;
use crate::components::{ObjectRef, apply, catalogue, probe};
use crate::error::{BoxError, Result};
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// They are gone, except for those that hold data or what others made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prune {
    /// Whether to remove those too.
    #[serde(rename = "deleteData", default)]
    pub delete_data: bool,
}

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
        let removed = self.removed(session).await?;
        let what: Vec<String> = (!removed.is_empty()).then(|| format!("{} objects", removed.len())).into_iter().collect();
        Ok(needs(&what, "", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let (client, deadline) = (session.client().await?, Instant::now() + patience::<Self>());
        let objects = self.removed(session).await?;
        apply::delete(client, &objects, deadline).await?;
        for object in objects {
            progress.say(format!("removed {object}"));
        }
        Ok(())
    }

    goes_with_its_nodes!();
}

impl Prune {
    /// What is to be removed. The findings are kept in the session, for those who ask or report to the user.
    async fn removed(&self, session: &Session) -> Result<Vec<ObjectRef>> {
        let client = session.client().await?;
        let written = async { Ok::<_, BoxError>(apply::written(client, &session.profile.name).await?) };
        let (written, wanted) = tokio::try_join!(written, wanted(session))?;
        let removal = Removal::of(client, apply::stale(written, &wanted)).await?;
        let mut removed = removal.goes.clone();
        if self.delete_data {
            removed.extend(removal.holds.iter().map(|holding| holding.object.clone()));
        }
        *session.removal.lock().await = removal;
        Ok(removed)
    }
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
