//! What can go wrong while a component is being installed.

use std::time::Duration;

use super::{Diagnosis, ObjectRef, PartId};
use crate::error::{Explain, Family};

/// A component could not be installed, or does not work.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ComponentError {
    /// The profile does not need this part.
    #[error("the profile asks for no part {id}")]
    UnknownPart { id: PartId },
    /// A template could not be rendered; the source names the variable.
    #[error("cannot render template `{template}`")]
    Template {
        /// Its path under `templates/`.
        template: &'static str,
        #[source]
        source: Box<tera::Error>,
    },
    /// A rendered template or an upstream file is not a list of objects.
    #[error("`{file}` does not hold Kubernetes objects: {reason}")]
    Manifest {
        /// Name of the template or file.
        file: String,
        reason: String,
    },
    /// An object of a kind Hearth does not know.
    #[error("{kind} of {api_version} is not a kind Hearth applies")]
    UnknownKind { api_version: String, kind: String },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The API refused a request.
    #[error("cannot {action} {object}")]
    Api {
        /// What was attempted, a verb.
        action: &'static str,
        object: Box<ObjectRef>,
        #[source]
        source: Box<kube::Error>,
    },
    /// The API kept refusing until the deadline; the source is its last answer.
    #[error("could not {action} {object} within {waited:.0?}, after {attempts} attempts")]
    Refused {
        /// What was attempted, a verb.
        action: &'static str,
        object: Box<ObjectRef>,
        /// Since the first attempt.
        waited: Duration,
        attempts: u32,
        #[source]
        source: Box<kube::Error>,
    },
    /// The contents of an object could not be listed.
    #[error("cannot list what is in {of}")]
    Contents {
        /// The object.
        of: String,
        /// The API's error.
        #[source]
        source: Box<kube::Error>,
    },
    /// Objects did not become ready.
    #[error("not ready after {waited:.0?}:\n{diagnosis}")]
    NotReady {
        /// The length of the wait.
        waited: Duration,
        /// What is wrong, as far as the cluster shows.
        diagnosis: Box<Diagnosis>,
    },
    /// Objects will not become ready, however long the wait.
    #[error("{cause}\nnot waited for any longer than {waited:.0?}:\n{diagnosis}")]
    Hopeless {
        /// What is wrong with the pod to blame, in the cluster's words.
        cause: String,
        /// The length of the wait so far.
        waited: Duration,
        /// What is wrong, as far as the cluster shows.
        diagnosis: Box<Diagnosis>,
    },
    /// The application did not answer.
    #[error("{url} did not answer 200 within {limit:.0?}: {last}")]
    NoAnswer { url: String, last: String, limit: Duration },
    /// The cluster could not be watched.
    #[error("cannot watch {object}")]
    Watch {
        object: Box<ObjectRef>,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Explain for ComponentError {
    fn family(&self) -> Family {
        match self {
            ComponentError::NotReady { .. } | ComponentError::Hopeless { .. } | ComponentError::NoAnswer { .. } => {
                Family::NotReady
            }
            _ => Family::Component,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ComponentError::Refused { .. } => Some("`hearth up` again continues where this ended".into()),
            ComponentError::NotReady { diagnosis, .. } | ComponentError::Hopeless { diagnosis, .. } => diagnosis.hint(),
            ComponentError::NoAnswer { .. } => {
                Some("`hearth status` shows what is wrong; `hearth logs NODE` shows a node's log".into())
            }
            _ => None,
        }
    }
}
