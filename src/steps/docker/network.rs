//! The Docker network that all nodes are on.

use serde::{Deserialize, Serialize};

use crate::components::address_pool;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;
use crate::provider::Provider;
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
        let docker = session.provider.docker()?;
        docker.create_network().await?;
        let metallb = session.profile.components.metallb.as_ref();
        let misfit = metallb
            .zip(session.provider.network().await?)
            .and_then(|(metallb, made)| address_pool::fits(metallb.pool, made.subnet, &made.used, &made.taken, made.own).err());
        // preflight had no network to check the profile's pool against: nothing more is made before it is known to fit
        if let Some(misfit) = misfit {
            docker.remove_network().await?;
            return Err(misfit.into());
        }
        Ok(())
    }

    fn undo_sentence(&self) -> String {
        "Remove Docker network `kind`, if ours and unused".into()
    }

    async fn undo(&self, session: &Session, _: &Progress) -> Result<()> {
        Ok(session.provider.docker()?.remove_network().await?)
    }
}
