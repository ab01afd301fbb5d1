//! The default storage class that node images bring with them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::system;
use crate::components::{apply, storage};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::steps::{Act, Session, Stage, goes_with_its_nodes, needs, patience};

/// The storage class is installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storage;

impl Act for Storage {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Install the local-path storage class".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let objects = system::storage_objects(&session.control_plane().await?).await?;
        let differences = apply::check(session.client().await?, &session.owner(storage::COMPONENT.name), &objects).await?;
        let objects: Vec<_> = differences.into_iter().map(|difference| difference.object).collect();
        Ok(needs(&objects, "", ", "))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let (client, deadline) = (session.client().await?, Instant::now() + patience::<Self>());
        let objects = system::storage_objects(&session.control_plane().await?).await?;
        Ok(apply::apply(client, &session.owner(storage::COMPONENT.name), &objects, deadline).await?)
    }

    goes_with_its_nodes!();
}

/// The objects of the storage class that nodes bring; none if they bring none.
pub(in crate::steps) async fn objects(session: &Session) -> Result<Vec<Value>> {
    Ok(match session.profile.provider.brings_storage_class() {
        true => system::storage_objects(&session.control_plane().await?).await?,
        false => Vec::new(),
    })
}
