//! Mistakes on the command line.

use std::path::PathBuf;

use crate::error::{Explain, Family};

/// The command line asks for something that is not possible as things are.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("no profile: there is no hearth.yaml here and no cluster is up")]
    NoProfile,
    #[error("several clusters are up ({names}): which one?")]
    Several { names: String },
    #[error("`--set {set}` has no effect: cluster `{name}` is taken as its last `up` made it, no profile is read")]
    SetWithoutFile { set: String, name: String },
    #[error("it is not known what cluster `{name}` is made of: its profile is gone from {state}", state = .state.display())]
    ProfileLost { name: String, state: PathBuf },
    #[error("cluster `{name}` has nodes of provider {has}, and the profile is of provider {wants}")]
    OtherProvider { name: String, has: &'static str, wants: &'static str },
    #[error("cluster `{name}` has no host `{host}` to forget{why}")]
    NotToForget { name: String, host: String, why: &'static str },
    #[error("nothing names the cluster, and `{name}` is only a guess")]
    Guess { name: String },
    #[error("another run changed cluster `{name}` while this one waited")]
    Changed { name: String },
    #[error("there is no cluster named `{name}`")]
    NoCluster { name: String },
    #[error("{path} exists already")]
    Exists { path: String },
    #[error("cannot write {path}")]
    Write { path: String, source: std::io::Error },
    #[error("cannot read {path}")]
    Read { path: String, source: std::io::Error },
    #[error("there is no scenario in {paths}")]
    NoScenario { paths: String, comparison: Option<String> },
    #[error("{path} is a comparison and not a scenario")]
    Comparison { path: String },
    #[error("-f and --name have no effect: both arms are urls, so no cluster is needed")]
    NoServiceArm,
    #[error("cannot read standard input")]
    Stdin(#[source] std::io::Error),
    #[error("the result cannot be written as a document")]
    NotData(#[source] serde_json::Error),
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
}

impl Explain for UsageError {
    fn family(&self) -> Family {
        match self {
            UsageError::NoCluster { .. }
            | UsageError::Exists { .. }
            | UsageError::Write { .. }
            | UsageError::ProfileLost { .. }
            | UsageError::OtherProvider { .. }
            | UsageError::Changed { .. } => Family::Preflight,
            UsageError::Read { .. } | UsageError::Stdin(_) => Family::Profile,
            UsageError::Signals(_) | UsageError::NotData(_) => Family::Internal,
            _ => Family::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            UsageError::NoProfile => "name one with -f FILE, or write one with `hearth init`".into(),
            UsageError::Several { .. } => "pass --name NAME or -f FILE".into(),
            UsageError::SetWithoutFile { .. } => "name the profile with -f FILE".into(),
            UsageError::ProfileLost { .. } => "name the profile with -f FILE".into(),
            UsageError::OtherProvider { name, .. } => {
                format!("`hearth down --name {name}` takes the cluster away; give the new one another name to have both")
            }
            UsageError::NotToForget { .. } => "name a host by its name in the profile".into(),
            UsageError::Guess { name } => format!("pass --name {name}, or -f FILE"),
            UsageError::Changed { .. } => "run the command again to see what there is now".into(),
            UsageError::NoCluster { .. } => "`hearth up -f FILE` makes one".into(),
            UsageError::Comparison { path } | UsageError::NoScenario { comparison: Some(path), .. } => {
                format!("`hearth compare {path}` runs it")
            }
            UsageError::NoServiceArm => "leave them out, or write arms in a file as `service: NAMESPACE/NAME`".into(),
            UsageError::Exists { .. } => "pass --force to overwrite it".into(),
            _ => return None,
        })
    }
}
