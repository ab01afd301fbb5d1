//! What steps share within one run: connections and facts that are looked up once.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::error::SessionError;
use super::load_image::ImagesSeen;
use crate::artifact::Store;
use crate::cluster::pki::Pki;
use crate::cluster::{self, ClusterError, kubelet, leaving, registration, routed};
use crate::components::{Decided, Owner, Part, PartId, Secrets, address_pool, catalogue, render};
use crate::error::{BoxError, Result};
use crate::profile::{AddressRange, NodeSpec, Pool, Profile, Role};
use crate::provider::docker::{DockerProvider, EngineInfo};
use crate::provider::machine::facts::Facts;
use crate::provider::{AnyNode, AnyProvider, Node, machine};
use crate::state::State;

/// One cluster, as the steps of a run see it.
pub struct Session {
    /// The profile.
    pub profile: Profile,
    /// Its nodes' provider.
    pub provider: AnyProvider,
    /// Where its images and files come from.
    pub store: Store,
    /// Where the cluster's files are.
    pub state: State,
    /// A kubeconfig of the user's that the cluster's entries go into, on request.
    pub merge_into: Option<PathBuf>,
    engine: OnceCell<EngineInfo>,
    pki: OnceCell<Pki>,
    client: OnceCell<Client>,
    pool: OnceCell<AddressRange>,
    decided: OnceCell<Decided>,
    segments: OnceCell<Vec<routed::Segment>>,
    pub(super) facts: OnceCell<Vec<Facts>>,
    pub(super) images_seen: ImagesSeen,
}

impl Session {
    /// Nothing is looked up yet.
    pub fn new(profile: Profile, provider: AnyProvider, store: Store, state: State, merge_into: Option<PathBuf>) -> Self {
        Session {
            profile,
            provider,
            store,
            state,
            merge_into,
            engine: OnceCell::new(),
            pki: OnceCell::new(),
            client: OnceCell::new(),
            pool: OnceCell::new(),
            decided: OnceCell::new(),
            segments: OnceCell::new(),
            facts: OnceCell::new(),
            images_seen: ImagesSeen::default(),
        }
    }

    /// The Docker engine, for what only it can do.
    ///
    /// # Errors
    /// The nodes are machines.
    pub fn docker(&self) -> Result<&DockerProvider> {
        match &self.provider {
            AnyProvider::Docker(docker) => Ok(docker),
            AnyProvider::Ssh(_) => Err(SessionError::OtherProvider { wants: "Docker" }.into()),
        }
    }

    /// The engine's account of itself.
    pub async fn engine(&self) -> Result<&EngineInfo> {
        let docker = self.docker()?;
        Ok(self.engine.get_or_try_init(|| docker.info()).await?)
    }

    /// Whether what nodes are made of can be asked: the engine, or every host.
    pub async fn reachable(&self) -> Result<()> {
        match &self.provider {
            AnyProvider::Docker(_) => self.engine().await.map(drop),
            AnyProvider::Ssh(_) => self.nodes().await.map(drop),
        }
    }

    /// The control plane's name.
    pub fn control_plane_name(&self) -> String {
        self.profile.nodes().first_control_plane().name.clone()
    }

    /// The control plane, which must be running.
    pub async fn control_plane(&self) -> Result<AnyNode> {
        self.provider.node(&self.control_plane_name()).await
    }

    /// All nodes of the profile, in its order; each must be running.
    pub async fn nodes(&self) -> Result<Vec<AnyNode>> {
        self.provider.nodes(&self.profile.nodes()).await
    }

    /// What the hosts say of themselves, in the profile's order; empty where nodes are containers.
    pub async fn facts(&self) -> Result<&[Facts]> {
        let facts = self.facts.get_or_try_init(|| async {
            if let AnyProvider::Docker(_) = self.provider {
                return Ok(Vec::new());
            }
            let nodes = self.nodes().await?;
            let all: Vec<Ipv4Addr> = nodes.iter().map(Node::address).collect();
            let gather = nodes.iter().map(|node| machine::facts::gather(node, &all));
            Ok::<_, BoxError>(futures_util::future::try_join_all(gather).await?)
        });
        facts.await.map(Vec::as_slice)
    }

    /// Nodes of the cluster that the profile no longer asks for.
    ///
    /// # Errors
    /// One of them holds a volume that would be lost with it.
    pub async fn leaving(&self) -> Result<Vec<NodeSpec>> {
        let wanted = self.profile.nodes();
        let existing = self.provider.existing(&self.profile.name).await?;
        let leaving: Vec<NodeSpec> = existing
            .into_iter()
            .filter(|node| !wanted.contains(&node.name))
            .map(|node| NodeSpec { name: node.name, role: node.role })
            .collect();
        if !leaving.is_empty() {
            let names: Vec<String> = leaving.iter().map(|node| node.name.clone()).collect();
            let volumes = leaving::volumes_on(self.client().await?, &names).await?;
            if !volumes.is_empty() {
                return Err(SessionError::VolumeLost { volumes: volumes.join(", ") }.into());
            }
        }
        Ok(leaving)
    }

    /// The cluster's authorities: those on its control plane, or new ones where it has never had any.
    ///
    /// # Errors
    /// It may have some: it does not run, or they cannot be read.
    pub async fn pki(&self) -> Result<&Pki> {
        let pki = self.pki.get_or_try_init(|| async {
            let existing = self.provider.existing(&self.profile.name).await?;
            let Some(node) = existing.iter().find(|node| node.role == Role::ControlPlane) else { return Ok(Pki::generate()?) };
            if !node.running {
                return Err(SessionError::ControlPlaneStopped { node: node.name.clone(), status: node.status.clone() }.into());
            }
            let found = Pki::look(&self.provider.node(&node.name).await?).await.known()?;
            found.map_or_else(|| Ok::<_, BoxError>(Pki::generate()?), Ok)
        });
        pki.await
    }

    /// Where this machine reaches the API server.
    pub async fn api_server(&self) -> Result<String> {
        let node = self.control_plane().await?;
        let (address, port) = node
            .api_server()
            .ok_or_else(|| ClusterError::Connect { reason: format!("node {} publishes no API port", node.name()) })?;
        Ok(format!("https://{address}:{port}"))
    }

    /// A client with full rights.
    pub async fn client(&self) -> Result<&Client> {
        let client = async { Ok(cluster::api::client(self.pki().await?, &self.api_server().await?).await?) };
        self.client.get_or_try_init(|| client).await
    }

    /// Host and port by which nodes reach the API server: a name where the nodes' network resolves names.
    pub async fn endpoint(&self) -> Result<String> {
        Ok(match &self.provider {
            AnyProvider::Docker(_) => format!("{}:6443", self.control_plane_name()),
            AnyProvider::Ssh(_) => format!("{}:6443", self.control_plane().await?.address()),
        })
    }

    /// What differs between nodes for their kubelets.
    pub async fn quirks(&self, node: &str) -> Result<kubelet::Quirks> {
        if let AnyProvider::Docker(_) = self.provider {
            return Ok(kubelet::Quirks { cgroup_v1: self.engine().await?.cgroup_v1, in_container: true, ..Default::default() });
        }
        let Some(facts) = self.facts().await?.get(self.position(node)) else { return Ok(kubelet::Quirks::default()) };
        Ok(kubelet::Quirks {
            cgroup_v1: facts.cgroup_v1,
            in_container: false,
            name: (facts.hostname != node).then(|| node.to_owned()),
            resolver: Some(facts.resolver.clone()).filter(|path| !path.is_empty()),
            nameserver: facts.gateway.filter(|_| facts.nameservers.iter().all(Ipv4Addr::is_loopback)),
        })
    }

    /// What a node's machine has.
    pub async fn capacity(&self, node: &str) -> Result<registration::Capacity> {
        if let AnyProvider::Docker(_) = self.provider {
            let engine = self.engine().await?;
            return Ok(registration::Capacity { cpus: engine.cpus, memory: engine.memory });
        }
        let facts = self.facts().await?.get(self.position(node)).cloned().unwrap_or_default();
        Ok(registration::Capacity { cpus: facts.cpus, memory: facts.memory })
    }

    /// What a node is for.
    pub fn purpose(&self, node: &str) -> registration::Purpose {
        match self.profile.nodes().control_planes().any(|spec| spec.name == node) {
            true => registration::Purpose::ControlPlane { schedulable: self.profile.nodes().workers().next().is_none() },
            false => registration::Purpose::Worker,
        }
    }

    /// A node's `spec.providerID`: in kind's form where kind is to know it.
    pub fn provider_id(&self, node: &str) -> String {
        match &self.provider {
            AnyProvider::Docker(_) => format!("kind://docker/{}/{node}", self.profile.name),
            AnyProvider::Ssh(_) => format!("hearth://ssh/{}/{node}", self.profile.name),
        }
    }

    /// The share of the pod subnet of each node of the profile, in its order: what they have, else what is free.
    pub async fn segments(&self) -> Result<&[routed::Segment]> {
        let segments = self.segments.get_or_try_init(|| async {
            let nodes = self.nodes().await?;
            let had =
                nodes.iter().map(|node| async { Ok::<_, BoxError>((node.name().to_owned(), routed::segment(node).await?)) });
            let had = futures_util::future::try_join_all(had).await?;
            let shares = routed::share(self.profile.kubernetes.pod_subnet, &had)?;
            let host = |node: &AnyNode| match self.provider {
                AnyProvider::Docker(_) => node.name().to_owned(),
                AnyProvider::Ssh(_) => node.address().to_string(),
            };
            let segments = nodes.iter().zip(shares).map(|(node, cidr)| routed::Segment { host: host(node), cidr });
            Ok::<_, BoxError>(segments.collect())
        });
        segments.await.map(Vec::as_slice)
    }

    /// A node's position in the profile.
    fn position(&self, node: &str) -> usize {
        self.profile.nodes().iter().position(|spec| spec.name == node).unwrap_or_default()
    }

    /// One node's share of the pod subnet.
    pub async fn segment(&self, node: &str) -> Result<routed::Segment> {
        Ok(self.segments().await?[self.position(node)].clone())
    }

    /// The pod network's files of one node.
    pub async fn pod_network(&self, node: &str) -> Result<Vec<crate::provider::FileSpec>> {
        let segments = self.segments().await?;
        let index = self.position(node);
        let others = segments.iter().enumerate().filter(|(at, _)| *at != index);
        Ok(routed::node_files(&routed::PodNetwork {
            subnet: self.profile.kubernetes.pod_subnet,
            own: segments[index].cidr,
            others: others.map(|(_, segment)| segment.clone()).collect(),
            service: self.profile.kubernetes.service_subnet.hosts().next().unwrap_or(Ipv4Addr::UNSPECIFIED),
            api_server: segments[0].host.clone(),
            machine: matches!(self.provider, AnyProvider::Ssh(_)),
        }))
    }

    /// The address pool: the profile's, or the one recorded on the control plane, or one planned now.
    pub async fn pool(&self) -> Result<AddressRange> {
        let pool = self.pool.get_or_try_init(|| async {
            if let Some(Pool::Range(range)) = self.profile.components.metallb.as_ref().map(|metallb| metallb.pool) {
                return Ok(range);
            }
            let Ok(docker) = self.docker() else { return self.pool_of_hosts().await };
            let view = docker.network_view().await?.ok_or(crate::provider::docker::DockerError::NoSubnet)?;
            match view.own {
                Some(own) => Ok(own),
                None => Ok(address_pool::plan(view.subnet, &view.used, &view.taken, address_pool::AUTOMATIC_SIZE)?.range),
            }
        });
        pool.await.copied()
    }

    /// The gateway's address: the profile's, or the pool's first.
    pub async fn vip(&self) -> Result<Ipv4Addr> {
        let pool = self.pool().await?;
        match self.profile.components.istio.as_ref().and_then(|istio| istio.gateway.vip.given()) {
            Some(vip) if !pool.contains(vip) => Err(SessionError::VipOutsidePool { vip, pool }.into()),
            Some(vip) => Ok(vip),
            None => Ok(pool.first),
        }
    }

    /// What the components are rendered with.
    pub async fn decided(&self) -> Result<&Decided> {
        self.decided
            .get_or_try_init(|| async {
                let (vip, pool) = match self.profile.components.metallb {
                    Some(_) => (self.vip().await?, self.pool().await?),
                    // nothing that is rendered without MetalLB speaks of addresses
                    None => (Ipv4Addr::UNSPECIFIED, AddressRange { first: Ipv4Addr::UNSPECIFIED, last: Ipv4Addr::UNSPECIFIED }),
                };
                let secrets = Secrets::of_cluster(self.client().await?, &self.profile).await?;
                Ok(Decided::new(&self.profile, vip, pool, &self.store.was().await?.reference, secrets))
            })
            .await
    }

    /// The part of that name.
    pub fn part(&self, id: PartId) -> Result<Part> {
        Ok(catalogue::part(&self.profile, id)?)
    }

    /// A part's objects, ready to be applied.
    pub async fn objects(&self, part: &Part) -> Result<Vec<Value>> {
        let Some(pin) = part.file() else { return Ok(render::render(part, self.decided().await?)?) };
        let (bytes, part) = (self.store.file(pin).await?, part.clone());
        // parsing takes long enough to hold up the other steps
        let objects = spawn_blocking(move || render::definitions(&part, &String::from_utf8_lossy(&bytes)));
        Ok(objects.await.map_err(|_| SessionError::Interrupted)??)
    }

    /// Who owns a component's objects.
    pub fn owner(&self, component: &'static str) -> Owner {
        Owner { profile: self.profile.name.clone(), component }
    }
}
