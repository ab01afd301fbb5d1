//! The wait for the first answer through the gateway.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The application answers through the gateway's address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway;

impl Act for Gateway {
    const STAGE: Stage = Stage::Components;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;
    const MILESTONE: Option<&'static str> = Some("first 200");

    fn sentence(&self) -> String {
        "Wait for the first 200 through the gateway".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(session.question().await?.trouble().await.as_slice(), "", ""))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        Ok(session.question().await?.wait(patience::<Self>(), progress).await?)
    }

    goes_with_its_nodes!();
}
