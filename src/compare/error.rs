//! Why a comparison could not start or continue.

use std::net::SocketAddr;

use super::address::ServiceName;
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
    #[error("an arm is a service, and no cluster is there to look it up in")]
    NoCluster,
    #[error("arm `{arm}`: there is no service {service}")]
    NoService { arm: String, service: ServiceName },
    #[error("arm `{arm}`: service {service} is of type {kind}, which no load balancer gives an address")]
    Inside { arm: String, service: ServiceName, kind: String },
    #[error("arm `{arm}`: service {service} has no address yet")]
    NoAddress { arm: String, service: ServiceName },
    #[error("arm `{arm}`: service {service} has ports {}, and none of them is 80", listed(.ports))]
    WhichPort { arm: String, service: ServiceName, ports: Vec<i32> },
    #[error("cannot {action}")]
    Kube {
        action: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("both arms are the same: {address}, path {path}")]
    SamePath { address: SocketAddr, path: String },
    #[error("arm `{arm}` does not answer at {target}: {}", .outcome.name())]
    NoAnswer { arm: String, target: Box<Target>, outcome: Outcome },
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

fn listed(ports: &[i32]) -> String {
    ports.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

impl CompareError {
    /// Names what was attempted when the API server said no.
    pub(super) fn kube(action: impl Into<String>) -> impl FnOnce(kube::Error) -> CompareError {
        move |source| CompareError::Kube { action: action.into(), source: Box::new(source) }
    }
}

impl Explain for CompareError {
    fn family(&self) -> Family {
        match self {
            CompareError::Flawed { .. }
            | CompareError::Address { .. }
            | CompareError::SamePath { .. }
            | CompareError::NoCluster => Family::Usage,
            CompareError::Resolve { .. }
            | CompareError::NoAnswer { .. }
            | CompareError::NoAddress { .. }
            | CompareError::Kube { .. } => Family::NotReady,
            CompareError::Status { .. }
            | CompareError::DifferentBodies
            | CompareError::ChangingBody { .. }
            | CompareError::NoService { .. }
            | CompareError::Inside { .. }
            | CompareError::WhichPort { .. } => Family::Preflight,
            CompareError::Load(error) => error.family(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            CompareError::Flawed { flaws } => return flaws.iter().find_map(|flaw| flaw.hint.clone()),
            CompareError::SamePath { .. } => {
                "name two different addresses; the A/A run compares an arm with itself before every measurement".into()
            }
            CompareError::NoCluster => "name it with -f FILE or --name NAME, or give each arm a url".into(),
            CompareError::NoService { .. } => {
                "`hearth status` shows which cluster is meant and what runs in it; -f FILE or --name NAME means another".into()
            }
            CompareError::Inside { .. } => "name a service of type LoadBalancer, or give the arm a url".into(),
            CompareError::NoAddress { .. } => "`hearth status` shows whether MetalLB works, and what keeps it".into(),
            CompareError::WhichPort { .. } => "give the arm a url that names address and port".into(),
            CompareError::NoAnswer { target, .. } => {
                format!("check that it answers: curl -i http://{}{}", target.address, target.path)
            }
            CompareError::Status { status, .. } => format!("if that is a good answer, --status {status}"),
            CompareError::DifferentBodies | CompareError::ChangingBody { .. } => {
                "different answers cost different work: compare like with like, or --allow-different-bodies".into()
            }
            CompareError::Load(error) => return error.hint(),
            CompareError::Kube { .. } => "`hearth status` shows what is wrong with the cluster".into(),
            CompareError::Address { .. } | CompareError::Resolve { .. } => return None,
        })
    }
}
