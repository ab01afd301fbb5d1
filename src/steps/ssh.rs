//! Steps that only machines have.

use super::steps::{Steps, needed_unless};
use crate::engine::Check;
use crate::error::Result;
use crate::plan::StepKind;
use crate::profile::{Pool, Role};
use crate::progress::Progress;
use crate::provider::{Node, machine};

impl Steps {
    pub(super) async fn check_host(&self, kind: &StepKind) -> Result<Check> {
        let session = &self.0;
        let done = match kind {
            StepKind::Stock { node } => {
                let node = session.host(node).await?;
                machine::cluster(&node).await?.as_deref() == Some(session.profile.name.as_str())
                    && machine::stock::is_kept(&node).await?
            }
            StepKind::Install { node, .. } => session.is_installed(&session.host(node).await?).await?,
            StepKind::HostImages { node, images } => {
                let missing = session.images_missing_on_host(&session.host(node).await?, images).await?;
                return Ok(needed_unless(missing.is_empty(), || format!("missing: {}", missing.join(", "))));
            }
            StepKind::Tools { node } => session.programs_missing(&session.host(node).await?, true).await?.is_empty(),
            // steps of containers are never in a plan for hosts
            _ => true,
        };
        Ok(needed_unless(done, || "not there yet".into()))
    }

    pub(super) async fn apply_host(&self, kind: &StepKind, progress: &Progress) -> Result<()> {
        let session = &self.0;
        match kind {
            StepKind::Stock { node } => {
                let node = session.host(node).await?;
                if !machine::stock::is_kept(&node).await? {
                    machine::stock::keep(&node).await?;
                }
                // planned before the host belongs to the cluster, and kept with that fact
                let pool = session.profile.components.metallb.as_ref().is_some_and(|metallb| metallb.pool == Pool::Auto);
                if pool && node.role() == Role::ControlPlane {
                    machine::keep_pool(&node, &session.pool().await?.to_string()).await?;
                }
                machine::join(&node, &session.profile.name).await?;
            }
            StepKind::Install { node, .. } => {
                let node = session.host(node).await?;
                session.install_programs(&node, false, progress).await?;
                session.configure(&node).await?;
            }
            StepKind::HostImages { node, images } => {
                let node = session.host(node).await?;
                let missing = session.images_missing_on_host(&node, images).await?;
                session.copy_to_host(&node, &missing, progress).await?;
            }
            StepKind::Tools { node } => session.install_programs(&session.host(node).await?, true, progress).await?,
            _ => {}
        }
        Ok(())
    }
}
