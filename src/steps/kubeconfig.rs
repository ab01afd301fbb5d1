//! How people get at the cluster: its kubeconfig file, and the entries in the user's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Session, Stage, there};
use crate::cluster::kubeconfig;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// The cluster's kubeconfig file is written, and merged into the user's on request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kubeconfig;

impl Act for Kubeconfig {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        "Write the kubeconfig".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    /// The cluster's own file leads to this very cluster, and the user's file has its entries if asked to.
    async fn check(&self, session: &Session) -> Result<Check> {
        let wanted = of(session).await?;
        let Ok(text) = std::fs::read_to_string(session.state.kubeconfig()) else { return Ok(there(false)) };
        let written = crate::yaml::documents(&text)?.into_iter().next().unwrap_or_default();
        let merged = match &session.merge_into {
            Some(path) => is_ours(session, path)?,
            None => true,
        };
        // the client certificate is signed anew each time; a cluster is known by its address and authority
        Ok(there(written["clusters"] == wanted["clusters"] && merged))
    }

    async fn apply(&self, session: &Session, _: &Progress) -> Result<()> {
        let config = of(session).await?;
        kubeconfig::write(&session.state.kubeconfig(), &config)?;
        if let Some(path) = &session.merge_into {
            kubeconfig::merge(path, &config)?;
        }
        Ok(())
    }

    fn undo_sentence(&self) -> String {
        "Remove the kubeconfig and its entries".into()
    }

    async fn undo(&self, session: &Session, _: &Progress) -> Result<()> {
        for file in user_files(session) {
            if is_ours(session, &file)? {
                kubeconfig::remove(&file, &kubeconfig::context(&session.profile.name))?;
            }
        }
        let _absent = std::fs::remove_file(session.state.kubeconfig());
        Ok(())
    }
}

/// The kubeconfig that people use: kubeadm's administrator group, the context named as kind names it.
pub async fn of(session: &Session) -> Result<Value> {
    let server = session.api_server().await?;
    let name = kubeconfig::context(&session.profile.name);
    Ok(session.pki().await?.kubeconfig(&name, &server, "kubernetes-admin", "kubeadm:cluster-admins")?)
}

/// Entries of the cluster that are still in the user's files, one line each.
pub fn leftovers(session: &Session) -> Result<Vec<String>> {
    let context = kubeconfig::context(&session.profile.name);
    let mut left = Vec::new();
    for file in user_files(session) {
        if is_ours(session, &file)? {
            left.push(format!("context {context} in {}", file.display()));
        }
    }
    Ok(left)
}

/// True when a file has this cluster's entries, and not those of another one of that name.
fn is_ours(session: &Session, file: &Path) -> Result<bool> {
    Ok(kubeconfig::is_ours(file, &session.state.kubeconfig(), &kubeconfig::context(&session.profile.name))?)
}

/// Files that the cluster's entries may stand in.
fn user_files(session: &Session) -> Vec<PathBuf> {
    let mut files = vec![kubeconfig::user_file()];
    files.extend(session.merge_into.clone());
    files
}
