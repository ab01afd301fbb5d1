//! Programs on a host that only people use.

use serde::{Deserialize, Serialize};

use super::install;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::profile::Role;
use crate::progress::Progress;
use crate::provider::Provider;
use crate::provider::machine::programs::{On, Program};
use crate::steps::{Act, Session, Stage, goes_with_its_nodes, there};

/// The host has the programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tools {
    /// Name of the host.
    pub node: String,
}

impl Act for Tools {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Copy crictl and kubectl to `{}`", self.node)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(install::missing(session, &session.provider.machines()?.node(&self.node).await?, is_tool).await?.is_empty()))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        install::copy(session, &session.provider.machines()?.node(&self.node).await?, is_tool, progress).await
    }

    goes_with_its_nodes!();
}

fn is_tool(program: &Program, _: Role) -> bool {
    program.on == On::Later
}
