//! What differs between containers and machines in the course of a run.

use std::net::Ipv4Addr;

use futures_util::future::{join_all, try_join_all};
use ipnet::Ipv4Net;

use super::Session;
use super::error::SessionError;
use super::kubeconfig;
use crate::artifact::store::answers;
use crate::artifact::{FilePin, download, pins, programs, reference};
use crate::components::{address_pool, catalogue};
use crate::error::{BoxError, Result};
use crate::profile::{AddressRange, Role};
use crate::provider::docker::{DockerProvider, Held, NETWORK, Turn};
use crate::provider::machine::{self, facts::Facts, install, lease};
use crate::provider::ssh::SshNode;
use crate::provider::{AnyNode, AnyProvider, Command, Node};

/// A pool that no other run can plan until this is dropped.
pub struct Reserved {
    /// The pool.
    pub range: AddressRange,
    _turn: Held,
}

impl Session {
    /// The machine of that name.
    pub(super) async fn host(&self, name: &str) -> Result<SshNode> {
        match self.provider.node(name).await? {
            AnyNode::Ssh(node) => Ok(node),
            AnyNode::Docker(_) => Err(SessionError::OtherProvider { wants: "SSH" }.into()),
        }
    }

    /// What hosts say of themselves, and which could not be asked; nothing of either where nodes are containers.
    pub async fn look_at_hosts(&self) -> (Vec<Facts>, Vec<(String, BoxError)>) {
        let AnyProvider::Ssh(_) = self.provider else { return Default::default() };
        let (mut nodes, mut unreached) = (Vec::new(), Vec::new());
        let names = self.profile.nodes().names();
        for (found, name) in join_all(names.iter().map(|name| self.provider.node(name))).await.into_iter().zip(&names) {
            match found {
                Ok(node) => nodes.push(node),
                Err(error) => unreached.push((name.clone(), error)),
            }
        }
        let all: Vec<Ipv4Addr> = nodes.iter().map(Node::address).collect();
        let mut facts = Vec::new();
        let looks = join_all(nodes.iter().map(|node| machine::facts::gather(node, &all))).await;
        for (found, node) in looks.into_iter().zip(&nodes) {
            match found {
                Ok(found) => facts.push(found),
                Err(error) => unreached.push((node.name().to_owned(), error.into())),
            }
        }
        if unreached.is_empty() {
            // whoever looked before leaves the same
            let _looked = self.facts.set(facts.clone());
        }
        (facts, unreached)
    }

    /// Images and files that an `up` would need and that are nowhere to be had.
    pub async fn nowhere(&self) -> Result<Vec<String>> {
        let mut nowhere = match self.provider {
            AnyProvider::Docker(_) => self.images_nowhere().await?,
            AnyProvider::Ssh(_) => self.host_artifacts_nowhere().await,
        };
        let mut pins: Vec<FilePin> = catalogue::parts(&self.profile).iter().filter_map(|part| part.file()).collect();
        pins.dedup_by_key(|pin| pin.name);
        for pin in pins.into_iter().filter(|pin| !self.store.has_file(pin)) {
            if !answers(&download::server(pin.url)).await {
                nowhere.push(format!("{} ({})", pin.name, pin.url));
            }
        }
        nowhere.sort();
        nowhere.dedup();
        Ok(nowhere)
    }

    /// Images that are neither in the engine nor in the bundle, and whose registry does not even answer. Nodes that
    /// exist have theirs.
    async fn images_nowhere(&self) -> Result<Vec<String>> {
        if !self.docker()?.own_containers().await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut images = catalogue::pulled(&self.profile);
        images.push(self.docker()?.node_base().to_owned());
        let mut nowhere = Vec::new();
        for image in self.docker()?.lacking(&images).await? {
            if self.store.bundled(&image).is_none() && !self.engine_may_reach(&image).await? {
                nowhere.push(image);
            }
        }
        Ok(nowhere)
    }

    /// True when an image's registry answers here, or the engine has ways of its own to it.
    async fn engine_may_reach(&self, image: &str) -> Result<bool> {
        let engine = self.engine().await?;
        let mirrored = engine.mirrored && reference::is_on_docker_hub(image);
        Ok(engine.proxied || mirrored || answers(reference::server(image)).await)
    }

    /// Programs and images for hosts that are nowhere to be had.
    pub(super) async fn host_artifacts_nowhere(&self) -> Vec<String> {
        let mut nowhere = self.programs_nowhere().await;
        let mut images = catalogue::pulled(&self.profile);
        images.extend(pins::kubernetes_images(&self.profile.kubernetes.version, Role::ControlPlane));
        images.retain(|image| self.store.bundled(image).is_none());
        let answer = join_all(images.iter().map(|image| answers(reference::server(image)))).await;
        nowhere.extend(images.into_iter().zip(answer).filter(|(_, answers)| !answers).map(|(image, _)| image));
        nowhere
    }

    /// Programs that are neither at hand nor published by a server that answers.
    async fn programs_nowhere(&self) -> Vec<String> {
        let version = &self.profile.kubernetes.version;
        let missing = install::PROGRAMS.iter().filter(|program| self.store.program_at_hand(program.name, version).is_none());
        let look = missing.map(|program| async {
            let url = programs::release(program.name, version).url;
            let answers = answers(&download::server(&url)).await;
            (!answers).then(|| format!("program {} ({})", program.name, download::address(&url)))
        });
        join_all(look).await.into_iter().flatten().collect()
    }

    /// The image nodes start from: the derived one if it is there.
    pub(super) async fn node_image(&self) -> Result<String> {
        let docker = self.docker()?;
        let derived = docker.derived_reference(&catalogue::pulled(&self.profile)).await?;
        Ok(if docker.has_image(&derived).await? { derived } else { docker.node_base().to_owned() })
    }

    /// The address pool, kept from others until the control plane's label shows it to them.
    pub(super) async fn reserve_pool(&self) -> Result<Option<Reserved>> {
        if self.profile.components.metallb.is_none() {
            return Ok(None);
        }
        let turn = Turn::Pool.take().await?;
        Ok(Some(Reserved { range: self.pool().await?, _turn: turn }))
    }

    /// The pool of a cluster on hosts: the one recorded on the control plane, else one planned in their network, around
    /// every address that a host or its table of neighbours knows.
    pub(super) async fn pool_of_hosts(&self) -> Result<AddressRange> {
        let control_plane = self.control_plane().await?;
        if let Some(Ok(recorded)) = machine::pool(&control_plane).await?.map(|text| text.parse()) {
            return Ok(recorded);
        }
        let facts = self.facts().await?;
        let network = facts.first().and_then(Facts::network).unwrap_or_default();
        let mut used: Vec<Ipv4Addr> = facts.iter().flat_map(|facts| facts.addresses.iter().map(Ipv4Net::addr)).collect();
        used.extend(facts.iter().filter_map(|facts| facts.gateway));
        let neighbours = control_plane.run(Command::shell("ip -4 neigh show | awk '!/FAILED|INCOMPLETE/ {print $1}'")).await?;
        used.extend(neighbours.text().lines().filter_map(|line| line.parse::<Ipv4Addr>().ok()));
        let planned = address_pool::plan(network, &used, &[], address_pool::AUTOMATIC_SIZE)?;
        Ok(planned.range)
    }

    /// A node that has left the cluster is removed, or becomes a plain host again.
    pub(super) async fn release_node(&self, node: &str) -> Result<()> {
        if let AnyProvider::Docker(docker) = &self.provider {
            return Ok(docker.remove_node(node).await?);
        }
        let host = self.host(node).await?;
        machine::clean::clean(&host, self.profile.kubernetes.pod_subnet).await?;
        match machine::clean::verify(&host).await? {
            left if left.is_empty() => Ok(()),
            left => Err(SessionError::Left { host: node.to_owned(), left: left.join("\n  ") }.into()),
        }
    }

    /// Takes the lease of every host that can be reached; none where nodes are containers.
    ///
    /// # Errors
    /// [`SessionError::Leased`] names who holds one; those taken are given back.
    pub async fn take_leases(&self) -> Result<Leases> {
        let mut hosts = Vec::new();
        if let AnyProvider::Ssh(_) = self.provider {
            let names = self.profile.nodes().names();
            let found = join_all(names.iter().map(|name| self.provider.node(name))).await;
            hosts = found.into_iter().flatten().collect();
        }
        // the lock on the state directory keeps runs with the same one apart; what a killed one left is theirs
        let desk = self.state.desk();
        let who = format!("process {}, cluster {}", std::process::id(), self.profile.name);
        let taken = try_join_all(hosts.iter().map(|host| lease::acquire(host, &desk, &who))).await;
        let leases = Leases { hosts, desk, renewal: None };
        let held = match taken {
            Ok(taken) => taken.into_iter().zip(&leases.hosts).find_map(|(holder, host)| Some((holder?, host.name().to_owned()))),
            Err(error) => {
                leases.release().await;
                return Err(error.into());
            }
        };
        if let Some((holder, host)) = held {
            leases.release().await;
            return Err(SessionError::Leased { host, holder }.into());
        }
        Ok(leases.keep(who))
    }

    /// What is left of the cluster, in words; empty after a `down` that worked. `volumes` are those its nodes had.
    pub async fn leftovers(&self, volumes: &[String]) -> Result<Vec<String>> {
        let mut left = match &self.provider {
            AnyProvider::Docker(docker) => leftovers_in_engine(docker, volumes).await?,
            AnyProvider::Ssh(_) => verify(self).await?,
        };
        left.extend(kubeconfig::leftovers(self)?);
        Ok(left)
    }
}

/// The leases of a run, renewed while it lasts.
pub struct Leases {
    hosts: Vec<AnyNode>,
    desk: String,
    renewal: Option<tokio::task::JoinHandle<()>>,
}

impl Leases {
    fn keep(mut self, who: String) -> Leases {
        if !self.hosts.is_empty() {
            let (hosts, desk) = (self.hosts.clone(), self.desk.clone());
            self.renewal = Some(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(lease::RENEWAL).await;
                    // a host that is away for a while is renewed when it is back
                    let _away = join_all(hosts.iter().map(|host| lease::acquire(host, &desk, &who))).await;
                }
            }));
        }
        self
    }

    /// Gives them back; a host that is away keeps its lease until it ends.
    pub async fn release(self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        let _away = join_all(self.hosts.iter().map(|host| lease::release(host, Some(&self.desk)))).await;
    }
}

/// What is left on hosts after a clean-up, one line each; also those of one host at a time, in the order of the hosts.
async fn verify(session: &Session) -> Result<Vec<String>> {
    let look = session.profile.nodes().names().into_iter().map(|name| async move {
        let node = session.host(&name).await?;
        Ok::<_, BoxError>(machine::clean::verify(&node).await?.into_iter().map(move |line| format!("{name}: {line}")).collect())
    });
    let left: Vec<Vec<String>> = try_join_all(look).await?;
    Ok(left.concat())
}

async fn leftovers_in_engine(docker: &DockerProvider, volumes: &[String]) -> Result<Vec<String>> {
    let containers = docker.own_containers().await?;
    let mut left: Vec<String> = containers.into_iter().map(|c| format!("container {} ({})", c.name, c.status)).collect();
    left.extend(docker.builders().await?.into_iter().map(|name| format!("container {name}")));
    for volume in volumes {
        if docker.has_volume(volume).await? {
            left.push(format!("volume {volume}"));
        }
    }
    if docker.network_is_ours_and_unused().await? {
        left.push(format!("network {NETWORK}"));
    }
    Ok(left)
}
