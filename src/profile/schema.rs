//! The profile as it is written: every field is documented, because the docs become the JSON schema that editors show. Defaults
//! are in the schema for readers; `resolve` fills them in.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Cni, Components, HostKeys, Role};
use crate::input::ApiVersion;

/// Default of `spec.kubernetes.version`.
pub const VERSION: &str = "v1.36.4";
/// Default of `spec.kubernetes.podSubnet`.
pub const POD_SUBNET: &str = "10.244.0.0/16";
/// Default of `spec.kubernetes.serviceSubnet`.
pub const SERVICE_SUBNET: &str = "10.96.0.0/16";
/// Default number of Docker workers.
pub const WORKERS: u32 = 2;
/// Default SSH port.
pub const SSH_PORT: u16 = 22;

/// What the user wants: one cluster, its nodes, and what runs on it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Hearth cluster profile", extend("$id" = "https://hearth.dev/schema/v1alpha1/profile.json"))]
pub struct ClusterProfile {
    /// Version of this format.
    #[allow(dead_code)] // checked against the schema; there is only one
    pub api_version: ApiVersion,
    /// Kind of this document.
    #[allow(dead_code)] // checked against the schema; there is only one
    pub kind: Kind,
    /// Names the cluster.
    pub metadata: Metadata,
    /// What it is made of.
    pub spec: Spec,
}

/// Kind of this document.
#[derive(Debug, Deserialize, JsonSchema)]
pub enum Kind {
    /// A profile of one cluster.
    ClusterProfile,
}

/// Names the cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name of the cluster: lower-case letters, digits, `-` and `.`, at most 50 characters. Node names begin with it.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9.-]*$"), length(max = 50))]
    pub name: String,
}

/// What the cluster is made of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Kubernetes itself.
    pub kubernetes: Option<Kubernetes>,
    /// Where nodes come from: `docker` or `ssh`.
    pub provider: Provider,
    /// The node that runs etcd and the API server.
    pub control_plane: Option<ControlPlane>,
    /// How pods of different nodes reach each other.
    pub network: Option<Network>,
    /// What gets installed; a component that is not mentioned is not installed, `{}` installs it with its defaults.
    pub components: Option<Components>,
}

/// Kubernetes itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubernetes {
    /// Version with its patch number, v1.34 to v1.37.
    #[schemars(regex(pattern = r"^v1\.3[4-7]\.(0|[1-9][0-9]*)$"), extend("default" = VERSION))]
    pub version: Option<String>,
    /// Addresses of pods; every node gets a /24 of it.
    #[schemars(regex(pattern = r"^[0-9.]+/[0-9]+$"), extend("default" = POD_SUBNET))]
    pub pod_subnet: Option<String>,
    /// Addresses of services.
    #[schemars(regex(pattern = r"^[0-9.]+/[0-9]+$"), extend("default" = SERVICE_SUBNET))]
    pub service_subnet: Option<String>,
}

/// Where nodes come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Provider {
    /// Containers on the local Docker engine, compatible with kind.
    Docker(Docker),
    /// Bare machines over SSH.
    Ssh(Ssh),
}

/// Containers on the local Docker engine, compatible with kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Docker {
    /// Image of every node, by tag or digest; default `kindest/node:<version>`.
    pub image: Option<String>,
    /// How many nodes.
    pub nodes: Option<Nodes>,
    /// Port of the API server on 127.0.0.1; default: one that is free.
    #[schemars(range(min = 1, max = 65535))]
    pub api_port: Option<u16>,
    /// Whether the engine keeps a node image with the components' images inside, for faster starts of later clusters.
    #[schemars(extend("default" = true))]
    pub keep_node_image: Option<bool>,
}

/// How many nodes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nodes {
    /// Number of control-plane nodes; only 1 for now.
    #[schemars(extend("default" = 1))]
    pub control_planes: Option<u32>,
    /// Number of workers; with 0 the control plane runs the pods.
    #[schemars(range(min = 0, max = 20), extend("default" = WORKERS))]
    pub workers: Option<u32>,
}

/// Bare machines over SSH.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ssh {
    /// Login name: root, or a user who may use sudo without a password.
    pub user: String,
    /// SSH port of every host.
    #[schemars(range(min = 1, max = 65535), extend("default" = SSH_PORT))]
    pub port: Option<u16>,
    /// Private key, `~` is the home folder; default: the SSH agent is asked.
    pub identity_file: Option<String>,
    /// How host keys are verified: `pinned` by the fingerprints below, `strict` by the user's known_hosts, `tofu` by
    /// trust on first use.
    #[schemars(extend("default" = "pinned"))]
    pub host_keys: Option<HostKeys>,
    /// A host that stands in front of the machines: each is connected to through it.
    pub jump: Option<Jump>,
    /// The machines; exactly one of them is the control plane.
    #[schemars(length(min = 1, max = 100))]
    pub hosts: Vec<Host>,
}

/// A host that stands in front of the machines. It forwards connections (sshd's `AllowTcpForwarding`) and runs nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jump {
    /// IPv4 address.
    #[schemars(extend("format" = "ipv4"))]
    pub address: String,
    /// SSH port; default 22, whatever the machines' is.
    #[schemars(range(min = 1, max = 65535), extend("default" = SSH_PORT))]
    pub port: Option<u16>,
    /// Login name; default: the machines'.
    pub user: Option<String>,
    /// Fingerprint as `ssh-keygen -l` prints it; needed with `hostKeys: pinned`.
    #[schemars(regex(pattern = r"^SHA256:[A-Za-z0-9+/]{43}$"))]
    pub host_key: Option<String>,
}

/// One machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// Node name.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"), length(max = 63))]
    pub name: String,
    /// IPv4 address that the other hosts reach it by.
    #[schemars(extend("format" = "ipv4"))]
    pub address: String,
    /// What it becomes.
    pub role: Role,
    /// Fingerprint as `ssh-keygen -l` prints it; needed with `hostKeys: pinned`.
    #[schemars(regex(pattern = r"^SHA256:[A-Za-z0-9+/]{43}$"))]
    pub host_key: Option<String>,
}

/// The node that runs etcd and the API server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlane {
    /// Whether it runs pods too; default: only where there is no worker.
    pub schedulable: Option<bool>,
}

/// How pods of different nodes reach each other.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// `routed`: a static route per node, no daemon, all nodes on one network segment; `none`: bring your own.
    #[schemars(extend("default" = "routed"))]
    pub cni: Option<Cni>,
}
