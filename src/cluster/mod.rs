//! Kubernetes on nodes: certificates, kubeadm, kubelets, pod network, kubeconfig, readiness.
//!
//! In: nodes, and the profile's Kubernetes settings. Out: a cluster that answers, and what it lacks, a line each. Nodes are
//! touched through the [`Node`](crate::provider::Node) trait, the cluster through the Kubernetes API, and on this machine only
//! kubeconfigs.
//!
//! What makes it fast: Hearth makes the cluster's certificates itself, so a worker needs neither a join nor a signing request;
//! Node objects are registered with their podCIDR, so the pod network is written before any kubelet starts; and workers'
//! kubelets start the moment the API answers.

pub mod api;
pub mod error;
#[cfg(test)]
pub mod fake;
pub mod kubeadm;
pub mod kubeconfig;
pub mod kubelet;
pub mod leaving;
pub mod made;
pub mod pki;
pub mod ready;
pub mod registration;
pub mod renewal;
pub mod routed;
pub mod system;

pub use error::ClusterError;
