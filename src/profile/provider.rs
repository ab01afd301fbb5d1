//! Where nodes come from: everything a profile states about its provider.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NodeSpec, Nodes, Role};

/// Where nodes come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Provider {
    /// Containers on the local Docker engine, compatible with kind.
    Docker(DockerNodes),
    /// Bare machines over SSH.
    Ssh(SshHosts),
}

impl Provider {
    /// The nodes of a cluster named `cluster`.
    pub(super) fn nodes(&self, cluster: &str) -> Nodes {
        match self {
            Provider::Docker(nodes) => Nodes::of_kind(cluster, nodes.workers),
            Provider::Ssh(hosts) => {
                Nodes::of(hosts.hosts.iter().map(|host| NodeSpec { name: host.name.clone(), role: host.role }).collect())
            }
        }
    }

    /// The provider's name, as profiles write it.
    pub fn name(&self) -> &'static str {
        match self {
            Provider::Docker(_) => "docker",
            Provider::Ssh(_) => "ssh",
        }
    }

    /// The image that nodes start from; none for machines.
    pub fn node_image(&self) -> Option<&str> {
        match self {
            Provider::Docker(nodes) => Some(&nodes.image),
            Provider::Ssh(_) => None,
        }
    }

    /// Whether its nodes bring a default storage class, as kind's images do.
    pub fn brings_storage_class(&self) -> bool {
        match self {
            Provider::Docker(_) => true,
            Provider::Ssh(_) => false,
        }
    }
}

/// Nodes as containers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerNodes {
    /// Image of every node, by tag or digest; default `kindest/node:<version>`.
    pub image: String,
    /// Number of workers.
    pub workers: u32,
    /// Host port of the API server on 127.0.0.1; without one, a free port is chosen.
    pub api_port: Option<u16>,
    /// Whether the engine keeps a node image with the components' images inside, for faster starts of later clusters.
    pub keep_node_image: bool,
}

/// Bare machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SshHosts {
    /// Login name.
    pub user: String,
    /// SSH port.
    pub port: u16,
    /// Private key; without one, the agent's keys are used.
    pub identity_file: Option<String>,
    /// How host keys are verified.
    pub host_keys: HostKeys,
    /// The host through which all others are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<Jump>,
    /// The machines, control plane first.
    pub hosts: Vec<Host>,
}

/// A host in front of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Jump {
    /// IPv4 address.
    pub address: Ipv4Addr,
    /// SSH port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// `SHA256:...` fingerprint, with `hostKeys: pinned`.
    pub host_key: Option<String>,
}

/// How host keys are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostKeys {
    /// The host must be in the user's known_hosts.
    Strict,
    /// Each host's fingerprint is in the profile.
    Pinned,
    /// Trust on first use, in a known_hosts file for this cluster only.
    Tofu,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// Node name.
    pub name: String,
    /// IPv4 address.
    pub address: Ipv4Addr,
    /// Its part in the cluster.
    pub role: Role,
    /// `SHA256:...` fingerprint, with `hostKeys: pinned`.
    pub host_key: Option<String>,
}

impl DockerNodes {
    /// The image that kind publishes for a version of Kubernetes.
    pub fn default_image(version: &str) -> String {
        format!("kindest/node:{version}")
    }
}
