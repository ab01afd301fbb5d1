//! One type for the nodes of any provider, and one for the providers themselves: the only place that lists them all.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use super::docker::{self, DockerNode, DockerProvider};
#[cfg(test)]
use super::fake::{Fakes, InMemory};
use super::machine::{self, Machines};
use super::ssh::SshNode;
use super::{
    Choose, Command, FileSpec, Fixed, Holder, Holdings, Leases, Machine, Network, Node, NodeError, NodeView, Output, Provider,
    ProviderError,
};
use crate::artifact::Store;
use crate::decision::{Choice, Decision};
use crate::error::Result;
use crate::look::Look;
use crate::profile::{self, AddressRange, Host, NodeSpec, Profile, Role};
use crate::progress::Progress;

/// A node of any provider.
#[derive(Clone)]
pub enum AnyNode {
    /// A container.
    Docker(DockerNode),
    /// A machine.
    Ssh(SshNode),
    /// A node in memory.
    #[cfg(test)]
    Fake(InMemory),
}

/// Where a cluster's nodes come from.
#[derive(Clone)]
pub enum AnyProvider {
    /// The local Docker engine.
    Docker(DockerProvider),
    /// Bare machines.
    Ssh(Box<Machines>),
    /// Nodes in memory.
    #[cfg(test)]
    Fake(Fakes),
}

/// Host and port by which nodes reach the API server: a name if their network resolves names.
pub fn endpoint(profile: &Profile) -> Choice<String> {
    match &profile.provider {
        profile::Provider::Docker(_) => docker::endpoint(profile),
        profile::Provider::Ssh(hosts) => machine::endpoint(profile, hosts),
    }
}

/// The address at which this machine reaches the API server, as far as the profile decides it.
pub fn api_server(profile: &Profile) -> Decision<SocketAddrV4> {
    match &profile.provider {
        profile::Provider::Docker(nodes) => docker::api_server(nodes),
        profile::Provider::Ssh(hosts) => machine::api_server(profile, hosts),
    }
}

/// The same call on whichever variant it is.
macro_rules! any {
    ($kind:ident, $self:expr, $one:ident => $call:expr) => {
        match $self {
            $kind::Docker($one) => $call,
            $kind::Ssh($one) => $call,
            #[cfg(test)]
            $kind::Fake($one) => $call,
        }
    };
}

impl AnyProvider {
    /// The provider of a profile. `former` are the hosts that belonged to the cluster: those that the profile no longer names
    /// are to leave. `known_hosts` is where `hostKeys: tofu` keeps keys. Nothing is contacted yet.
    ///
    /// # Errors
    /// The engine's address is malformed.
    pub fn of(profile: &Profile, former: &[Host], known_hosts: PathBuf) -> Result<Self> {
        Ok(match &profile.provider {
            profile::Provider::Docker(nodes) => AnyProvider::Docker(DockerProvider::new(&profile.name, nodes)?),
            profile::Provider::Ssh(hosts) => AnyProvider::Ssh(Box::new(Machines::new(profile, hosts, former, known_hosts))),
        })
    }

    /// The Docker engine, for steps that only apply to containers.
    ///
    /// # Errors
    /// The nodes are not containers.
    pub fn docker(&self) -> Result<&DockerProvider, ProviderError> {
        match self {
            AnyProvider::Docker(docker) => Ok(docker),
            AnyProvider::Ssh(_) => Err(ProviderError::Other { wants: "Docker" }),
            #[cfg(test)]
            AnyProvider::Fake(_) => Err(ProviderError::Other { wants: "Docker" }),
        }
    }

    /// The machines, for steps that only apply to machines.
    ///
    /// # Errors
    /// The nodes are not machines.
    pub fn machines(&self) -> Result<&Machines, ProviderError> {
        match self {
            AnyProvider::Docker(_) => Err(ProviderError::Other { wants: "SSH" }),
            AnyProvider::Ssh(machines) => Ok(machines),
            #[cfg(test)]
            AnyProvider::Fake(_) => Err(ProviderError::Other { wants: "SSH" }),
        }
    }
}

impl Provider for AnyProvider {
    type Node = AnyNode;

    async fn reachable(&self) -> Result<()> {
        any!(AnyProvider, self, one => one.reachable().await)
    }

    async fn existing(&self) -> Result<Vec<NodeView>> {
        any!(AnyProvider, self, one => one.existing().await)
    }

    async fn node(&self, name: &str) -> Result<AnyNode> {
        any!(AnyProvider, self, one => Ok(one.node(name).await?.into()))
    }

    async fn running(&self, name: &str) -> Result<Option<AnyNode>> {
        any!(AnyProvider, self, one => Ok(one.running(name).await?.map(Into::into)))
    }

    async fn nodes(&self, wanted: &[NodeSpec]) -> Result<Vec<AnyNode>> {
        any!(AnyProvider, self, one => Ok(one.nodes(wanted).await?.into_iter().map(Into::into).collect()))
    }

    fn hosts(&self) -> Vec<Host> {
        any!(AnyProvider, self, one => one.hosts())
    }

    async fn leaving(&self) -> Vec<Host> {
        any!(AnyProvider, self, one => one.leaving().await)
    }

    async fn machine(&self, node: &str) -> Result<Machine> {
        any!(AnyProvider, self, one => one.machine(node).await)
    }

    async fn fixed(&self, control_plane: &str) -> Result<Vec<Fixed>> {
        any!(AnyProvider, self, one => one.fixed(control_plane).await)
    }

    async fn network(&self) -> Result<Option<Network>> {
        any!(AnyProvider, self, one => one.network().await)
    }

    async fn has_pool(&self, given: Option<AddressRange>) -> Result<bool> {
        any!(AnyProvider, self, one => one.has_pool(given).await)
    }

    async fn reserve_pool(&self, choose: &Choose<'_>) -> Result<AddressRange> {
        any!(AnyProvider, self, one => one.reserve_pool(choose).await)
    }

    async fn node_image(&self, images: &[String]) -> Result<Option<Decision<String>>> {
        any!(AnyProvider, self, one => one.node_image(images).await)
    }

    async fn to_fetch(&self, images: &[String]) -> Result<Option<Vec<String>>> {
        any!(AnyProvider, self, one => one.to_fetch(images).await)
    }

    async fn nowhere(&self, images: &[String], store: &Store) -> Result<Vec<String>> {
        any!(AnyProvider, self, one => one.nowhere(images, store).await)
    }

    async fn load_image(&self, reference: &str, nodes: &[AnyNode], store: &Store, progress: &Progress) -> Result<()> {
        any!(AnyProvider, self, one => one.load_image(reference, &own(nodes)?, store, progress).await)
    }

    async fn take_leases(&self, desk: &str, who: &str) -> Result<Leases> {
        any!(AnyProvider, self, one => one.take_leases(desk, who).await)
    }

    async fn leases(&self) -> Result<Vec<(AnyNode, Holder)>> {
        any!(AnyProvider, self, one => Ok(one.leases().await?.into_iter().map(|(node, holder)| (node.into(), holder)).collect()))
    }

    async fn end_lease(&self, node: &AnyNode) -> Result<()> {
        any!(AnyProvider, self, one => one.end_lease(&node.clone().try_into()?).await)
    }

    async fn terminal(&self, node: &str, command: Option<Vec<String>>) -> Result<i32> {
        any!(AnyProvider, self, one => one.terminal(node, command).await)
    }

    async fn release(&self, node: &str) -> Result<()> {
        any!(AnyProvider, self, one => one.release(node).await)
    }

    async fn kept(&self) -> Vec<String> {
        any!(AnyProvider, self, one => one.kept().await)
    }

    async fn holdings(&self) -> Result<Holdings> {
        any!(AnyProvider, self, one => one.holdings().await)
    }

    async fn leftovers(&self, before: &Holdings) -> Result<Vec<String>> {
        any!(AnyProvider, self, one => one.leftovers(before).await)
    }
}

/// Converts nodes to those of one provider.
fn own<N: TryFrom<AnyNode, Error = ProviderError>>(nodes: &[AnyNode]) -> Result<Vec<N>, ProviderError> {
    nodes.iter().cloned().map(N::try_from).collect()
}

impl From<DockerNode> for AnyNode {
    fn from(node: DockerNode) -> Self {
        AnyNode::Docker(node)
    }
}

impl From<SshNode> for AnyNode {
    fn from(node: SshNode) -> Self {
        AnyNode::Ssh(node)
    }
}

impl TryFrom<AnyNode> for DockerNode {
    type Error = ProviderError;

    fn try_from(node: AnyNode) -> Result<Self, ProviderError> {
        match node {
            AnyNode::Docker(node) => Ok(node),
            AnyNode::Ssh(_) => Err(ProviderError::Other { wants: "Docker" }),
            #[cfg(test)]
            AnyNode::Fake(_) => Err(ProviderError::Other { wants: "Docker" }),
        }
    }
}

impl TryFrom<AnyNode> for SshNode {
    type Error = ProviderError;

    fn try_from(node: AnyNode) -> Result<Self, ProviderError> {
        match node {
            AnyNode::Docker(_) => Err(ProviderError::Other { wants: "SSH" }),
            AnyNode::Ssh(node) => Ok(node),
            #[cfg(test)]
            AnyNode::Fake(_) => Err(ProviderError::Other { wants: "SSH" }),
        }
    }
}

#[cfg(test)]
impl From<InMemory> for AnyNode {
    fn from(node: InMemory) -> Self {
        AnyNode::Fake(node)
    }
}

#[cfg(test)]
impl TryFrom<AnyNode> for InMemory {
    type Error = ProviderError;

    fn try_from(node: AnyNode) -> Result<Self, ProviderError> {
        match node {
            AnyNode::Fake(node) => Ok(node),
            _ => Err(ProviderError::Other { wants: "memory" }),
        }
    }
}

impl AnyNode {
    /// How other nodes find it: by name if their network resolves names, since containers may come back with other addresses;
    /// else by address.
    pub fn host(&self) -> String {
        match self {
            AnyNode::Docker(node) => node.name().to_owned(),
            AnyNode::Ssh(node) => node.address().to_string(),
            #[cfg(test)]
            AnyNode::Fake(node) => node.name().to_owned(),
        }
    }

    /// The address and port at which this machine reaches a control plane's API server.
    pub fn api_server(&self) -> Option<(Ipv4Addr, u16)> {
        match self {
            AnyNode::Docker(node) => node.api_port().map(|port| (Ipv4Addr::LOCALHOST, port)),
            AnyNode::Ssh(node) => Some((node.address(), 6443)),
            #[cfg(test)]
            AnyNode::Fake(node) => Some((node.address(), 6443)),
        }
    }
}

impl Node for AnyNode {
    fn name(&self) -> &str {
        any!(AnyNode, self, one => one.name())
    }

    fn role(&self) -> Role {
        any!(AnyNode, self, one => one.role())
    }

    fn address(&self) -> Ipv4Addr {
        any!(AnyNode, self, one => one.address())
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        any!(AnyNode, self, one => one.exec(command).await)
    }

    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        any!(AnyNode, self, one => one.put(files).await)
    }

    async fn look_at(&self, paths: &[&str]) -> Result<Vec<Look<FileSpec>>, NodeError> {
        any!(AnyNode, self, one => one.look_at(paths).await)
    }
}
