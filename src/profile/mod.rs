//! The profile: what the user wants.
//!
//! In: files, standard input and `--set` values. Out: the resolved, valid types below, which are all that later rooms see, or
//! every problem with its place. Nothing is touched but the copy that is kept for later verbs.

pub mod components;
mod docker;
mod foreign;
mod kept;
mod nodes;
mod provider;
mod range;
mod resolve;
pub mod schema;
mod ssh;
#[cfg(test)]
mod tests;
mod validate;
mod values;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

pub use components::{Components, Gateway, Istio, Metallb, Mysql, Pool, Telemetry, Vip, Was, Web, Workloads};
pub use docker::DockerNodes;
pub use kept::{Kept, KeptError};
pub use nodes::{NodeSpec, Nodes};
pub use provider::Provider;
pub use ssh::{Host, HostKeys, Jump, SshHosts};

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Explain, Family, Result};
use crate::input::{Layer, Unreadable, load_with, read_file, schema_of};

/// Where a profile is read from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Text that was read from standard input.
    Stdin(String),
}

/// A profile could not be read at all; problems inside a profile are [`crate::input::Problems`].
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No cluster can have that name.
    #[error("{message}")]
    Name {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// No source was named.
    #[error("no profile was given")]
    NoSource,
    /// A file of another program.
    #[error("{file} is a configuration of {program}, not a profile of Hearth")]
    Foreign {
        /// The file's name.
        file: String,
        /// The other program.
        program: &'static str,
        /// How to write the same for Hearth.
        hint: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Explain for ProfileError {
    fn family(&self) -> Family {
        Family::Profile
    }

    fn hint(&self) -> Option<String> {
        match self {
            ProfileError::Name { hint, .. } => hint.clone(),
            ProfileError::Foreign { hint, .. } => Some(hint.clone()),
            ProfileError::Unreadable(file) if file.hint().is_some() => file.hint(),
            _ => Some("name one with --file, or write one with `hearth init`".to_owned()),
        }
    }
}

/// Reads a profile: sources are merged in order (later ones win, a written `null` removes a key), then overrides `a.b=value`
/// are applied, then defaults. Nothing but the files is looked at.
///
/// # Errors
/// [`ProfileError`], or all [`crate::input::Problems`] of structure and values.
pub fn load(sources: &[Source], overrides: &[String]) -> Result<Profile> {
    if sources.is_empty() {
        return Err(ProfileError::NoSource.into());
    }
    let layers = sources.iter().map(read).collect::<Result<Vec<_>, ProfileError>>()?;
    layers.iter().try_for_each(foreign::refuse)?;
    Ok(load_with(&layers, overrides, resolve::resolve)?)
}

fn read(source: &Source) -> Result<Layer, ProfileError> {
    Ok(match source {
        Source::Stdin(text) => Layer { name: "<stdin>".to_owned(), text: text.clone() },
        Source::File(path) => Layer { name: path.display().to_string(), text: read_file("profile", path)? },
    })
}

/// The JSON schema of a profile, for editors.
pub fn json_schema() -> serde_json::Value {
    schema_of::<schema::ClusterProfile>()
}

/// A valid profile: every default filled in, every value checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The cluster's name: lower-case letters, digits, `-` and `.`; at most 50 characters.
    pub name: String,
    /// Its version and subnets.
    pub kubernetes: Kubernetes,
    /// Where nodes come from.
    pub provider: Provider,
    /// Whether the control plane runs pods, if the profile states it; see [`Profile::control_plane_runs_pods`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedulable: Option<bool>,
    /// Pod network.
    pub cni: Cni,
    /// What gets installed.
    pub components: Components,
}

/// Kubernetes version and subnets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubernetes {
    /// With the leading `v`, for example `v1.36.4`.
    pub version: String,
    /// Addresses of pods; every node gets a /24 of it.
    pub pod_subnet: Ipv4Net,
    /// Addresses of services.
    pub service_subnet: Ipv4Net,
}

/// A node's part in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs etcd and the API server.
    ControlPlane,
    /// Runs pods.
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::ControlPlane => "control-plane",
            Role::Worker => "worker",
        })
    }
}

/// Pod network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cni {
    /// Each node's podCIDR with the ptp plugin, static routes between nodes; no daemon.
    Routed,
    /// The user brings one.
    None,
}

/// An IPv4 range, both ends included. Written as `192.168.1.200-192.168.1.220`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address, not below the first.
    pub last: Ipv4Addr,
}
