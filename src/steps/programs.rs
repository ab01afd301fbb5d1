//! Programs for hosts: out of the bundle, the cache, or what their projects publish.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use futures_util::{TryStreamExt, stream};

use super::Session;
use super::error::SessionError;
use crate::artifact::programs::{Release, release};
use crate::artifact::{self, download};
use crate::error::Result;
use crate::profile::Role;
use crate::progress::Progress;
use crate::provider::Node;
use crate::provider::machine::install::{self, Program};
use crate::provider::ssh::SshNode;

impl Session {
    /// The programs that a node cannot start without, or those that can come later.
    fn programs(role: Role, later: bool) -> Vec<Program> {
        let wanted = |program: &Program| if later { program.on == install::On::Later } else { program.starts(role) };
        install::PROGRAMS.into_iter().filter(wanted).collect()
    }

    /// Programs that a host lacks or has another version of. Nothing is downloaded to look: one that is not on this machine
    /// counts as missing.
    pub(super) async fn programs_missing(&self, node: &SshNode, later: bool) -> Result<Vec<Program>> {
        let programs = Session::programs(node.role(), later);
        let paths: Vec<String> = programs.iter().map(Program::path).collect();
        let has = install::digests(node, &paths).await?;
        let mut missing = Vec::new();
        for program in programs {
            let right = match self.program_at_hand(&program) {
                Some(path) => has.contains(&(program.path(), self.digest(&path).await?)),
                None => false,
            };
            if !right {
                missing.push(program);
            }
        }
        Ok(missing)
    }

    /// Brings programs to a host that lacks them.
    pub(super) async fn install_programs(&self, node: &SshNode, later: bool, progress: &Progress) -> Result<()> {
        let missing = self.programs_missing(node, later).await?.into_iter().map(Ok);
        // the host looks at one and puts it in place while another is on its way
        let copies = stream::iter(missing).try_for_each_concurrent(2, |program| async move {
            let source = self.program(&program, progress).await?;
            progress.say(format!("copying {}", program.name));
            node.upload(&source, &program.path(), 0o755, &self.digest(&source).await?, &|_| {}).await?;
            Ok(())
        });
        copies.await
    }

    /// Programs that are neither at hand nor published by a server that answers.
    pub(super) async fn programs_nowhere(&self) -> Vec<String> {
        let missing = install::PROGRAMS.iter().filter(|program| self.program_at_hand(program).is_none());
        let look = missing.map(|program| async {
            let url = self.release(program).url;
            let answers = super::images::answers(&download::server(&url)).await;
            (!answers).then(|| format!("program {} ({})", program.name, download::address(&url)))
        });
        join_all(look).await.into_iter().flatten().collect()
    }

    /// A file's sha256, computed once.
    pub(super) async fn digest(&self, path: &Path) -> Result<String> {
        if let Some(digest) = self.digests.lock().await.get(path) {
            return Ok(digest.clone());
        }
        let file = path.to_owned();
        let digest =
            tokio::task::spawn_blocking(move || artifact::digest(&file)).await.map_err(|_| SessionError::Interrupted)??;
        self.digests.lock().await.insert(path.to_owned(), digest.clone());
        Ok(digest)
    }

    fn release(&self, program: &Program) -> Release {
        release(program.name, &self.profile.kubernetes.version)
    }

    /// A program's file on this machine: the bundle's, or the cache's.
    fn program_at_hand(&self, program: &Program) -> Option<PathBuf> {
        let bundled = self.bundle.as_ref().and_then(|bundle| bundle.program(program.name));
        bundled.or_else(|| self.release(program).cached(program.name, &artifact::cache_dir().ok()?))
    }

    /// A program's file on this machine; its release is downloaded once, whoever asks first.
    async fn program(&self, program: &Program, progress: &Progress) -> Result<PathBuf> {
        if let Some(path) = self.program_at_hand(program) {
            return Ok(path);
        }
        let release = self.release(program);
        let fetched = self.releases.lock().await.entry(release.url.clone()).or_default().clone();
        let fetch = async {
            progress.say(format!("downloading {}", download::address(&release.url)));
            let (release, cache) = (release.clone(), artifact::cache_dir()?);
            let fetch = tokio::task::spawn_blocking(move || release.fetch(&cache));
            Ok::<_, crate::error::BoxError>(fetch.await.map_err(|_| SessionError::Interrupted)??)
        };
        fetched.get_or_try_init(|| fetch).await?;
        self.program_at_hand(program).ok_or_else(|| SessionError::NoProgram { program: program.name, url: release.url }.into())
    }
}
