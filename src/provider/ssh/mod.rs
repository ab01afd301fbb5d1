//! Nodes as machines over SSH, by libssh2: one connection per host, shared by all commands, and reused.
//!
//! `session` connects, verifies (`hostkey`) and logs in (`auth`), through another host if there is one (`jump`). `connection`
//! then gives the session to a thread (`event_loop`), which runs each command as a `job`. Steps use [`SshNode`]; `upload` and
//! `interactive` are its two functions beyond a [`Node`](crate::provider::Node).

mod again;
mod auth;
mod connection;
mod error;
mod event_loop;
mod hostkey;
mod interactive;
mod job;
mod jump;
mod node;
mod quote;
mod secret;
mod session;
mod signal;
mod upload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

pub use error::{At, SshError, SshErrors};
pub use node::SshNode;
pub use secret::{Environment, Secret};
pub use upload::Uploaded;

use crate::profile::{HostKeys, Role, SshHosts};
use crate::provider::{Command, Node};
use connection::Connection;
use hostkey::{Policy, TofuFile};
use quote::Privilege;
use session::Target;

/// Uploads at once over all hosts: more would only share the same bandwidth.
const UPLOADS: usize = 3;
/// Connections made at once; sshd's MaxStartups begins to refuse at ten, which matters for a jump host.
const CONNECTS: usize = 8;

/// The machines of one cluster.
#[derive(Clone)]
pub struct SshProvider {
    nodes: Arc<[SshNode]>,
    connects: Arc<Semaphore>,
}

impl SshProvider {
    /// The machines of a profile, not yet connected to. `known_hosts` is where `hostKeys: tofu` keeps keys.
    pub fn new(hosts: &SshHosts, known_hosts: PathBuf) -> Self {
        Self::with_environment(hosts, known_hosts, &Environment::of_process())
    }

    /// The same, with secrets and paths other than this process's.
    pub fn with_environment(hosts: &SshHosts, known_hosts: PathBuf, environment: &Environment) -> Self {
        let tofu = TofuFile { path: known_hosts, lock: Arc::new(Mutex::new(())) };
        let policy = |key: Option<&String>, field: String| match hosts.host_keys {
            HostKeys::Strict => Policy::Strict(environment.known_hosts()),
            HostKeys::Tofu => Policy::Tofu(tofu.clone()),
            // validated: a pinned host has a fingerprint; an empty one matches nothing
            HostKeys::Pinned => Policy::Pinned { fingerprint: key.cloned().unwrap_or_default(), field },
        };
        let identity = hosts.identity_file.as_deref().map(|path| environment.expand(path));
        let jump = hosts.jump.as_ref().map(|jump| Target {
            at: At { node: "jump host".to_owned(), address: format!("{}:{}", jump.address, jump.port) },
            host: jump.address,
            port: jump.port,
            user: jump.user.clone(),
            identity: identity.clone(),
            policy: policy(jump.host_key.as_ref(), "spec.provider.ssh.jump.hostKey".to_owned()),
            environment: environment.clone(),
            jump: None,
        });
        let privilege = match (&*hosts.user, &environment.sudo_password) {
            ("root", _) => Privilege::Root,
            (_, None) => Privilege::Sudo,
            (_, Some(password)) => Privilege::Password(password.clone()),
        };
        let uploads = Arc::new(Semaphore::new(UPLOADS));
        let node = |(index, host): (usize, &crate::profile::Host)| {
            let target = Target {
                at: At { node: host.name.clone(), address: format!("{}:{}", host.address, hosts.port) },
                host: host.address,
                port: hosts.port,
                user: hosts.user.clone(),
                identity: identity.clone(),
                policy: policy(host.host_key.as_ref(), format!("spec.provider.ssh.hosts[{index}].hostKey")),
                environment: environment.clone(),
                jump: jump.clone().map(Box::new),
            };
            SshNode {
                name: host.name.clone(),
                role: host.role,
                connection: Arc::new(Connection::new(target, privilege.clone())),
                uploads: Arc::clone(&uploads),
            }
        };
        let nodes = hosts.hosts.iter().enumerate().map(node).collect();
        SshProvider { nodes, connects: Arc::new(Semaphore::new(CONNECTS)) }
    }

    /// Names and roles of all hosts, in the profile's order.
    pub fn wanted(&self) -> Vec<(String, Role)> {
        self.nodes.iter().map(|node| (node.name.clone(), node.role)).collect()
    }

    /// The addresses of all hosts.
    pub fn addresses(&self) -> Vec<std::net::Ipv4Addr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// One node, connected to and able to become root.
    ///
    /// # Errors
    /// [`SshError`], for everything that can go wrong before the first command.
    pub async fn node(&self, name: &str) -> Result<SshNode, SshError> {
        self.ready(self.find(name)?).await
    }

    /// The same for callers that only look which hosts are there: a host that failed slowly a moment ago is not tried again.
    ///
    /// # Errors
    /// Those of [`SshProvider::node`].
    pub async fn look(&self, name: &str) -> Result<SshNode, SshError> {
        self.look_at(self.find(name)?).await
    }

    /// The nodes that are there now. The others are never contacted from now on, even if they come back: they get no lease, so
    /// another run may work on them.
    pub async fn there(&self) -> Vec<SshNode> {
        let looks = self.nodes.iter().map(|node| async {
            match self.look_at(node).await {
                Ok(node) => Some(node),
                Err(error) => {
                    node.connection.give_up(&error).await;
                    None
                }
            }
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    fn find(&self, name: &str) -> Result<&SshNode, SshError> {
        let unknown =
            || SshError::Unknown { node: name.to_owned(), known: self.nodes.iter().map(|node| node.name.clone()).collect() };
        self.nodes.iter().find(|node| node.name == name).ok_or_else(unknown)
    }

    async fn look_at(&self, node: &SshNode) -> Result<SshNode, SshError> {
        match node.connection.away().await {
            Some(away) => Err(away),
            None => self.ready(node).await,
        }
    }

    /// Several nodes, connected to in parallel, in the order of their names.
    ///
    /// # Errors
    /// The errors of all nodes that failed.
    pub async fn nodes<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Vec<SshNode>, SshErrors> {
        let (mut nodes, mut errors) = (Vec::new(), Vec::new());
        for outcome in join_all(names.into_iter().map(|name| self.node(name))).await {
            match outcome {
                Ok(node) => nodes.push(node),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(nodes) } else { Err(SshErrors(errors)) }
    }

    async fn ready(&self, node: &SshNode) -> Result<SshNode, SshError> {
        // the semaphore is never closed
        let _turn = self.connects.acquire().await;
        let live = node.connection.live().await?;
        if !matches!(node.connection.privilege, Privilege::Root) && !live.is_proven() {
            let id = node.exec(Command::new(["id", "-u"]).timeout(Duration::from_secs(20))).await;
            let at = || node.connection.target.at.clone();
            let output = id.map_err(|error| SshError::Lost { at: at(), reason: crate::error::chain(&error) })?;
            if output.text() != "0" {
                let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(SshError::Sudo { at: at(), user: node.connection.target.user.clone(), output });
            }
            live.prove();
        }
        Ok(node.clone())
    }
}
