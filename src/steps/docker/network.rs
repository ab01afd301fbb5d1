//! The Docker network that all nodes are on.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::steps::{Act, Session, Stage, there};

/// The network exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network;

impl Act for Network {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Create Docker network `kind`".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(session.provider.docker()?.engine().has_network().await?))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(session.provider.docker()?.create_network().await?)
    }

    fn undo_sentence(&self) -> String {
        "Remove Docker network `kind`, if ours and unused".into()
    }

    async fn undo(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(session.provider.docker()?.remove_network().await?)
    }
}
