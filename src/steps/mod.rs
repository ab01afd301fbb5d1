//! Steps: everything that Hearth changes, one file each that holds all about it.
//!
//! In: a [`Session`] with one cluster, and a step of a plan. Out: the world as the step promises it. Touched: what the step's
//! sentence says, through the rooms below: nodes by `provider`, Kubernetes by `cluster`, objects by `components`.

mod error;
mod kind;
mod session;
#[cfg(test)]
mod tests;

mod api_server;
mod cluster_configuration;
mod cluster_services;
mod connectivity;
mod control_plane;
mod gateway;
pub mod kubeconfig;
mod kubelet;
mod leave;
mod load_image;
mod nodes_ready;
mod part;
mod pod_network;
pub mod pool;
mod prune;
mod register;
mod service_network;
pub mod settled;
mod was_image;

/// Steps for containers only.
mod docker {
    pub(super) mod images;
    pub(super) mod network;
    pub(super) mod node;
    pub(super) mod node_image;
    pub(super) mod storage;
}

/// Steps for machines only.
mod machine {
    pub(super) mod images;
    pub(super) mod install;
    pub(super) mod stock;
    pub(super) mod tools;
}

use std::sync::Arc;

pub use kind::{Act, Stage};
use kind::{goes_with_its_nodes, needs, patience, steps, there};
pub use leave::Leaving;
pub use session::Session;

use crate::error::Result;
use crate::progress::Progress;

steps! {
    WasImage in was_image,
    Images in docker::images,
    Network in docker::network,
    ReservePool in pool,
    Node in docker::node,
    NodeImage in docker::node_image,
    Storage in docker::storage,
    Stock in machine::stock,
    Install in machine::install,
    HostImages in machine::images,
    Tools in machine::tools,
    LoadImage in load_image,
    ControlPlane in control_plane,
    ApiServer in api_server,
    Register in register,
    Leave in leave,
    PodNetwork in pod_network,
    Kubelet in kubelet,
    ClusterServices in cluster_services,
    ServiceNetwork in service_network,
    ClusterConfiguration in cluster_configuration,
    NodesReady in nodes_ready,
    Apply in part,
    Healthy in part,
    Gateway in gateway,
    Connectivity in connectivity,
    Prune in prune,
    Settled in settled,
    Kubeconfig in kubeconfig,
}

/// Runs steps against a cluster and its nodes.
#[derive(Clone)]
pub struct Steps(pub Arc<Session>);
