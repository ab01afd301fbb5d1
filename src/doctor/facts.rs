//! Facts about the machine and the engine, gathered once; the checks only read them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use ipnet::Ipv4Net;
use rustix::fs::{Access, Mode, OFlags, access, open, statvfs};
use rustix::io::Errno;

use super::OnEngine;
use crate::profile::Profile;
use crate::provider::docker::{self, Container, DockerError, EngineInfo, NodeNetwork, Owned, Unreachable, engine_address};
use crate::state::State;

/// The most that a run writes, in bytes: journal, debug log, kubeconfig.
const ROOM: u64 = 4 << 20;
/// An engine that does not answer within this time counts as absent.
const PATIENCE: Duration = Duration::from_secs(10);

/// All facts.
#[derive(Debug)]
pub struct Facts {
    /// Address at which the engine was looked for.
    pub address: String,
    /// The engine, or why it does not answer.
    pub engine: Result<Engine, DockerError>,
    /// The machine Hearth runs on.
    pub host: Host,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    /// Its description of itself.
    pub info: EngineInfo,
    /// Containers labelled with the profile's cluster.
    pub containers: Vec<Container>,
    /// The nodes' network, if it exists.
    pub network: Option<NodeNetwork>,
    /// True when that network is not in use.
    pub network_unused: bool,
    /// Containers that Hearth made, for all clusters.
    pub owned: Vec<Owned>,
    /// Free bytes where it keeps images and volumes; none if this machine cannot see that folder.
    pub disk_free: Option<u64>,
}

/// The machine Hearth runs on.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Its host name.
    pub name: String,
    /// Kernel release.
    pub kernel: String,
    /// Bytes still available to programs.
    pub memory_available: u64,
    /// True when it has swap in use.
    pub swap: bool,
    /// `fs.inotify.max_user_instances`.
    pub inotify_instances: u64,
    /// `fs.inotify.max_user_watches`.
    pub inotify_watches: u64,
    /// The first process's capability bounding set: the most that any container can get.
    pub capabilities: u64,
    /// True when the kernel has the overlay file system, built in or as a module.
    pub overlay: bool,
    /// IPv4 routes in the kernel's order: of two to the same network, the first one counts.
    pub routes: Vec<Route>,
    /// True when something listens on the profile's port for the API server.
    pub api_port_taken: bool,
    /// Places that cannot be written to.
    pub unwritable: Vec<Unwritable>,
    /// Clusters with a state directory.
    pub states: Vec<String>,
    /// Clusters among them whose nodes are machines, or may be, since the record of them cannot be read.
    pub elsewhere: Vec<String>,
    /// The time in seconds since 1970.
    pub now: i64,
}

/// A route to a network.
#[derive(Debug, Clone)]
pub struct Route {
    /// The interface it uses.
    pub interface: String,
    /// Its destination.
    pub network: Ipv4Net,
}

/// A place that cannot be written to.
#[derive(Debug, Clone)]
pub struct Unwritable {
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    pub why: String,
    /// How to choose another place.
    pub instead: &'static str,
}

impl Facts {
    /// Queries the engine and reads the machine at the same time; changes nothing.
    pub async fn gather(asked: OnEngine<'_>, merge_into: Option<&Path>) -> Facts {
        let name = asked.map(|(profile, _)| profile.name.clone()).unwrap_or_default();
        let port = asked.and_then(|(_, nodes)| nodes.api_port);
        let (state, kubeconfig) = (name.clone(), merge_into.map(Path::to_owned));
        let host = tokio::task::spawn_blocking(move || Host::read(&state, port, kubeconfig.as_deref()));
        let engine = tokio::time::timeout(PATIENCE, Engine::ask(&name));
        let (host, engine) = tokio::join!(host, engine);
        let address = engine_address();
        let silent = |_| Err(DockerError::Absent { address: address.clone(), source: Unreachable::Silent(PATIENCE) });
        let mut facts = Facts { engine: engine.unwrap_or_else(silent), address, host: host.unwrap_or_default() };
        if facts.engine_is_here()
            && let Ok(engine) = &mut facts.engine
        {
            engine.disk_free = statvfs(&engine.info.root).ok().map(|space| space.f_bavail * space.f_frsize);
        }
        facts
    }

    /// True when the engine runs on this machine, as far as can be told: neither across a network, nor in a virtual machine,
    /// nor outside the container that Hearth runs in. In the last two cases host name and kernel differ.
    pub fn engine_is_here(&self) -> bool {
        let same = |engine: &Engine| engine.info.host == self.host.name && engine.info.kernel == self.host.kernel;
        self.engine_is_near() && self.engine.as_ref().map_or(true, same)
    }

    /// True when the connection to the engine stays on this machine, judging by its address.
    pub fn engine_is_near(&self) -> bool {
        ["unix://", "tcp://127.", "tcp://localhost"].iter().any(|near| self.address.starts_with(near))
    }
}

impl Engine {
    async fn ask(cluster: &str) -> Result<Engine, DockerError> {
        let engine = docker::Engine::connect()?;
        // first, so that an engine that is too old is recognised as such
        let info = engine.info().await?;
        let (containers, network, network_unused, owned) = tokio::try_join!(
            engine.containers(cluster),
            engine.node_network(cluster),
            engine.network_is_ours_and_unused(),
            engine.owned(),
        )?;
        Ok(Engine { info, containers, network, network_unused, owned, disk_free: None })
    }
}

impl Host {
    /// Checks only the places that are written to.
    pub fn of_places(cluster: &str, kubeconfig: Option<&Path>) -> Host {
        Host { unwritable: unwritable(cluster, kubeconfig), ..Host::default() }
    }

    fn read(cluster: &str, api_port: Option<u16>, kubeconfig: Option<&Path>) -> Host {
        let system = rustix::system::uname();
        let kernel = system.release().to_string_lossy().into_owned();
        let overlay = text("/proc/filesystems").contains("\toverlay\n")
            || ["modules.builtin", "modules.dep"]
                .iter()
                .any(|list| text(&format!("/lib/modules/{kernel}/{list}")).contains("/overlay.ko"));
        let states = State::names().unwrap_or_default();
        let taken =
            |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        Host {
            name: system.nodename().to_string_lossy().into_owned(),
            kernel,
            memory_available: field(&text("/proc/meminfo"), "MemAvailable:", 10).saturating_mul(1024),
            swap: text("/proc/swaps").lines().count() > 1,
            inotify_instances: text("/proc/sys/fs/inotify/max_user_instances").trim().parse().unwrap_or(u64::MAX),
            inotify_watches: text("/proc/sys/fs/inotify/max_user_watches").trim().parse().unwrap_or(u64::MAX),
            capabilities: field(&text("/proc/1/status"), "CapBnd:", 16),
            overlay,
            routes: routes(&text("/proc/net/route")),
            api_port_taken: api_port.is_some_and(taken),
            unwritable: unwritable(cluster, kubeconfig),
            elsewhere: states.iter().filter(|name| is_elsewhere(name)).cloned().collect(),
            states,
            now: jiff::Timestamp::now().as_second(),
        }
    }
}

/// True unless it is known that the nodes of a cluster would be containers.
fn is_elsewhere(cluster: &str) -> bool {
    let kept = State::of(cluster).map(|state| Profile::kept(&state.profile()));
    match kept {
        Ok(Ok(Some(profile))) => profile.provider.node_image().is_none(),
        Ok(Ok(None)) => false,
        Ok(Err(_)) | Err(_) => true,
    }
}

/// A file in /proc or /sys; empty if it does not exist, which no check takes for a sign of trouble.
fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The number after a label; all bits set if it is missing, so that this leads to no finding.
fn field(text: &str, label: &str, radix: u32) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let number = line.and_then(|line| u64::from_str_radix(line.split_whitespace().next()?, radix).ok());
    number.unwrap_or(u64::MAX)
}

/// Parses the kernel's table (proc_pid_net(5)): interface, destination, ..., mask as the eighth column, addresses as
/// hexadecimal numbers in the machine's byte order. The default route has no network of its own.
pub(super) fn routes(table: &str) -> Vec<Route> {
    let address = |text: &str| Some(Ipv4Addr::from(u32::from_str_radix(text, 16).ok()?.to_ne_bytes()));
    let route = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let network = Ipv4Net::with_netmask(address(columns.get(1)?)?, address(columns.get(7)?)?).ok()?;
        (network.prefix_len() > 0).then(|| Route { interface: columns[0].to_owned(), network })
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// Places that Hearth has to write to but cannot. Without a cluster's name, checks the directory of all clusters.
fn unwritable(cluster: &str, kubeconfig: Option<&Path>) -> Vec<Unwritable> {
    const STATE: &str = "set XDG_STATE_HOME to a directory that can be written";
    let mut found = Vec::new();
    match State::of(if cluster.is_empty() { "any" } else { cluster }) {
        Err(error) => found.push(Unwritable { path: "~/.local/state/hearth".into(), why: error.to_string(), instead: STATE }),
        Ok(state) => {
            let directory = if cluster.is_empty() { state.root().parent().unwrap_or(state.root()) } else { state.root() };
            let refused = refusal(directory).map(|error| error.to_string());
            found.extend(refused.map(|why| Unwritable { path: directory.to_owned(), why, instead: STATE }));
        }
    }
    // the file is replaced by a new one, so its directory has to be writable
    if let Some((path, error)) = kubeconfig.and_then(|path| Some((path, refusal(path.parent()?)?))) {
        let instead = "pass another file to --kubeconfig, or leave it out";
        found.push(Unwritable { path: path.to_owned(), why: error.to_string(), instead });
    }
    found
}

/// Why a directory cannot be written to or made; none if it can.
pub(super) fn refusal(directory: &Path) -> Option<io::Error> {
    let relative = Path::new(".");
    let nearest = directory.ancestors().find(|path| fs::symlink_metadata(path).is_ok()).unwrap_or(relative);
    if !nearest.is_dir() {
        return Some(io::ErrorKind::NotADirectory.into());
    }
    // this way even root gets the error of a read-only file system; the file has no name and is gone once closed
    match open(nearest, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR) {
        // the file system does not support unnamed files
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            if let Err(error) = access(nearest, Access::WRITE_OK | Access::EXEC_OK) {
                return Some(error.into());
            }
        }
        Err(error) => return Some(error.into()),
        Ok(_) => {}
    }
    let free = statvfs(nearest).map_or(u64::MAX, |space| space.f_bavail * space.f_frsize);
    (free < ROOM).then(|| io::Error::other(format!("only {} KiB are free", free / 1024)))
}
