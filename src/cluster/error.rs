//! What can go wrong while nodes are made into a cluster.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Explain, Family};
use crate::provider::NodeError;

/// Nodes could not be made into a cluster.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ClusterError {
    /// A node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Certificates could not be generated or read.
    #[error("cannot {action}")]
    Certificate {
        action: String,
        #[source]
        source: rcgen::Error,
    },
    /// A control plane has run, but keys or certificates of its authorities are missing.
    #[error("{node} is a control plane that lacks {missing}")]
    AuthorityIncomplete { node: String, missing: String },
    /// A control plane has authorities other than this run's.
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
    /// A kubelet keeps failing.
    #[error("the kubelet of {node} starts again and again, {restarts} times so far: {said}")]
    KubeletFails {
        /// The node's name.
        node: String,
        /// How often its kubelet was restarted.
        restarts: u32,
        /// The last error that the kubelet logged.
        said: String,
    },
    /// Pods would be lost for good.
    #[error("nodes that leave hold what would be lost:\n  {pods}")]
    PodsLost {
        /// Each pod with its node and the reason, a line each.
        pods: String,
    },
    /// A machine that does not answer is not known to be dead.
    #[error("{node} does not answer, but its kubelet reports to the API server: it lives, and its pods run")]
    NotDead {
        /// The node's name.
        node: String,
    },
    /// Something did not become ready.
    #[error("{what} did not become ready within {limit:.0?}: {state}")]
    NotReady {
        /// What was waited for.
        what: String,
        limit: Duration,
        /// The last state seen.
        state: String,
    },
    /// The podSubnet has no room for another node.
    #[error("pod subnet {subnet} has no free /24 for node `{node}`")]
    SubnetFull {
        subnet: ipnet::Ipv4Net,
        /// The node that has no subnet.
        node: String,
    },
}

impl ClusterError {
    /// Adds what was attempted to an error of the API.
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
                Some("`hearth status` shows what is wrong; `hearth logs NODE` shows a node's log".into())
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
