//! Why a run could not go on. Failures of the system under test are no errors: they go into the record.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Explain, Family};
use crate::journal::JournalError;
use crate::load::LoadError;
use crate::provider::NodeError;

/// A run could not go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ScenarioError {
    /// The API server refused or did not answer.
    #[error("cannot {action}")]
    Kube {
        action: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// A patch names a field that does not exist.
    #[error("{object} has no field {path}")]
    NoField {
        /// Kind, namespace and name.
        object: String,
        path: String,
    },
    /// An object changes faster than it can be patched.
    #[error("{object} was changed by somebody else {tries} times in a row")]
    Contended {
        /// Kind, namespace and name.
        object: String,
        /// Number of attempts.
        tries: u32,
    },
    /// After a change was undone, the object is not as it was before.
    #[error("{object} is not as it was before the run")]
    NotRestored {
        /// Kind, namespace and name.
        object: String,
    },
    /// A deleted object does not disappear.
    #[error("{object} was still there {limit:?} after it was deleted")]
    NotGone {
        /// Kind, namespace and name.
        object: String,
        limit: Duration,
    },
    /// A changed deployment does not get its new pods.
    #[error("{object} had not replaced its pods {limit:?} after it was changed")]
    NotRolledOut {
        /// Kind, namespace and name.
        object: String,
        /// The limit.
        limit: Duration,
    },
    /// A file with evidence cannot be used.
    #[error("cannot {action} {path}", path = .path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The undo journal cannot be used.
    #[error("cannot keep how to take changes back")]
    Journal(#[from] JournalError),
    /// An undo entry in the cluster is ours but cannot be read.
    #[error("undo entry {name} in the cluster makes no sense")]
    Entry {
        name: String,
        #[source]
        source: serde_json::Error,
    },
    /// An object to be created exists already.
    #[error("{object} is there already")]
    Exists {
        /// Kind, namespace and name.
        object: String,
    },
    /// The load could not start.
    #[error("cannot put on load")]
    Load(#[from] LoadError),
    /// A command on a node failed.
    #[error("cannot {action}")]
    Node {
        action: String,
        #[source]
        source: NodeError,
    },
    /// A fault needs access to nodes.
    #[error("there is no access to nodes, which the fault needs")]
    NoNodes,
    /// A fault has nothing to hit.
    #[error("there is no {what}")]
    NoTarget {
        /// What it looked for, in the singular.
        what: String,
    },
    /// What a fault took away did not come back in time.
    #[error("{seen} of {wanted} {what} were ready {limit:?} after the fault")]
    NotRecovered {
        /// What was waited for.
        what: String,
        /// How many were ready at the end.
        seen: usize,
        /// How many had to be.
        wanted: usize,
        limit: Duration,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// The run's task died.
    #[error("the run ended by a defect of Hearth")]
    Panicked(#[source] tokio::task::JoinError),
}

impl ScenarioError {
    /// Adds what was attempted to an error of the API server.
    pub(super) fn kube(action: impl Into<String>) -> impl FnOnce(kube::Error) -> ScenarioError {
        move |source| ScenarioError::Kube { action: action.into(), source: Box::new(source) }
    }
}

impl Explain for ScenarioError {
    fn family(&self) -> Family {
        match self {
            ScenarioError::Load(error) => error.family(),
            ScenarioError::Journal(error) => error.family(),
            ScenarioError::Cancelled => Family::Interrupted,
            ScenarioError::NotRestored { .. } | ScenarioError::Contended { .. } | ScenarioError::NotGone { .. } => {
                Family::Leftover
            }
            ScenarioError::NoField { .. } => Family::Profile,
            ScenarioError::Exists { .. } => Family::Preflight,
            _ => Family::NotReady,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ScenarioError::Load(error) => error.hint(),
            ScenarioError::Journal(error) => error.hint(),
            ScenarioError::Entry { name, .. } => Some(format!(
                "what it lists may still be changed; look at it, then `kubectl -n kube-system delete configmap {name}`"
            )),
            ScenarioError::NotRestored { object } => Some(format!("compare {object} with the undo journal")),
            _ => None,
        }
    }
}
