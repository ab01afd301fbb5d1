//! The wait for the API server.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::cluster::api;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The API server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiServer;

impl Act for ApiServer {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;

    fn sentence(&self) -> String {
        "Wait for the API server".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(api::trouble(session.client().await?).await.as_slice(), "", ""))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        Ok(api::wait_ready(session.client().await?, patience::<Self>(), progress).await?)
    }

    goes_with_its_nodes!();
}
