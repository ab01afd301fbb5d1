//! Images on their way to containers: engine, bundle or registry → the nodes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures_util::future::try_join_all;

use super::Session;
use super::error::SessionError;
use crate::artifact::oci::{self, WAS_REPOSITORY};
use crate::artifact::{self, FilePin};
use crate::components::catalogue;
use crate::error::{BoxError, Result};
use crate::profile::AddressRange;
use crate::progress::Progress;
use crate::provider::docker::copy_archive;
use crate::provider::{AnyNode, AnyProvider, Command, Node};

/// A file lock that other runs of Hearth on this machine wait for.
pub struct Held(#[expect(dead_code, reason = "holds the lock until dropped")] std::fs::File);

/// A pool that no other run can plan until this is dropped.
pub struct Reserved {
    /// The pool.
    pub range: AddressRange,
    _lock: Held,
}

impl Session {
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
    pub async fn images_of(&self, node: &AnyNode) -> Result<BTreeSet<String>> {
        let output = node.exec(Command::new(["ctr", "--namespace=k8s.io", "images", "list", "--quiet"])).await?;
        // without a container runtime there are none
        Ok(output.text().lines().map(str::to_owned).collect())
    }

    /// Those of `images` that the engine lacks.
    pub async fn images_missing_in_engine(&self, images: &[String]) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for image in images {
            if !self.docker()?.has_image(image).await? {
                missing.push(image.clone());
            }
        }
        Ok(missing)
    }

    /// Images and files that an `up` would need and that are nowhere to be had.
    pub async fn nowhere(&self) -> Result<Vec<String>> {
        let mut nowhere = match self.provider {
            AnyProvider::Docker(_) => self.images_nowhere().await?,
            AnyProvider::Ssh(_) => self.host_artifacts_nowhere().await,
        };
        let mut pins: Vec<FilePin> = catalogue::parts(&self.profile).iter().filter_map(|part| part.file()).collect();
        pins.dedup_by_key(|pin| pin.name);
        for pin in pins.into_iter().filter(|pin| !artifact::is_at_hand(pin, self.bundle.as_ref())) {
            if !answers(&artifact::download::server(pin.url)).await {
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
        for image in self.images_missing_in_engine(&images).await? {
            let bundled = self.bundle.as_ref().is_some_and(|bundle| bundle.image(&image).is_ok());
            if !bundled && !self.engine_may_reach(registry(&image)).await? {
                nowhere.push(image);
            }
        }
        Ok(nowhere)
    }

    /// True when a registry answers here, or the engine has ways of its own to it.
    async fn engine_may_reach(&self, registry: &str) -> Result<bool> {
        let engine = self.engine().await?;
        Ok(engine.proxied || (engine.mirrored && registry == DOCKER_HUB) || answers(registry).await)
    }

    /// Brings an image into the engine: from the bundle, else from its registry.
    pub async fn fetch_image(&self, image: &str, progress: &Progress) -> Result<()> {
        if let Some(bundle) = &self.bundle
            && let Ok(archive) = bundle.image(image)
        {
            progress.say(format!("loading {image} from the bundle"));
            return Ok(self.docker()?.load_archive(&archive).await?);
        }
        progress.say(format!("pulling {image}"));
        let pulled = self.docker()?.pull_image(image).await;
        pulled.map_err(|source| SessionError::NoImage { image: image.to_owned(), source }.into())
    }

    /// The image nodes start from: the derived one if it is there.
    pub async fn node_image(&self) -> Result<String> {
        let docker = self.docker()?;
        let derived = docker.derived_reference(&catalogue::pulled(&self.profile)).await?;
        Ok(if docker.has_image(&derived).await? { derived } else { docker.node_base().to_owned() })
    }

    /// Nodes that may have to run an image and lack it.
    pub async fn nodes_lacking(&self, image: &str) -> Result<Vec<AnyNode>> {
        let reference = self.reference(image).await?;
        let nodes = self.profile.nodes();
        let looks = nodes.iter().filter(|node| catalogue::may_run(&self.profile, node, image)).map(|spec| async move {
            let node = self.provider.node(&spec.name).await?;
            let has = self.images_at_first(&node).await?.contains(reference);
            Ok::<_, BoxError>((!has).then_some(node))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// Copies an image into the nodes that lack it: once out of its source, into all of these at the same time.
    pub async fn load_image(&self, image: &str, progress: &Progress) -> Result<()> {
        let was = self.was().await?;
        let reference = self.reference(image).await?;
        let (mut containers, mut hosts) = (Vec::new(), Vec::new());
        for node in self.nodes_lacking(image).await? {
            match node {
                AnyNode::Docker(node) => containers.push(node),
                AnyNode::Ssh(node) => hosts.push(node),
            }
        }
        let images = [reference.to_owned()];
        try_join_all(hosts.iter().map(|host| self.copy_to_host(host, &images, progress))).await?;
        match containers.as_slice() {
            [] => Ok(()),
            nodes if reference == was.reference => Ok(copy_archive(&was.path, nodes).await?),
            nodes => {
                let docker = self.docker()?;
                // a component that was added since the nodes were made
                if !docker.has_image(reference).await? {
                    self.fetch_image(reference, progress).await?;
                }
                progress.say(format!("to {} nodes", nodes.len()));
                docker.copy_image(reference, nodes).await
            }
        }
    }

    /// The whole reference of an image in the plan.
    async fn reference<'a>(&'a self, image: &'a str) -> Result<&'a str> {
        Ok(if image == WAS_REPOSITORY { &self.was().await?.reference } else { image })
    }

    /// What a node had when it was first asked: one question for all images.
    async fn images_at_first(&self, node: &AnyNode) -> Result<BTreeSet<String>> {
        let first = self.stocks.lock().await.entry(node.name().to_owned()).or_default().clone();
        Ok(first.get_or_try_init(|| self.images_of(node)).await?.clone())
    }

    /// One run at a time derives a node image: the second finds it made.
    pub async fn lock_derive(&self) -> Result<Held> {
        lock("derive.lock").await
    }

    /// The address pool, kept from others until the control plane's label tells them of it.
    pub async fn reserve_pool(&self) -> Result<Option<Reserved>> {
        if self.profile.components.metallb.is_none() {
            return Ok(None);
        }
        let lock = lock("pool.lock").await?;
        Ok(Some(Reserved { range: self.pool().await?, _lock: lock }))
    }
}

/// Where images without a registry in their name come from.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// The host that a reference names. (Docker's short names mean its own registry.)
pub(super) fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host != "docker.io" && (host.contains('.') || host.contains(':')) => host,
        _ => DOCKER_HUB,
    }
}

/// True when a host takes connections, on the port of HTTPS unless it names another.
pub(super) async fn answers(host: &str) -> bool {
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
    let connect = tokio::net::TcpStream::connect(address);
    tokio::time::timeout(std::time::Duration::from_secs(3), connect).await.is_ok_and(|connected| connected.is_ok())
}

/// Takes an exclusive lock on a file of the cache, waiting for its holder.
async fn lock(name: &str) -> Result<Held> {
    let path: PathBuf = crate::artifact::cache_dir()?.join(name);
    let failed = |source| SessionError::Lock { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    Ok(Held(locked.map_err(|_| SessionError::Interrupted)?.map_err(failed)?))
}
