//! Providers make nodes; a node runs commands and takes files. Nothing above this room knows whether a node is a container or a
//! machine: what differs is asked of the [`Provider`].
//!
//! Enters: a profile. Leaves: nodes, and what is known of them. Touched: containers, volumes and the network that bear the
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
use crate::profile::{AddressRange, NodeSpec, Role};
use crate::progress::Progress;

/// A shell function: `thaw PATTERN` lets frozen processes of pods go on.
const THAW: &str = include_str!("thaw.sh");

/// Where the nodes of one cluster come from: what differs between providers, and nothing else.
pub trait Provider: Clone + Send + Sync + 'static {
    /// Its nodes.
    type Node: Node;

    /// Fails unless what nodes are made of can be asked: the engine, or every host.
    fn reachable(&self) -> impl Future<Output = Result<()>> + Send;
    /// Nodes that exist and belong to the cluster, whether they run or not.
    fn existing(&self) -> impl Future<Output = Result<Vec<NodeView>>> + Send;
    /// The node of that name, which must be running.
    fn node(&self, name: &str) -> impl Future<Output = Result<Self::Node>> + Send;
    /// The node of that name; none for one that is not of the cluster any more, or has no processes: a container that is
    /// stopped.
    ///
    /// # Errors
    /// That cannot be told.
    fn running(&self, name: &str) -> impl Future<Output = Result<Option<Self::Node>>> + Send;
    /// Several nodes, in the order of their names; all must be running.
    fn nodes(&self, wanted: &[NodeSpec]) -> impl Future<Output = Result<Vec<Self::Node>>> + Send;
    /// What a node runs on.
    fn machine(&self, node: &str) -> impl Future<Output = Result<Machine>> + Send;

    /// The network that all nodes are on, as far as choosing addresses from it goes; none while there is none.
    fn network(&self) -> impl Future<Output = Result<Option<Network>>> + Send;
    /// True when an address pool is recorded for the cluster, that of the profile if it gives one, or when none can be any
    /// more.
    fn has_pool(&self, given: Option<AddressRange>) -> impl Future<Output = Result<bool>> + Send;
    /// Records the address pool that `choose` takes from the network. Where clusters can see each other, no other one
    /// chooses before it sees this one's.
    fn reserve_pool(&self, choose: &Choose<'_>) -> impl Future<Output = Result<AddressRange>> + Send;

    /// The image that nodes start from, with `images` inside if there is one that has them; none where they start from
    /// what they are.
    fn node_image(&self, images: &[String]) -> impl Future<Output = Result<Option<Decision<String>>>> + Send;
    /// Of `images`, and of what nodes start from, what has to be fetched before nodes can be made; none where that shows only
    /// when they are.
    fn to_fetch(&self, images: &[String]) -> impl Future<Output = Result<Option<Vec<String>>>> + Send;
    /// Of `images`, and of what else nodes are made of, what is nowhere to be had: not here, and its server does not answer.
    fn nowhere(&self, images: &[String], store: &Store) -> impl Future<Output = Result<Vec<String>>> + Send;
    /// Copies an image into nodes that lack it, into all at the same time.
    fn load_image(
        &self,
        reference: &str,
        nodes: &[Self::Node],
        store: &Store,
        progress: &Progress,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Takes the lease of everything that runs from other machines could work on too; `desk` and `who` are [`Holder`]'s.
    ///
    /// # Errors
    /// Another run holds one; those taken are given back.
    fn take_leases(&self, desk: &str, who: &str) -> impl Future<Output = Result<Leases>> + Send;
    /// Who holds the lease of which node.
    ///
    /// # Errors
    /// [`ProviderError::NotMachines`] where there are no leases.
    fn leases(&self) -> impl Future<Output = Result<Vec<(Self::Node, Holder)>>> + Send;
    /// Ends the lease of a node, whoever holds it.
    fn end_lease(&self, node: &Self::Node) -> impl Future<Output = Result<()>> + Send;
    /// A terminal on a node, or one command on this one's; its exit status.
    ///
    /// # Errors
    /// [`ProviderError::NotMachines`] where nodes have no terminals.
    fn terminal(&self, node: &str, command: Option<Vec<String>>) -> impl Future<Output = Result<i32>> + Send;

    /// Takes a node that has left the cluster away, or makes it what it was before.
    fn release(&self, node: &str) -> impl Future<Output = Result<()>> + Send;
    /// What the cluster holds besides its nodes.
    fn holdings(&self) -> impl Future<Output = Result<Holdings>> + Send;
    /// What is left of a cluster that had these, after everything was taken away; one line each.
    fn leftovers(&self, before: &Holdings) -> impl Future<Output = Result<Vec<String>>> + Send;
}

/// How an address pool is taken from a network.
pub type Choose<'a> = dyn Fn(&Network) -> Result<AddressRange> + Send + Sync + 'a;

/// A node as it is seen from outside, whether it runs or not.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its part in the cluster.
    pub role: Role,
    /// True when it can be asked to do something.
    pub running: bool,
    /// True when it does not answer: whether it is the cluster's can then not be told.
    pub away: bool,
    /// Its state in words.
    pub status: String,
    /// What is wrong with one that does not run, a fragment; else empty.
    pub problem: String,
    /// Its address, if known.
    pub address: Option<Ipv4Addr>,
    /// Where this machine reaches its API server, if it is a control plane and that is known.
    pub api: Option<SocketAddrV4>,
}

/// What a node runs on.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Processors.
    pub cpus: u64,
    /// Memory in bytes.
    pub memory: u64,
    /// The node's `spec.providerID`: in kind's form where kind is to know it.
    pub provider_id: String,
    /// What differs for kubelets.
    pub quirks: Quirks,
}

/// What differs between machines for kubelets.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// The host has cgroup v1, which kubelets from 1.35 on refuse unless told otherwise.
    pub cgroup_v1: bool,
    /// Nodes are containers: kubelets live below `/kubelet`, as the node image prepares it.
    pub in_container: bool,
    /// The node's name where the host calls itself otherwise.
    pub name: Option<String>,
    /// The file that names the host's DNS servers; none: the kubelet's own choice.
    pub resolver: Option<String>,
    /// A DNS server for pods where the host's own only listens on its loopback: pods would ask themselves.
    pub nameserver: Option<Ipv4Addr>,
}

/// A network, as far as choosing addresses from it goes.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its IPv4 subnet.
    pub subnet: Ipv4Net,
    /// Addresses in use: those of gateways, nodes and whatever else is known to be there.
    pub used: Vec<Ipv4Addr>,
    /// Address pools of other clusters.
    pub taken: Vec<AddressRange>,
    /// The pool of this cluster, if one is recorded.
    pub own: Option<AddressRange>,
}

/// What a cluster holds besides its nodes.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Volumes of its nodes, which go with them.
    pub volumes: Vec<String>,
    /// The network, which goes with the last cluster on it.
    pub network: Option<String>,
}

/// A provider was asked for what it does not have.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ProviderError {
    /// Nodes are containers.
    #[error("the nodes of `{cluster}` are containers, {what}")]
    NotMachines {
        cluster: String,
        /// What they therefore lack.
        what: &'static str,
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
            ProviderError::NotMachines { .. } => Some("`docker exec -it NODE bash` opens a shell on one".into()),
            ProviderError::Other { .. } => None,
        }
    }
}
