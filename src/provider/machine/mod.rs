//! Bare machines: what is on them, how one becomes a node, and how it becomes the plain host again that it was.
//!
//! [`places`] is the one list of what is written; [`claim`] makes a host the cluster's before anything changes, with the
//! [`stock`] of what was there; [`clean`] undoes it all and takes stock again; [`facts`] is what preflight looks at;
//! [`install`] and [`programs`] are what makes a node; [`lease`] keeps two runs apart; `lacking` finds what cannot be obtained,
//! `neighbours` who has which address.
//! All of it works through [`Node`]; [`Machines`] puts it together.

pub mod claim;
pub mod clean;
mod error;
pub mod facts;
pub mod images;
pub mod install;
mod lacking;
pub mod lease;
mod leases;
mod neighbours;
mod places;
pub mod programs;
mod provider;
pub mod stock;

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::{Command, FileSpec, Node, NodeError};

pub use claim::{claim, cluster};
pub use error::MachineError;
pub use leases::{Leases, Lost};
pub use places::HOME;
pub use provider::{Looks, Machines, api_server, endpoint};

/// Shell functions shared by the scripts, which find what on a host belongs to the cluster.
const OWN: &str = include_str!("own.sh");

/// A file's text; empty if the file does not exist.
async fn read(node: &impl Node, path: &str) -> Result<String, NodeError> {
    let output = node.run(Command::shell(format!("[ ! -e {path} ] || cat {path}"))).await?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A file that only root can read.
fn file(path: &str, text: String) -> FileSpec {
    FileSpec { path: path.to_owned(), bytes: text.into_bytes(), mode: 0o600 }
}

/// One of the scripts beside this file, with its arguments. It is passed as standard input: nothing is left on the host.
fn script<'a>(text: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let argv = ["sh", "-s"].into_iter().chain(arguments).map(str::to_owned);
    Command::new(argv).stdin(text).timeout(Duration::from_secs(60))
}

/// The pod subnet and the addresses of nodes, in the form the scripts take.
fn network_arguments(pod_subnet: Ipv4Net, peers: &[Ipv4Addr]) -> Vec<String> {
    std::iter::once(pod_subnet.to_string()).chain(peers.iter().map(Ipv4Addr::to_string)).collect()
}
