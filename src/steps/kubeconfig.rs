//! Access to the cluster: its kubeconfig file, and the entries in the user's.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::SessionError;
use super::{Act, Session, Stage, needs, there};
use crate::cluster::kubeconfig;
use crate::cluster::pki::{self, Pki};
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

    /// The cluster's own file leads to this very cluster and gives access, and the user's file has its entries if that was
    /// asked for.
    async fn check(&self, session: &Session) -> Result<Check> {
        let wanted = of(session).await?;
        let Some(text) = read(&session.state.kubeconfig())? else { return Ok(there(false)) };
        // a file that is not YAML counts as missing
        let written = parsed(&text);
        let mut problems = Vec::new();
        for part in ["clusters", "contexts", "current-context"] {
            if written[part] != wanted[part] {
                problems.push(format!("{part}: not this cluster's"));
            }
        }
        let (pki, context) = (session.pki().await?, kubeconfig::context(&session.profile.name));
        problems.extend(certificate_problem(pki, &written, &context));
        if let Some(path) = &session.merge_into {
            let problem = match is_ours(session, path)? {
                false => Some("does not have it".to_owned()),
                true => certificate_problem(pki, &parsed(&read(path)?.unwrap_or_default()), &context),
            };
            problems.extend(problem.map(|problem| format!("{}: {problem}", path.display())));
        }
        Ok(needs(&problems, "", "; "))
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

/// A kubeconfig; null if it is not YAML.
fn parsed(text: &str) -> Value {
    crate::yaml::documents(text).unwrap_or_default().into_iter().next().unwrap_or_default()
}

/// Why the client's certificate of the user `name` has to be replaced. It is newly signed each time.
fn certificate_problem(pki: &Pki, config: &Value, name: &str) -> Option<String> {
    let mut users = config["users"].as_array().into_iter().flatten();
    let user = users.find(|user| user["name"] == name);
    let data = user.and_then(|user| user["user"]["client-certificate-data"].as_str()).unwrap_or_default();
    let bytes = BASE64.decode(data).unwrap_or_default();
    let certificate = String::from_utf8_lossy(&bytes);
    let why = pki.refuses(&certificate).map(str::to_owned).or_else(|| pki::due(&certificate))?;
    Some(format!("its certificate {why}"))
}

/// The text of a file; none if the file does not exist.
fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SessionError::Unreadable { path: path.to_owned(), source }.into()),
    }
}

/// The kubeconfig for users: kubeadm's administrator group, with the context named as kind names it.
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

/// True when a file has this cluster's entries, and not those of another cluster with the same name.
fn is_ours(session: &Session, file: &Path) -> Result<bool> {
    Ok(kubeconfig::is_ours(file, &session.state.kubeconfig(), &kubeconfig::context(&session.profile.name))?)
}

/// Files that may contain the cluster's entries.
fn user_files(session: &Session) -> Vec<PathBuf> {
    let mut files = vec![kubeconfig::user_file()];
    files.extend(session.merge_into.clone());
    files
}
