//! What steps share within one run: connections and facts that are looked up once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::artifact::{self, Bundle, oci};
use crate::cluster::pki::Pki;
use crate::cluster::{self, ClusterError, kubelet, leaving, routed};
use crate::components::{Inputs, Owner, Part, Secrets, address_pool, render};
use crate::error::{BoxError, Explain, Family, Result};
use crate::profile::{AddressRange, Pool, Profile, Role};
use crate::provider::docker::{DockerNode, DockerProvider, EngineInfo};
use crate::provider::{Command, Node};
use crate::state::State;

/// One cluster on Docker, as the steps of a run see it.
pub struct Session {
    /// The profile.
    pub profile: Profile,
    /// Its nodes' provider.
    pub provider: DockerProvider,
    /// The bundle, if one was named.
    pub bundle: Option<Bundle>,
    /// Where the cluster's files are.
    pub state: State,
    /// A kubeconfig of the user's that the cluster's entries go into, on request.
    pub merge_into: Option<PathBuf>,
    engine: OnceCell<EngineInfo>,
    pki: OnceCell<Pki>,
    client: OnceCell<Client>,
    was: OnceCell<oci::Packed>,
    pool: OnceCell<AddressRange>,
    inputs: OnceCell<Inputs>,
    segments: OnceCell<Vec<routed::Segment>>,
}

impl Session {
    /// Nothing is looked up yet.
    pub fn new(
        profile: Profile,
        provider: DockerProvider,
        bundle: Option<Bundle>,
        state: State,
        merge_into: Option<PathBuf>,
    ) -> Self {
        Session {
            profile,
            provider,
            bundle,
            state,
            merge_into,
            engine: OnceCell::new(),
            pki: OnceCell::new(),
            client: OnceCell::new(),
            was: OnceCell::new(),
            pool: OnceCell::new(),
            inputs: OnceCell::new(),
            segments: OnceCell::new(),
        }
    }

    /// The engine's account of itself.
    pub async fn engine(&self) -> Result<&EngineInfo> {
        Ok(self.engine.get_or_try_init(|| self.provider.info()).await?)
    }

    /// The control plane's name.
    pub fn control_plane_name(&self) -> String {
        self.provider.wanted().swap_remove(0).0
    }

    /// The control plane, which must be running.
    pub async fn control_plane(&self) -> Result<DockerNode> {
        Ok(self.provider.node(&self.control_plane_name()).await?)
    }

    /// All nodes of the profile, in its order; each must be running.
    pub async fn nodes(&self) -> Result<Vec<DockerNode>> {
        let containers = self.provider.own_containers().await?;
        let mut nodes = Vec::new();
        for (name, _) in self.provider.wanted() {
            match containers.iter().find(|container| container.name == name) {
                Some(container) => nodes.push(self.provider.open(container)?),
                None => nodes.push(self.provider.node(&name).await?),
            }
        }
        Ok(nodes)
    }

    /// Nodes of the cluster that the profile no longer asks for.
    ///
    /// # Errors
    /// One of them holds a volume that would be lost with it.
    pub async fn leaving(&self) -> Result<Vec<(String, Role)>> {
        let wanted = self.provider.wanted();
        let containers = self.provider.own_containers().await?;
        let leaving: Vec<(String, Role)> = containers
            .into_iter()
            .filter(|container| wanted.iter().all(|(name, _)| *name != container.name))
            .map(|container| (container.name, container.role))
            .collect();
        if !leaving.is_empty() {
            let names: Vec<String> = leaving.iter().map(|(name, _)| name.clone()).collect();
            let volumes = leaving::volumes_on(self.client().await?, &names).await?;
            if !volumes.is_empty() {
                return Err(SessionError::VolumeLost { volumes: volumes.join(", ") }.into());
            }
        }
        Ok(leaving)
    }

    /// The cluster's authorities: those on its control plane, else new ones.
    pub async fn pki(&self) -> Result<&Pki> {
        self.pki
            .get_or_try_init(|| async {
                let containers = self.provider.own_containers().await?;
                let existing = containers.iter().find(|container| container.role == Role::ControlPlane && container.running);
                let found = match existing {
                    Some(container) => Pki::read(&self.provider.open(container)?).await?,
                    None => None,
                };
                found.map_or_else(|| Ok(Pki::generate()?), Ok)
            })
            .await
    }

    /// Host port of the API server.
    pub async fn api_port(&self) -> Result<u16> {
        let node = self.control_plane().await?;
        node.api_port()
            .ok_or_else(|| ClusterError::Connect { reason: format!("node {} publishes no API port", node.name()) }.into())
    }

    /// A client with full rights.
    pub async fn client(&self) -> Result<&Client> {
        let client = async { Ok(cluster::api::client(self.pki().await?, self.api_port().await?).await?) };
        self.client.get_or_try_init(|| client).await
    }

    /// Host and port by which nodes reach the API server.
    pub fn endpoint(&self) -> String {
        format!("{}:6443", self.control_plane_name())
    }

    /// What differs between hosts for kubelets.
    pub async fn quirks(&self) -> Result<kubelet::Quirks> {
        Ok(kubelet::Quirks { cgroup_v1: self.engine().await?.cgroup_v1, in_container: true })
    }

    /// A node's `spec.providerID`, in kind's form.
    pub fn provider_id(&self, node: &str) -> String {
        format!("kind://docker/{}/{node}", self.profile.name)
    }

    /// The share of the pod subnet of each node of the profile, in its order: what they have, else what is free.
    pub async fn segments(&self) -> Result<&[routed::Segment]> {
        let segments = self.segments.get_or_try_init(|| async {
            let nodes = self.nodes().await?;
            let had = nodes.iter().map(|node| async { Ok((node.name().to_owned(), routed::segment(node).await?)) });
            let had: Vec<_> = futures_util::future::try_join_all(had).await.map_err(|error: ClusterError| error)?;
            let shares = routed::share(self.profile.kubernetes.pod_subnet, &had)?;
            let segments = nodes.iter().zip(shares).map(|(node, cidr)| routed::Segment { address: node.address(), cidr });
            Ok::<_, BoxError>(segments.collect())
        });
        segments.await.map(Vec::as_slice)
    }

    /// A node's position in the profile.
    fn position(&self, node: &str) -> usize {
        self.provider.wanted().iter().position(|(name, _)| name == node).unwrap_or_default()
    }

    /// One node's share of the pod subnet.
    pub async fn segment(&self, node: &str) -> Result<routed::Segment> {
        Ok(self.segments().await?[self.position(node)])
    }

    /// The pod network's files of one node.
    pub async fn pod_network(&self, node: &str) -> Result<Vec<crate::provider::FileSpec>> {
        let segments = self.segments().await?;
        let index = self.position(node);
        let others: Vec<routed::Segment> = segments.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, s)| *s).collect();
        let service = self.profile.kubernetes.service_subnet.hosts().next().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let api = routed::ApiService { service, control_plane: segments[0].address };
        Ok(routed::files(self.profile.kubernetes.pod_subnet, segments[index].cidr, &others, api))
    }

    /// The address pool: the profile's, or the one recorded on the control plane, or one planned now.
    pub async fn pool(&self) -> Result<AddressRange> {
        let pool = self.pool.get_or_try_init(|| async {
            let view = self.provider.network_view().await?;
            let Some(view) = view else { return Err(crate::provider::docker::DockerError::NoSubnet.into()) };
            match self.profile.components.metallb.as_ref().map(|metallb| metallb.pool) {
                Some(Pool::Range(range)) => Ok(range),
                _ => match view.own {
                    Some(own) => Ok(own),
                    None => Ok(address_pool::plan(view.subnet, &view.used, &view.taken, address_pool::AUTOMATIC_SIZE)?.range),
                },
            }
        });
        pool.await.copied()
    }

    /// The gateway's address: the profile's, or the pool's first.
    pub async fn vip(&self) -> Result<Ipv4Addr> {
        let pool = self.pool().await?;
        match self.profile.components.istio.as_ref().and_then(|istio| istio.vip) {
            Some(vip) if !pool.contains(vip) => Err(SessionError::VipOutsidePool { vip, pool }.into()),
            Some(vip) => Ok(vip),
            None => Ok(pool.first),
        }
    }

    /// The WAS image, packed out of this program on first use.
    pub async fn was(&self) -> Result<&oci::Packed> {
        self.was
            .get_or_try_init(|| async {
                let binary = std::env::current_exe().map_err(SessionError::OwnProgram)?;
                let packed = tokio::task::spawn_blocking(move || oci::was_image(&binary)).await;
                Ok(packed.map_err(|_| SessionError::Interrupted)??)
            })
            .await
    }

    /// Image references a node has.
    pub async fn images_of(&self, node: &DockerNode) -> Result<BTreeSet<String>> {
        let output = node.run(Command::new(["ctr", "--namespace=k8s.io", "images", "list", "--quiet"])).await?;
        Ok(output.text().lines().map(str::to_owned).collect())
    }

    /// What the components are rendered with.
    pub async fn inputs(&self) -> Result<&Inputs> {
        self.inputs
            .get_or_try_init(|| async {
                let (vip, pool) = match self.profile.components.metallb {
                    Some(_) => (self.vip().await?, self.pool().await?),
                    // nothing that is rendered without MetalLB speaks of addresses
                    None => (Ipv4Addr::UNSPECIFIED, AddressRange { first: Ipv4Addr::UNSPECIFIED, last: Ipv4Addr::UNSPECIFIED }),
                };
                let secrets = Secrets::of_cluster(self.client().await?).await?;
                Ok(Inputs::new(&self.profile, vip, pool, &self.was().await?.reference, secrets))
            })
            .await
    }

    /// A part's objects, ready to be applied.
    pub async fn objects(&self, part: Part) -> Result<Vec<Value>> {
        let Some(pin) = part.definitions() else { return Ok(render::render(part, self.inputs().await?)?) };
        let bundle = self.bundle.clone();
        let objects = tokio::task::spawn_blocking(move || {
            let bytes = artifact::file(&pin, bundle.as_ref())?;
            Ok::<_, BoxError>(render::definitions(part, &String::from_utf8_lossy(&bytes))?)
        });
        objects.await.map_err(|_| SessionError::Interrupted)?
    }

    /// Who owns a part's objects.
    pub fn owner(&self, part: Part) -> Owner {
        Owner { profile: self.profile.name.clone(), part }
    }
}

/// What a session itself can fail with.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The WAS image is packed out of this program.
    #[error("cannot find the program file of hearth itself")]
    OwnProgram(#[source] std::io::Error),
    /// A blocking task was dropped.
    #[error("interrupted")]
    Interrupted,
    /// A lock file.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Images that are nowhere to be had.
    #[error("image {image} is neither in the Docker engine nor in a bundle, and no registry gave it")]
    NoImage {
        /// The image.
        image: String,
        /// What the registry said.
        #[source]
        source: crate::provider::docker::DockerError,
    },
    /// A node cannot leave without loss.
    #[error("the profile no longer asks for nodes that hold volumes: {volumes}")]
    VolumeLost {
        /// Each volume with its node.
        volumes: String,
    },
    /// The pool and the VIP do not fit.
    #[error("address {vip} for the gateway is not in the address pool {pool}")]
    VipOutsidePool {
        /// The address.
        vip: Ipv4Addr,
        /// The pool.
        pool: AddressRange,
    },
}

impl Explain for SessionError {
    fn family(&self) -> Family {
        match self {
            SessionError::NoImage { .. } => Family::Artifact,
            SessionError::Interrupted => Family::Interrupted,
            _ => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SessionError::NoImage { .. } => {
                Some("load it with `docker load`, or name a directory with --bundle DIR (HEARTH_BUNDLE)".into())
            }
            SessionError::VolumeLost { .. } => {
                Some("keep the node in the profile, or save the data and delete the volume's claim first".into())
            }
            SessionError::VipOutsidePool { .. } => {
                Some("leave out spec.components.istio.gateway.vip, or give a pool that holds it".into())
            }
            _ => None,
        }
    }
}
