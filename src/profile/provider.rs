//! Where nodes come from: one of the providers, each in a file of its own.

use serde::{Deserialize, Serialize};

use super::resolve::Findings;
use super::{DockerNodes, Host, NodeSpec, Nodes, Profile, SshHosts, docker, schema, ssh};

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
    /// From the profile as written; `version` is that of Kubernetes.
    pub(super) fn resolve(written: &schema::Provider, version: &str, findings: &mut Findings) -> Self {
        match written {
            schema::Provider::Docker(docker) => Provider::Docker(DockerNodes::resolve(docker, version, findings)),
            schema::Provider::Ssh(ssh) => Provider::Ssh(SshHosts::resolve(ssh, findings)),
        }
    }

    /// Reports everything that is wrong between its values and those of its profile.
    pub(super) fn validate(&self, profile: &Profile, findings: &mut Findings) {
        match self {
            Provider::Docker(nodes) => nodes.validate(profile, findings),
            Provider::Ssh(hosts) => hosts.validate(findings),
        }
    }

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

    /// The path of what says how many nodes there are.
    pub(super) fn nodes_path(&self) -> &'static str {
        match self {
            Provider::Docker(_) => docker::WORKERS,
            Provider::Ssh(_) => ssh::HOSTS,
        }
    }

    /// Its machines, control plane first; none for containers.
    pub fn hosts(&self) -> &[Host] {
        match self {
            Provider::Docker(_) => &[],
            Provider::Ssh(hosts) => &hosts.hosts,
        }
    }

    /// The login name on its machines; containers have none but root.
    pub fn login(&self) -> &str {
        match self {
            Provider::Docker(_) => "root",
            Provider::Ssh(hosts) => &hosts.user,
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
