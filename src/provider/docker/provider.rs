//! Containers on the Docker engine as a [`Provider`].

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{API_PORT, DockerError, DockerNode, DockerProvider, NETWORK, Reserved, Turn, copy_archive};
use crate::artifact::{Store, reference, store::answers};
use crate::decision::{Choice, Decision};
use crate::error::Result;
use crate::profile::{AddressRange, DockerNodes, Host, NodeSpec, Profile, Role};
use crate::progress::Progress;
use crate::provider::{Choose, Fixed, Holder, Holdings, Leases, Machine, Network, NodeView, Provider, ProviderError, Quirks};
use crate::quantity::counted;

/// The engine resolves containers' names on their network.
pub fn endpoint(profile: &Profile) -> Choice<String> {
    let nodes = profile.nodes();
    Choice::new(
        format!("{}:{API_PORT}", nodes.first_control_plane().name),
        "the control plane's name, which the nodes' network resolves",
    )
}

/// A port on this machine, which the engine publishes on the loopback.
pub fn api_server(nodes: &DockerNodes) -> Decision<SocketAddrV4> {
    match nodes.api_port {
        Some(port) => Decision::made(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), "as the profile says"),
        None => Decision::Later("when the control plane is made: a port of 127.0.0.1 that is free then".into()),
    }
}

impl Provider for DockerProvider {
    type Node = DockerNode;

    async fn reachable(&self) -> Result<()> {
        self.info().await?;
        Ok(())
    }

    async fn existing(&self) -> Result<Vec<NodeView>> {
        let view = |container: super::Container| NodeView {
            status: if container.running { container.status.clone() } else { format!("stopped: {}", container.status) },
            problem: if container.running { String::new() } else { format!("its container is stopped: {}", container.status) },
            name: container.name,
            role: container.role,
            running: container.running,
            away: false,
            address: container.address,
            api: container.api_port.map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)),
        };
        Ok(self.own_containers().await?.into_iter().map(view).collect())
    }

    async fn node(&self, name: &str) -> Result<DockerNode> {
        let found = self.own_containers().await?.into_iter().find(|container| container.name == name);
        let absent = || DockerError::NoNode { node: name.to_owned(), cluster: self.cluster.clone() };
        Ok(self.open(&found.ok_or_else(absent)?)?)
    }

    async fn running(&self, name: &str) -> Result<Option<DockerNode>> {
        let found = self.own_containers().await?.into_iter().find(|container| container.name == name && container.running);
        Ok(found.map(|container| self.open(&container)).transpose()?)
    }

    async fn nodes(&self, wanted: &[NodeSpec]) -> Result<Vec<DockerNode>> {
        let containers = self.own_containers().await?;
        let find = |spec: &NodeSpec| {
            let found = containers.iter().find(|container| container.name == spec.name);
            let absent = || DockerError::NoNode { node: spec.name.clone(), cluster: self.cluster.clone() };
            Ok(self.open(found.ok_or_else(absent)?)?)
        };
        wanted.iter().map(find).collect()
    }

    fn hosts(&self) -> Vec<Host> {
        Vec::new()
    }

    async fn leaving(&self) -> Vec<Host> {
        Vec::new()
    }

    async fn machine(&self, node: &str) -> Result<Machine> {
        let info = self.info().await?;
        Ok(Machine {
            cpus: info.cpus,
            memory: info.memory,
            provider_id: format!("kind://docker/{}/{node}", self.cluster),
            quirks: Quirks { cgroup_v1: info.cgroup_v1, in_container: true, ..Quirks::default() },
        })
    }

    /// A container keeps its image and its published port as long as it exists.
    async fn fixed(&self, control_plane: &str) -> Result<Vec<Fixed>> {
        Ok(self.made_otherwise(control_plane).await?)
    }

    /// A pool that this run has reserved counts as the cluster's own.
    async fn network(&self) -> Result<Option<Network>> {
        let Some(mut network) = self.engine.node_network(&self.cluster).await? else { return Ok(None) };
        if let Some(reserved) = &*self.reserved.lock().await {
            network.view.own = Some(reserved.range);
        }
        Ok(Some(network.view))
    }

    /// The label with the pool is written once, when the control plane's container is made.
    async fn has_pool(&self, _: Option<AddressRange>) -> Result<bool> {
        let containers = self.own_containers().await?;
        Ok(self.reserved.lock().await.is_some() || containers.iter().any(|container| container.role == Role::ControlPlane))
    }

    /// Other runs wait until the control plane's container shows the pool, or this run ends.
    async fn reserve_pool(&self, choose: &Choose<'_>) -> Result<AddressRange> {
        let turn = Turn::Pool.take().await?;
        let network = self.network().await?.ok_or(DockerError::NoSubnet)?;
        let range = choose(&network)?;
        *self.reserved.lock().await = Some(Reserved { range, _turn: turn });
        Ok(range)
    }

    async fn node_image(&self, images: &[String]) -> Result<Option<Decision<String>>> {
        // a kept image is named after the image it was made from, which must be present to be inspected
        let needed = [images, std::slice::from_ref(&self.nodes.image)].concat();
        Ok(Some(match self.lacking(&needed).await?.len() {
            0 => Decision::Made(self.image_of_nodes(images).await?),
            _ => Decision::Later("when the engine has the images that one may be kept with".into()),
        }))
    }

    /// Existing nodes have their images already.
    async fn to_fetch(&self, images: &[String]) -> Result<Option<Vec<String>>> {
        if !self.own_containers().await?.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let images = [images, std::slice::from_ref(&self.nodes.image)].concat();
        Ok(Some(self.lacking(&images).await?))
    }

    async fn nowhere(&self, images: &[String], store: &Store) -> Result<Vec<String>> {
        let mut nowhere = Vec::new();
        for image in self.to_fetch(images).await?.unwrap_or_default() {
            if store.bundled(&image).is_none() && !self.may_reach_registry(&image).await? {
                nowhere.push(image);
            }
        }
        Ok(nowhere)
    }

    /// Read once from its source, into all of the nodes at the same time.
    async fn load_image(&self, reference: &str, nodes: &[DockerNode], store: &Store, progress: &Progress) -> Result<()> {
        let was = store.was().await?;
        if nodes.is_empty() {
            return Ok(());
        }
        if reference == was.reference {
            return Ok(copy_archive(&was.path, nodes).await?);
        }
        // of a component that was added after the nodes were made
        if !self.has_image(reference).await? {
            self.fetch_image(reference, store, progress).await?;
        }
        progress.say(format!("to {}", counted(nodes.len(), "node")));
        self.copy_image(reference, nodes).await
    }

    /// The lock on the state directory keeps apart all runs that reach the engine.
    async fn take_leases(&self, _: &str, _: &str) -> Result<Leases> {
        Ok(Leases::default())
    }

    async fn leases(&self) -> Result<Vec<(DockerNode, Holder)>> {
        Err(self.not_machines("which have no lease: the lock of a run ends with its process", None).into())
    }

    async fn end_lease(&self, _: &DockerNode) -> Result<()> {
        Ok(())
    }

    async fn terminal(&self, _: &str, _: Option<Vec<String>>) -> Result<i32> {
        Err(self.not_machines("they have no SSH", Some("`docker exec -it NODE bash` opens a shell on one")).into())
    }

    async fn release(&self, node: &str) -> Result<()> {
        Ok(self.remove_node(node).await?)
    }

    async fn kept(&self) -> Vec<String> {
        Vec::new()
    }

    async fn holdings(&self) -> Result<Holdings> {
        let network = self.engine.has_network().await?.then(|| NETWORK.to_owned());
        Ok(Holdings { volumes: self.volumes().await?, network })
    }

    async fn leftovers(&self, before: &Holdings) -> Result<Vec<String>> {
        let containers = self.own_containers().await?;
        let mut left: Vec<String> = containers.into_iter().map(|c| format!("container {} ({})", c.name, c.status)).collect();
        left.extend(self.builders().await?.into_iter().map(|name| format!("container {name}")));
        for volume in &before.volumes {
            if self.has_volume(volume).await? {
                left.push(format!("volume {volume}"));
            }
        }
        if self.engine.network_is_ours_and_unused().await? {
            left.push(format!("network {NETWORK}"));
        }
        Ok(left)
    }
}

impl DockerProvider {
    /// True when an image's registry answers from here, or the engine has its own way to it.
    async fn may_reach_registry(&self, image: &str) -> Result<bool> {
        let info = self.info().await?;
        let mirrored = info.mirrored && reference::is_on_docker_hub(image);
        Ok(info.proxied || mirrored || answers(reference::server(image)).await)
    }

    fn not_machines(&self, what: &'static str, instead: Option<&'static str>) -> ProviderError {
        ProviderError::NotMachines { cluster: self.cluster.clone(), what, instead }
    }
}
