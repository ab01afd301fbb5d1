//! Nodes as containers on the local Docker engine, following kind's contract: its labels, network, names, volumes and API port,
//! so that kind's own CLI works on our clusters (source: kind `pkg/cluster/internal/providers/docker`). No kind binary is
//! needed.

mod boot;
mod container;
mod derive;
mod exec;
mod image;
mod network;
mod owned;
mod provider;
mod read;
mod turn;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use tokio::sync::{Mutex, OnceCell};

pub use container::Container;
use derive::BUILDER_LABEL;
pub use derive::KeptImage;
pub use exec::DockerNode;
pub use image::copy_archive;
pub use network::NodeNetwork;
pub use owned::Owned;
pub use provider::{api_server, endpoint};
pub use turn::{Held, Turn};

use crate::error::{Explain, Family};
use crate::profile::{AddressRange, DockerNodes};

/// The network every kind cluster shares.
pub const NETWORK: &str = "kind";
/// kind's label for a container's cluster; its value is the cluster's name.
pub const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";
/// kind's label for a container's role.
pub const ROLE_LABEL: &str = "io.x-k8s.kind.role";
/// Our label on everything we made; its value is the profile's name. Whatever lacks it is never touched.
pub const OWNER_LABEL: &str = "hearth.dev/profile";
/// Our label on a node: the profile's image when it was made. The container itself may have been made from one derived of it.
const IMAGE_LABEL: &str = "hearth.dev/node-image";
/// Our label on a control plane: the address pool chosen for its cluster.
const POOL_LABEL: &str = "hearth.dev/pool";
/// Time limit for requests that the engine answers only when it is done: loading an archive, committing a container. The
/// client's default is two minutes; the limits of the steps decide, which may be as long as the user wants.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// The port on which API servers listen.
const API_PORT: u16 = 6443;
/// The oldest engine API with private cgroup namespaces (Docker 20.10).
const OLDEST_API: (u32, u32) = (1, 41);

/// The Docker engine.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
}

/// One cluster on the Docker engine.
#[derive(Clone)]
pub struct DockerProvider {
    engine: Engine,
    cluster: String,
    nodes: DockerNodes,
    info: Arc<OnceCell<EngineInfo>>,
    /// The address pool that no other cluster can choose before the control plane's label shows it.
    reserved: Arc<Mutex<Option<Reserved>>>,
}

/// An address pool, with the turn in which it was chosen.
struct Reserved {
    range: AddressRange,
    _turn: Held,
}

/// The engine's description of itself and its host.
#[derive(Debug, Clone)]
pub struct EngineInfo {
    /// The engine's version.
    pub version: String,
    /// True where the host has cgroup v1, which kubelets refuse unless told otherwise.
    pub cgroup_v1: bool,
    /// The host's memory in bytes.
    pub memory: u64,
    /// Number of processors.
    pub cpus: u64,
    /// The folder in which it keeps images and volumes.
    pub root: String,
    /// The host's name.
    pub host: String,
    /// The host's kernel release.
    pub kernel: String,
    /// True when the engine runs without root's rights.
    pub rootless: bool,
    /// True when users in containers are mapped to others on the host (`userns-remap`).
    pub remapped: bool,
    /// True when it gets Docker Hub's images from a mirror.
    pub mirrored: bool,
    /// True when it reaches registries through a proxy.
    pub proxied: bool,
}

/// The Docker engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum DockerError {
    /// No engine answers.
    #[error("no Docker engine answers at {address}")]
    Absent {
        /// The address at which it was looked for.
        address: String,
        #[source]
        source: Unreachable,
    },
    /// TLS is demanded but not supported here: keys would travel in plain text.
    #[error("DOCKER_TLS_VERIFY asks for TLS, and Hearth speaks to {address} in plain text only")]
    WantsTls {
        /// The engine's address.
        address: String,
    },
    /// The engine is older than the oldest supported one.
    #[error("Docker engine {version} (API {api}) is too old: API 1.41 (Docker 20.10) or later is needed")]
    TooOld { version: String, api: String },
    /// A call failed.
    #[error("Docker could not {action}")]
    Call {
        action: String,
        /// The engine's error.
        #[source]
        source: EngineError,
    },
    /// The name belongs to a cluster that is not Hearth's.
    #[error("a cluster named `{cluster}` exists and was not made by Hearth (containers {containers})")]
    Foreign { cluster: String, containers: String },
    /// An image that neither the engine nor a registry has.
    #[error("image {image} is neither in the Docker engine nor in a bundle, and no registry gave it")]
    NoImage {
        image: String,
        /// The registry's error.
        #[source]
        source: Box<DockerError>,
    },
    /// An artifact could not be obtained.
    #[error(transparent)]
    Artifact(#[from] crate::artifact::ArtifactError),
    /// A file with which runs wait for each other could not be locked.
    #[error("cannot lock {}", path.display())]
    Lock {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A node has no address on the network.
    #[error("container `{node}` has no IPv4 address on network `kind`; it is {state}")]
    NoAddress { node: String, state: String },
    /// A node did not come up.
    #[error("node `{node}` did not boot within {limit:?}; its log ends with\n    {log}")]
    NotBooted {
        node: String,
        limit: std::time::Duration,
        /// The last lines of its log.
        log: String,
    },
    /// The network has no IPv4 subnet.
    #[error("Docker network `kind` has no IPv4 subnet")]
    NoSubnet,
    /// There is no container with that name.
    #[error("there is no node `{node}` in cluster `{cluster}`")]
    NoNode { node: String, cluster: String },
}

impl Explain for DockerError {
    fn family(&self) -> Family {
        match self {
            DockerError::Foreign { .. } | DockerError::Lock { .. } => Family::Preflight,
            DockerError::NoImage { .. } => Family::Artifact,
            DockerError::Artifact(error) => error.family(),
            _ => Family::Docker,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            DockerError::Absent { .. } => "start Docker, or point DOCKER_HOST at an engine; `hearth doctor` looks closer".into(),
            DockerError::WantsTls { .. } => {
                "reach it through SSH: `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`, then DOCKER_HOST=unix:///tmp/docker.sock \
                 without DOCKER_TLS_VERIFY".into()
            }
            DockerError::TooOld { .. } => "upgrade Docker".into(),
            DockerError::NoImage { .. } => {
                "load it with `docker load`, or name a directory with --bundle DIR (HEARTH_BUNDLE)".into()
            }
            DockerError::Artifact(error) => return error.hint(),
            DockerError::Foreign { cluster, .. } => {
                format!("choose another name with --name, or remove it with `kind delete cluster --name {cluster}`")
            }
            DockerError::NoAddress { .. } => "run `hearth up` again: it starts nodes that are stopped".into(),
            _ => return None,
        })
    }
}

/// Why no engine answers.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// Its address is of a kind that is not supported.
    #[error(transparent)]
    Address(Cause),
    /// This user may not connect to it.
    #[error(transparent)]
    Forbidden(Cause),
    /// It accepted the connection but did not answer.
    #[error("it has not answered within {0:?}")]
    Silent(Duration),
    /// Anything else: in most cases no engine is running.
    #[error(transparent)]
    Other(Cause),
}

/// The error of the engine's client, or of the system.
type Cause = Box<dyn Error + Send + Sync>;

impl Unreachable {
    fn of(error: EngineError) -> Self {
        if let EngineError::UnsupportedURISchemeError { .. } = error {
            return Unreachable::Address(error.into());
        }
        let Some((kind, code)) = of_system(&error).map(|system| (system.kind(), system.raw_os_error())) else {
            return Unreachable::Other(error.into());
        };
        // what the client wraps around the system's error says nothing more
        let cause = code.map_or_else(|| error.into(), |code| io::Error::from_raw_os_error(code).into());
        match kind {
            io::ErrorKind::PermissionDenied => Unreachable::Forbidden(cause),
            _ => Unreachable::Other(cause),
        }
    }
}

/// The system's error that the client's error comes from, if there is one.
fn of_system(error: &EngineError) -> Option<&io::Error> {
    let mut found = None;
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        // the client's own wrapper returns the source of its inner error, and so hides that one from this walk
        let within = match inner.downcast_ref::<EngineError>() {
            Some(EngineError::IOError { err }) => Some(err),
            _ => inner.downcast_ref::<io::Error>(),
        };
        found = within.or(found);
        cause = inner.source();
    }
    found
}

/// Adds what was attempted to an error of the engine; if it could not even be connected to, that is the error.
fn call(action: impl Into<String>) -> impl FnOnce(EngineError) -> DockerError {
    let action = action.into();
    |source| match &source {
        EngineError::HyperLegacyError { err } if err.is_connect() => absent(source),
        _ => DockerError::Call { action, source },
    }
}

/// True when the engine reports that something does not exist.
fn is_absent(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 404, .. })
}

impl Engine {
    /// The engine that `DOCKER_HOST` or the platform's default names; does not connect yet.
    pub fn connect() -> Result<Self, DockerError> {
        let (address, verify) = (engine_address(), std::env::var("DOCKER_TLS_VERIFY").unwrap_or_default());
        if wants_tls(&address, &verify) {
            return Err(DockerError::WantsTls { address });
        }
        Ok(Engine { docker: Docker::connect_with_defaults().map_err(absent)? })
    }

    /// A client of the same engine, for requests that may take longer.
    fn patient(&self, limit: Duration) -> Docker {
        self.docker.clone().with_timeout(limit)
    }

    /// Asks the engine about itself, and refuses one that is absent or too old.
    pub async fn info(&self) -> Result<EngineInfo, DockerError> {
        let version = self.docker.version().await.map_err(absent)?;
        let api = version.api_version.unwrap_or_default();
        let number = |part: Option<&str>| part.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        let mut parts = api.split('.');
        let engine = version.version.unwrap_or_default();
        if (number(parts.next()), number(parts.next())) < OLDEST_API {
            return Err(DockerError::TooOld { version: engine, api });
        }
        let info = self.docker.info().await.map_err(absent)?;
        let options = info.security_options.unwrap_or_default();
        let hub = info.registry_config.as_ref().and_then(|registries| registries.index_configs.as_ref()?.get("docker.io"));
        let option = |name: &str| options.iter().any(|option| option.split(',').any(|part| part == name));
        Ok(EngineInfo {
            version: engine,
            cgroup_v1: info.cgroup_version.is_some_and(|version| version.to_string() == "1"),
            memory: u64::try_from(info.mem_total.unwrap_or(0)).unwrap_or(0),
            cpus: u64::try_from(info.ncpu.unwrap_or(0)).unwrap_or(0),
            root: info.docker_root_dir.unwrap_or_default(),
            host: info.name.unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            rootless: option("name=rootless"),
            remapped: option("name=userns"),
            mirrored: hub.and_then(|hub| hub.mirrors.as_ref()).is_some_and(|mirrors| !mirrors.is_empty()),
            proxied: info.https_proxy.is_some_and(|proxy| !proxy.is_empty()),
        })
    }
}

impl DockerProvider {
    /// The cluster with that name; does not connect yet.
    pub fn new(cluster: &str, nodes: &DockerNodes) -> Result<Self, DockerError> {
        Ok(DockerProvider {
            engine: Engine::connect()?,
            cluster: cluster.to_owned(),
            nodes: nodes.clone(),
            info: Arc::default(),
            reserved: Arc::default(),
        })
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine's description of itself, read once.
    pub async fn info(&self) -> Result<&EngineInfo, DockerError> {
        self.info.get_or_try_init(|| self.engine.info()).await
    }
}

/// The error for an engine that does not answer.
fn absent(source: EngineError) -> DockerError {
    DockerError::Absent { address: engine_address(), source: Unreachable::of(source) }
}

/// Whether Docker's own client would insist on TLS: any value of DOCKER_TLS_VERIFY means yes, except for a socket.
fn wants_tls(address: &str, verify: &str) -> bool {
    !verify.is_empty() && !address.starts_with("unix://")
}

/// The address at which the engine is looked for.
pub fn engine_address() -> String {
    std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_refused_where_tls_is_demanded() {
        assert!(wants_tls("tcp://192.168.1.5:2376", "1") && wants_tls("tcp://127.0.0.1:2376", "0"));
        assert!(!wants_tls("tcp://127.0.0.1:2375", "") && !wants_tls("unix:///var/run/docker.sock", "1"));
    }

    #[test]
    fn why_no_engine_answers_is_known_by_its_cause() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let scheme = EngineError::UnsupportedURISchemeError { uri: "ssh://home".into() };
        assert!(matches!(Unreachable::of(scheme), Unreachable::Address(_)));
        assert!(matches!(Unreachable::of(EngineError::IOError { err: denied() }), Unreachable::Forbidden(_)));
        assert!(matches!(Unreachable::of(denied().into()), Unreachable::Forbidden(_)));
        let missing = EngineError::SocketNotFoundError("/var/run/docker.sock".into());
        assert!(matches!(Unreachable::of(missing), Unreachable::Other(_)));
    }
}
