//! What can go wrong while nodes become a cluster.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Explain, Family};
use crate::provider::NodeError;

/// Nodes did not become a cluster.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ClusterError {
    /// A node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Certificates could not be made or read.
    #[error("cannot {action}")]
    Certificate {
        action: String,
        #[source]
        source: rcgen::Error,
    },
    /// A control plane has run and lacks what signs for it.
    #[error("{node} is a control plane that lacks {missing}")]
    AuthorityIncomplete { node: String, missing: String },
    /// A control plane has authorities that are not this run's.
    #[error("{node} has other certificate authorities: {files} below /etc/kubernetes/pki")]
    ForeignAuthority { node: String, files: String },
    /// A file could not be written as YAML.
    #[error(transparent)]
    Yaml(#[from] crate::yaml::SyntaxError),
    /// The API refused or failed.
    #[error("the Kubernetes API could not {action}")]
    Api {
        action: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// The connection to the API could not be set up.
    #[error("cannot connect to the Kubernetes API: {reason}")]
    Connect { reason: String },
    /// A kubeconfig could not be read or written.
    #[error("cannot {action} kubeconfig {}", path.display())]
    Kubeconfig {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A kubelet does not stay.
    #[error("the kubelet of {node} starts again and again, {restarts} times so far: {said}")]
    KubeletFails {
        /// The node.
        node: String,
        /// How often it started again.
        restarts: u32,
        /// What it said last of what is wrong.
        said: String,
    },
    /// Pods would not come back.
    #[error("nodes that leave hold what would be lost:\n  {pods}")]
    PodsLost {
        /// Each pod with its node and the reason, a line each.
        pods: String,
    },
    /// A machine that does not answer is not dead.
    #[error("{node} does not answer, but its kubelet reports to the API server: it lives, and its pods run")]
    NotDead {
        /// The node.
        node: String,
    },
    /// Something did not become ready.
    #[error("{what} did not become ready within {limit:.0?}: {state}")]
    NotReady {
        /// What was waited for.
        what: String,
        limit: Duration,
        /// What was seen last.
        state: String,
    },
    /// The podSubnet has no room for another node.
    #[error("pod subnet {subnet} has no free /24 for node `{node}`")]
    SubnetFull {
        subnet: ipnet::Ipv4Net,
        /// The node without one.
        node: String,
    },
}

impl ClusterError {
    /// Puts a name to what was asked of the API.
    pub fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> ClusterError {
        let action = action.into();
        |source| ClusterError::Api { action, source: Box::new(source) }
    }
}

impl Explain for ClusterError {
    fn family(&self) -> Family {
        match self {
            ClusterError::Node(error) => error.family(),
            ClusterError::NotReady { .. } | ClusterError::KubeletFails { .. } => Family::NotReady,
            ClusterError::Kubeconfig { .. } | ClusterError::PodsLost { .. } => Family::Preflight,
            ClusterError::NotDead { .. } => Family::Ssh,
            _ => Family::Kubeadm,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ClusterError::NotReady { .. } | ClusterError::KubeletFails { .. } => {
                Some("`hearth status` tells what is wrong; `hearth logs NODE` shows a node's log".into())
            }
            ClusterError::PodsLost { .. } => {
                Some("save what is in them and delete the pods, or pass --delete-data to lose them".into())
            }
            ClusterError::NotDead { node } => Some(format!("make {node} answer, or switch it off, and run `hearth up` again")),
            ClusterError::AuthorityIncomplete { .. } => {
                Some("put the files back: without them nothing can be signed; `hearth down` removes the cluster instead".into())
            }
            ClusterError::ForeignAuthority { .. } => {
                Some("run `hearth up` again: it reads what is there; `hearth down` removes the cluster".into())
            }
            ClusterError::Kubeconfig { .. } => Some("check the file's permissions, or name another with --kubeconfig".into()),
            _ => None,
        }
    }
}
