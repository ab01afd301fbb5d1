//! The image of the WAS server, packed from this program.

use serde::{Deserialize, Serialize};

use super::{Act, Session, Stage, goes_with_its_nodes, there};
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The image is packed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WasImage;

impl Act for WasImage {
    const STAGE: Stage = Stage::Images;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Pack the WAS image".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(session.store.was().await.is_ok()))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        session.store.was().await?;
        Ok(())
    }

    goes_with_its_nodes!();
}
