//! One type for the nodes of either provider, so that everything above works on both.

use std::net::Ipv4Addr;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::docker::{DockerNode, DockerProvider};
use super::machine;
use super::ssh::{SshNode, SshProvider};
use super::{Command, FileSpec, Node, NodeError, Output};
use crate::error::{Result, chain};
use crate::profile::{NodeSpec, Role};

/// A node of whichever provider.
#[derive(Clone)]
pub enum AnyNode {
    /// A container.
    Docker(DockerNode),
    /// A machine.
    Ssh(SshNode),
}

/// Where a cluster's nodes come from.
#[derive(Clone)]
pub enum AnyProvider {
    /// The local Docker engine.
    Docker(DockerProvider),
    /// Bare machines.
    Ssh(SshProvider),
}

/// A node as it is seen from outside, whether it runs or not.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its part in the cluster.
    pub role: Role,
    /// True when it can be asked to do something.
    pub running: bool,
    /// Its state in words.
    pub status: String,
    /// Its address, if known.
    pub address: Option<Ipv4Addr>,
}

impl AnyProvider {
    /// Nodes that exist and belong to `cluster`. A machine that cannot be reached may well belong to it: it is among them,
    /// not running.
    pub async fn existing(&self, cluster: &str) -> Result<Vec<NodeView>> {
        match self {
            AnyProvider::Docker(docker) => {
                let containers = docker.own_containers().await?.into_iter();
                Ok(containers
                    .map(|c| NodeView { name: c.name, role: c.role, running: c.running, status: c.status, address: c.address })
                    .collect())
            }
            AnyProvider::Ssh(ssh) => {
                let looks = ssh.wanted().into_iter().map(|(name, role)| async move {
                    let view = |running, status: &str, address| {
                        Some(NodeView { name: name.clone(), role, running, status: status.to_owned(), address })
                    };
                    let node = match ssh.node(&name).await {
                        Ok(node) => node,
                        Err(error) => return view(false, &format!("cannot be reached: {}", chain(&error)), None),
                    };
                    match machine::cluster(&node).await {
                        Ok(Some(mark)) if mark == cluster => view(true, "", Some(node.address())),
                        Ok(_) => None,
                        Err(error) => view(false, &chain(&error), Some(node.address())),
                    }
                });
                Ok(futures_util::future::join_all(looks).await.into_iter().flatten().collect())
            }
        }
    }

    /// The node of that name, which must be running.
    pub async fn node(&self, name: &str) -> Result<AnyNode> {
        Ok(match self {
            AnyProvider::Docker(docker) => AnyNode::Docker(docker.node(name).await?),
            AnyProvider::Ssh(ssh) => AnyNode::Ssh(ssh.node(name).await?),
        })
    }

    /// Several nodes, in the order of their names; all must be running.
    pub async fn nodes<'a>(&self, wanted: impl IntoIterator<Item = &'a NodeSpec>) -> Result<Vec<AnyNode>> {
        match self {
            AnyProvider::Docker(docker) => {
                let containers = docker.own_containers().await?;
                let mut nodes = Vec::new();
                for NodeSpec { name, .. } in wanted {
                    match containers.iter().find(|container| container.name == *name) {
                        Some(container) => nodes.push(AnyNode::Docker(docker.open(container)?)),
                        None => nodes.push(self.node(name).await?),
                    }
                }
                Ok(nodes)
            }
            AnyProvider::Ssh(ssh) => {
                Ok(ssh.nodes(wanted.into_iter().map(|node| node.name.as_str())).await?.into_iter().map(AnyNode::Ssh).collect())
            }
        }
    }
}

impl AnyNode {
    /// Runs a program whose standard input is what arrives on `input`, to its end.
    pub async fn feed(&self, argv: &[&str], input: mpsc::Receiver<Bytes>) -> Result<Output, NodeError> {
        match self {
            AnyNode::Docker(node) => node.feed(argv, input).await,
            AnyNode::Ssh(node) => node.feed(argv, input).await,
        }
    }

    /// The port by which this machine reaches a control plane's API server, and the address.
    pub fn api_server(&self) -> Option<(Ipv4Addr, u16)> {
        match self {
            AnyNode::Docker(node) => node.api_port().map(|port| (Ipv4Addr::LOCALHOST, port)),
            AnyNode::Ssh(node) => Some((node.address(), 6443)),
        }
    }
}

impl Node for AnyNode {
    fn name(&self) -> &str {
        match self {
            AnyNode::Docker(node) => node.name(),
            AnyNode::Ssh(node) => node.name(),
        }
    }

    fn role(&self) -> Role {
        match self {
            AnyNode::Docker(node) => node.role(),
            AnyNode::Ssh(node) => node.role(),
        }
    }

    fn address(&self) -> Ipv4Addr {
        match self {
            AnyNode::Docker(node) => node.address(),
            AnyNode::Ssh(node) => node.address(),
        }
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        match self {
            AnyNode::Docker(node) => node.exec(command).await,
            AnyNode::Ssh(node) => node.exec(command).await,
        }
    }

    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        match self {
            AnyNode::Docker(node) => node.put(files).await,
            AnyNode::Ssh(node) => node.put(files).await,
        }
    }
}
