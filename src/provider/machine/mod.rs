//! Bare machines: what is on them, how one becomes a node, and how it becomes the plain host again that it was.
//!
//! [`stock`] is taken before anything changes and held against the host after [`clean`]; [`facts`] is what preflight
//! looks at; [`install`] is what makes a node; [`lease`] keeps two runs apart. All of it works through [`Node`]; [`Machines`]
//! puts it together.

pub mod clean;
mod error;
pub mod facts;
pub mod images;
pub mod install;
pub mod lease;
mod leases;
mod provider;
pub mod stock;

use std::time::Duration;

pub use error::MachineError;
pub use leases::Leases;
pub use provider::{Looks, Machines, api_server, endpoint};

use super::{Command, FileSpec, Node, NodeError};
use crate::profile::AddressRange;

/// Where a host keeps what Hearth knows of it: its cluster, its stock, the programs that were installed.
pub const HOME: &str = "/var/lib/hearth";
/// Names the cluster a host belongs to.
const CLUSTER: &str = "/var/lib/hearth/cluster";
/// The address pool planned for the cluster, on its control plane.
const POOL: &str = "/var/lib/hearth/pool";

/// The cluster a host belongs to, if Hearth made it part of one.
pub async fn cluster(node: &impl Node) -> Result<Option<String>, NodeError> {
    let name = read(node, CLUSTER).await?;
    Ok(Some(name.trim().to_owned()).filter(|name| !name.is_empty()))
}

/// Marks the host as part of a cluster.
pub async fn join(node: &impl Node, cluster: &str) -> Result<(), NodeError> {
    node.put(vec![file(CLUSTER, format!("{cluster}\n"))]).await
}

/// The address pool recorded on a control plane.
async fn pool(node: &impl Node) -> Result<Option<AddressRange>, NodeError> {
    Ok(read(node, POOL).await?.parse().ok())
}

/// Records the address pool.
async fn keep_pool(node: &impl Node, pool: AddressRange) -> Result<(), NodeError> {
    node.put(vec![file(POOL, format!("{pool}\n"))]).await
}

/// A file's text; empty if there is none.
async fn read(node: &impl Node, path: &str) -> Result<String, NodeError> {
    Ok(node.run(Command::shell(format!("cat {path} 2>/dev/null || true"))).await?.text())
}

/// A file that only root reads.
fn file(path: &str, text: String) -> FileSpec {
    FileSpec { path: path.to_owned(), bytes: text.into_bytes(), mode: 0o600 }
}

/// One of the scripts beside this file, with its arguments. It travels as standard input: nothing is left on the host.
fn script<'a>(text: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let argv = ["sh", "-s"].into_iter().chain(arguments).map(str::to_owned);
    Command::new(argv).stdin(text).timeout(Duration::from_secs(60))
}
