//! What makes a host a node: container runtime, Kubernetes, and their configuration.

use futures_util::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::artifact::pins;
use crate::artifact::programs::release;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::profile::Role;
use crate::progress::Progress;
use crate::provider::machine::install;
use crate::provider::machine::programs::{self, Installed, PROGRAMS, Program};
use crate::provider::ssh::SshNode;
use crate::provider::{FileSpec, Node, Provider};
use crate::steps::{Act, Session, Stage, there};

/// A host has its programs and its configuration, and its container runtime runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Install {
    /// Name of the host.
    pub node: String,
    /// Its part in the cluster.
    pub role: Role,
}

impl Act for Install {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.within(900).attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Install container runtime and Kubernetes on `{}` ({})", self.node, self.role)
    }

    fn target(&self) -> Option<&str> {
        Some(&self.node)
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let node = session.provider.machines()?.node(&self.node).await?;
        let done = install::is_configured(&node, &files(session, &self.node).await?).await?
            && missing(session, &node, Program::starts).await?.is_empty();
        Ok(there(done))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let node = session.provider.machines()?.node(&self.node).await?;
        copy(session, &node, Program::starts, progress).await?;
        // the runtime restarts if it ran with another program or configuration
        Ok(install::configure(&node, files(session, &self.node).await?).await?)
    }

    fn undo_sentence(&self) -> String {
        format!("Make `{}` a plain host again", self.node)
    }

    async fn undo(&self, session: &Session, _: &Progress) -> Result<()> {
        session.provider.release(&self.node).await
    }
}

/// The configuration files of a host.
async fn files(session: &Session, node: &str) -> Result<Vec<FileSpec>> {
    let facts = session.provider.machines()?.facts_of(node).await?;
    let quirks = install::Quirks {
        withholds_sys_resource: facts.withholds_sys_resource(),
        few_inotify: facts.inotify <= install::INOTIFY,
    };
    Ok(install::files(&pins::pause(&session.profile.kubernetes.version), quirks))
}

/// Programs, among those that `wanted` selects, that a host lacks or has in another version. A program that was installed for
/// the same release counts, whoever installed it and from whichever bundle; nothing is downloaded to find out.
pub(super) async fn missing(session: &Session, node: &SshNode, wanted: fn(&Program, Role) -> bool) -> Result<Vec<Program>> {
    let programs: Vec<Program> = PROGRAMS.into_iter().filter(|program| wanted(program, node.role())).collect();
    let paths: Vec<String> = programs.iter().map(Program::path).collect();
    let present = programs::present(node, &paths).await?;
    let is_right = |program: &Program| present.is(&program.path(), &release_of(session, program));
    Ok(programs.into_iter().filter(|program| !is_right(program)).collect())
}

/// Copies programs to a host that lacks them.
pub(super) async fn copy(
    session: &Session,
    node: &SshNode,
    wanted: fn(&Program, Role) -> bool,
    progress: &Progress,
) -> Result<()> {
    let missing = missing(session, node, wanted).await?.into_iter().map(Ok);
    // the host checks and installs one while another is being transferred
    let copies = stream::iter(missing).try_for_each_concurrent(2, |program| async move {
        let source = session.store.program(program.name, &session.profile.kubernetes.version, progress).await?;
        progress.say(format!("copying {}", program.name));
        let (sha256, path) = (session.store.digest(&source).await?, program.path());
        let installed = Installed { sha256: sha256.clone(), path: path.clone(), release: release_of(session, &program) };
        programs::record(node, &installed).await?;
        node.upload(&source, &path, 0o755, &sha256, &|_| {}).await?;
        Ok(())
    });
    copies.await
}

/// Identifies the version of a program that the profile asks for: the URL of its release.
fn release_of(session: &Session, program: &Program) -> String {
    release(program.name, &session.profile.kubernetes.version).url
}
