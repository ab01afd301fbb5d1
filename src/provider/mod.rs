//! Providers make nodes; a node runs commands and takes files. Nothing above this room knows whether a node is a container or a
//! machine: differences are behind the [`Provider`] trait.
//!
//! In: a profile. Out: nodes, and what is known about them. Touched: containers, volumes and the network that bear the
//! cluster's mark, and hosts that were claimed for it.

mod any;
mod archive;
pub mod docker;
#[cfg(test)]
pub mod fake;
pub mod files;
pub mod machine;
mod node;
pub mod runtime;
pub mod ssh;
pub mod standstill;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;

pub use any::{AnyNode, AnyProvider, api_server, endpoint};
pub use machine::Leases;
pub use machine::lease::Holder;
pub use node::{Command, FileSpec, Node, NodeError, Output, SHA256};

use crate::artifact::Store;
use crate::decision::Decision;
use crate::error::{Explain, Family, Result};
use crate::profile::{AddressRange, Host, NodeSpec, Role};
use crate::progress::Progress;

/// A shell function: `thaw PATTERN` resumes frozen processes of pods.
const THAW: &str = include_str!("thaw.sh");

/// Where the nodes of one cluster come from: the differences between providers, and nothing else.
pub trait Provider: Clone + Send + Sync + 'static {
    /// Its nodes.
    type Node: Node;

    /// Fails unless the Docker engine, or every host, answers.
    fn reachable(&self) -> impl Future<Output = Result<()>> + Send;
    /// Nodes that exist and belong to the cluster, whether they run or not.
    fn existing(&self) -> impl Future<Output = Result<Vec<NodeView>>> + Send;
    /// The node with that name, which must be running.
    fn node(&self, name: &str) -> impl Future<Output = Result<Self::Node>> + Send;
    /// The node with that name; none if it is no longer part of the cluster, or does not run, such as a stopped container.
    ///
    /// # Errors
    /// Neither could be found out.
    fn running(&self, name: &str) -> impl Future<Output = Result<Option<Self::Node>>> + Send;
    /// Several nodes, in the order of `wanted`; all must be running.
    fn nodes(&self, wanted: &[NodeSpec]) -> impl Future<Output = Result<Vec<Self::Node>>> + Send;
    /// The machines that the profile names, and those that belonged to the cluster; none if nodes are not machines.
    fn hosts(&self) -> Vec<Host>;
    /// Those of them that the profile no longer names and that still belong to the cluster, or do not answer: one is forgotten
    /// only once it was released.
    fn leaving(&self) -> impl Future<Output = Vec<Host>> + Send;
    /// What a node runs on.
    fn machine(&self, node: &str) -> impl Future<Output = Result<Machine>> + Send;

    /// Settings of this provider that a control plane was made with, that no `up` can change, and that the profile wants otherwise.
    fn fixed(&self, control_plane: &str) -> impl Future<Output = Result<Vec<Fixed>>> + Send;
    /// The network that all nodes are on, for choosing addresses from; none if it does not exist yet.
    fn network(&self) -> impl Future<Output = Result<Option<Network>>> + Send;
    /// True when an address pool is recorded for the cluster (the profile's if `given`), or when none can be recorded any more.
    fn has_pool(&self, given: Option<AddressRange>) -> impl Future<Output = Result<bool>> + Send;
    /// Records the address pool that `choose` takes from the network. Where clusters can see each other, no other one chooses
    /// before it sees this choice.
    fn reserve_pool(&self, choose: &Choose<'_>) -> impl Future<Output = Result<AddressRange>> + Send;

    /// The image that nodes start from: one with `images` inside, if there is one. None for nodes that do not start from an
    /// image.
    fn node_image(&self, images: &[String]) -> impl Future<Output = Result<Option<Decision<String>>>> + Send;
    /// What has to be fetched before nodes can be made, out of `images` and the image that nodes start from; none if that is
    /// known only later.
    fn to_fetch(&self, images: &[String]) -> impl Future<Output = Result<Option<Vec<String>>>> + Send;
    /// What cannot be obtained, out of `images` and whatever else nodes are made of: it is not here, and its server does not
    /// answer.
    fn nowhere(&self, images: &[String], store: &Store) -> impl Future<Output = Result<Vec<String>>> + Send;
    /// Copies an image into the nodes that lack it, into all at the same time.
    fn load_image(
        &self,
        reference: &str,
        nodes: &[Self::Node],
        store: &Store,
        progress: &Progress,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Takes the leases on everything that other machines could work on too; `desk` and `who` are those of [`Holder`].
    ///
    /// # Errors
    /// Another run holds a lease; those taken so far are given back.
    fn take_leases(&self, desk: &str, who: &str) -> impl Future<Output = Result<Leases>> + Send;
    /// The holders of the leases on nodes.
    ///
    /// # Errors
    /// [`ProviderError::NotMachines`] if there are no leases.
    fn leases(&self) -> impl Future<Output = Result<Vec<(Self::Node, Holder)>>> + Send;
    /// Ends the lease of a node, whoever holds it.
    fn end_lease(&self, node: &Self::Node) -> impl Future<Output = Result<()>> + Send;
    /// Opens a terminal on a node, or runs one command on this machine's terminal; returns its exit status.
    /// Opens a shell on a node, or runs one command there, with this process's input and output; returns the exit status.
    /// # Errors
    /// [`ProviderError::NotMachines`] if nodes have no terminals.
    fn terminal(&self, node: &str, command: Option<Vec<String>>) -> impl Future<Output = Result<i32>> + Send;

    /// Removes a node that has left the cluster, or makes it the plain host it was.
    fn release(&self, node: &str) -> impl Future<Output = Result<()>> + Send;
    /// What releasing nodes left on them on purpose, and why, one line each.
    fn kept(&self) -> impl Future<Output = Vec<String>> + Send;
    /// What the cluster holds besides its nodes.
    fn holdings(&self) -> impl Future<Output = Result<Holdings>> + Send;
    /// What is left of a cluster with these holdings after everything was removed; one line each.
    fn leftovers(&self, before: &Holdings) -> impl Future<Output = Result<Vec<String>>> + Send;
}

/// Chooses an address pool from a network.
pub type Choose<'a> = dyn Fn(&Network) -> Result<AddressRange> + Send + Sync + 'a;

/// A node seen from outside, whether it runs or not.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its part in the cluster.
    pub role: Role,
    /// True when it can run commands.
    pub running: bool,
    /// True when it does not answer, so that it is not known whether it belongs to the cluster.
    pub away: bool,
    /// Its state in words.
    pub status: String,
    /// Why it does not run, as a fragment; else empty.
    pub problem: String,
    /// Its address, if known.
    pub address: Option<Ipv4Addr>,
    /// The address of its API server as seen from this machine, if it is a control plane and that is known.
    pub api: Option<SocketAddrV4>,
}

/// What a node runs on.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Number of processors.
    pub cpus: u64,
    /// Memory in bytes.
    pub memory: u64,
    /// The node's `spec.providerID`: in kind's form if kind is to recognise it.
    pub provider_id: String,
    /// What kubelets have to adapt to.
    pub quirks: Quirks,
}

/// Differences between machines that kubelets have to adapt to.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// The host has cgroup v1, which kubelets from 1.35 on refuse unless told otherwise.
    pub cgroup_v1: bool,
    /// Nodes are containers: kubelets use `/kubelet`, as the node image prepares it.
    pub in_container: bool,
    /// The node's name, if the host has another.
    pub name: Option<String>,
    /// The file with the host's DNS servers; without one, the kubelet's default.
    pub resolver: Option<String>,
    /// A DNS server for pods, if the host's own listens only on its loopback: pods would ask themselves.
    pub nameserver: Option<Ipv4Addr>,
}

/// A setting that nodes are made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Its path in the profile.
    pub field: &'static str,
    /// As the nodes have it.
    pub has: String,
    /// As the profile wants it.
    pub wants: String,
}

/// A network, for choosing addresses from.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its IPv4 subnet.
    pub subnet: Ipv4Net,
    /// Addresses in use: gateways, nodes and whatever else is known to be there.
    pub used: Vec<Ipv4Addr>,
    /// Address pools of other clusters.
    pub taken: Vec<AddressRange>,
    /// The pool of this cluster, if one is recorded.
    pub own: Option<AddressRange>,
}

/// What a cluster holds besides its nodes.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Volumes of its nodes, which are removed with them.
    pub volumes: Vec<String>,
    /// The network, which is removed with the last cluster on it.
    pub network: Option<String>,
}

/// A provider was asked for something that its nodes do not have.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ProviderError {
    /// Nodes are containers.
    #[error("the nodes of `{cluster}` are containers, {what}")]
    NotMachines {
        cluster: String,
        /// What containers lack.
        what: &'static str,
        /// What there is instead.
        instead: Option<&'static str>,
    },
    /// A step of one provider met the nodes of another.
    #[error("this needs nodes of provider {wants}")]
    Other { wants: &'static str },
}

impl Explain for ProviderError {
    fn family(&self) -> Family {
        match self {
            ProviderError::NotMachines { .. } => Family::Usage,
            ProviderError::Other { .. } => Family::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ProviderError::NotMachines { instead, .. } => instead.map(str::to_owned),
            ProviderError::Other { .. } => None,
        }
    }
}
