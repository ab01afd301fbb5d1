//! Why a comparison could not start or continue.

use std::net::SocketAddr;

use super::plan::Flaw;
use crate::error::{Explain, Family};
use crate::load::{LoadError, Outcome, Target};

/// Why a comparison could not start or continue. A measurement that does not count is no error but a verdict.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are what the messages name
pub enum CompareError {
    #[error("{}", sentences(.flaws))]
    Flawed { flaws: Vec<Flaw> },
    #[error("arm `{arm}`: {message}")]
    Address { arm: String, message: String },
    #[error("arm `{arm}`: `{host}` has no address")]
    Resolve {
        arm: String,
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("both arms are the same: {address}, path {path}")]
    SamePath { address: SocketAddr, path: String },
    #[error("arm `{arm}` does not answer at {target}: {}", .outcome.name())]
    NoAnswer { arm: String, target: Target, outcome: Outcome },
    #[error("arm `{arm}` answers with status {status}, {expected} is wanted")]
    Status { arm: String, status: u16, expected: u16 },
    #[error("the bodies of the two arms differ")]
    DifferentBodies,
    #[error("the body of arm `{arm}` changes from request to request")]
    ChangingBody { arm: String },
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn sentences(flaws: &[Flaw]) -> String {
    flaws.iter().map(|flaw| flaw.message.as_str()).collect::<Vec<_>>().join("; ")
}

impl Explain for CompareError {
    fn family(&self) -> Family {
        match self {
            CompareError::Flawed { .. } | CompareError::Address { .. } | CompareError::SamePath { .. } => Family::Usage,
            CompareError::Resolve { .. } | CompareError::NoAnswer { .. } => Family::NotReady,
            CompareError::Status { .. } | CompareError::DifferentBodies | CompareError::ChangingBody { .. } => Family::Preflight,
            CompareError::Load(error) => error.family(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            CompareError::Flawed { flaws } => return flaws.iter().find_map(|flaw| flaw.hint.clone()),
            CompareError::SamePath { .. } => {
                "name two different addresses; the A/A run compares an arm with itself before every measurement".into()
            }
            CompareError::NoAnswer { target, .. } => {
                format!("check that it answers: curl -i http://{}{}", target.address, target.path)
            }
            CompareError::Status { status, .. } => format!("if that is a good answer, --status {status}"),
            CompareError::DifferentBodies | CompareError::ChangingBody { .. } => {
                "different answers cost different work: compare like with like, or --allow-different-bodies".into()
            }
            CompareError::Load(error) => return error.hint(),
            CompareError::Address { .. } | CompareError::Resolve { .. } => return None,
        })
    }
}
