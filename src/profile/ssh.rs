//! Nodes as bare machines over SSH: what a profile states about them, how that is read, and what has to hold.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resolve::Findings;
use super::{Role, schema, values};

pub(super) const HOSTS: &str = "spec.provider.ssh.hosts";
const JUMP: &str = "spec.provider.ssh.jump";

/// The path of a field of the host at this place in the file.
pub(super) fn host_path(index: usize, field: &str) -> String {
    format!("{HOSTS}[{index}].{field}")
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

impl SshHosts {
    /// The hosts that belonged to the cluster and are no longer in the profile: they are to leave.
    pub fn leaving(&self, former: &[Host]) -> Vec<Host> {
        former.iter().filter(|host| self.hosts.iter().all(|known| known.name != host.name)).cloned().collect()
    }

    /// From the profile as written, hosts in its order.
    pub(super) fn resolve(written: &schema::Ssh, findings: &mut Findings) -> Self {
        if written.user.trim().is_empty() {
            findings.refuse("spec.provider.ssh.user", "no login name", None);
        }
        let mut hosts = Vec::new();
        for (index, host) in written.hosts.iter().enumerate() {
            let path = |field: &str| host_path(index, field);
            hosts.push(Host {
                name: findings.parse_text(&path("name"), &host.name, values::node_name),
                address: findings.parse(&path("address"), &host.address, Ipv4Addr::UNSPECIFIED, values::address),
                role: host.role,
                host_key: host.host_key.as_ref().map(|key| findings.parse_text(&path("hostKey"), key, values::fingerprint)),
            });
        }
        let jump = written.jump.as_ref().map(|jump| {
            let path = |field: &str| format!("{JUMP}.{field}");
            let user = jump.user.clone().unwrap_or_else(|| written.user.clone());
            if jump.user.is_some() && user.trim().is_empty() {
                findings.refuse(&path("user"), "no login name", None);
            }
            Jump {
                address: findings.parse(&path("address"), &jump.address, Ipv4Addr::UNSPECIFIED, values::address),
                port: jump.port.unwrap_or(schema::SSH_PORT),
                user,
                host_key: jump.host_key.as_ref().map(|key| findings.parse_text(&path("hostKey"), key, values::fingerprint)),
            }
        });
        SshHosts {
            user: written.user.clone(),
            port: written.port.unwrap_or(schema::SSH_PORT),
            identity_file: written.identity_file.clone(),
            host_keys: written.host_keys.unwrap_or(HostKeys::Pinned),
            jump,
            hosts,
        }
    }

    /// Every host is another one, one of them is the control plane, and each can be told from an impostor.
    pub(super) fn validate(&self, findings: &mut Findings) {
        for (index, host) in self.hosts.iter().enumerate() {
            let earlier = &self.hosts[..index];
            let twice = |at: usize| format!("hosts[{at}] ({}) has it too", earlier[at].name);
            if let Some(at) = earlier.iter().position(|other| other.name == host.name) {
                let message = format!("duplicate node name `{}`", host.name);
                findings.conflict(&[&host_path(index, "name"), &host_path(at, "name")], message, Some(&twice(at)));
            }
            if let Some(at) = earlier.iter().position(|other| other.address == host.address) {
                let message = format!("duplicate address {}", host.address);
                findings.conflict(&[&host_path(index, "address"), &host_path(at, "address")], message, Some(&twice(at)));
            }
            self.host_key(&host_path(index, "hostKey"), host.host_key.as_deref(), findings);
        }
        if let Some(jump) = &self.jump {
            self.host_key(&format!("{JUMP}.hostKey"), jump.host_key.as_deref(), findings);
            if let Some(at) = self.hosts.iter().position(|host| host.address == jump.address && self.port == jump.port) {
                let message = format!("{} is hosts[{at}] ({}) itself", jump.address, self.hosts[at].name);
                findings.conflict(&[&format!("{JUMP}.address"), &host_path(at, "address")], message, Some("remove jump"));
            }
        }
        let control_planes: Vec<usize> = (0..self.hosts.len()).filter(|at| self.hosts[*at].role == Role::ControlPlane).collect();
        match control_planes.as_slice() {
            [_] => {}
            [] => findings.refuse(HOSTS, "no host is the control plane", Some("give one of them role: control-plane")),
            [first, others @ ..] => {
                for at in others {
                    let message = "a second control plane; more than one comes in a later version";
                    let paths = [host_path(*at, "role"), host_path(*first, "role")];
                    findings.conflict(&paths.each_ref().map(String::as_str), message, Some("write role: worker"));
                }
            }
        }
    }

    /// Fingerprints belong to pinned host keys, for machines and the jump host alike.
    fn host_key(&self, path: &str, written: Option<&str>, findings: &mut Findings) {
        let paths = [path, "spec.provider.ssh.hostKeys"];
        match (self.host_keys, written) {
            (HostKeys::Pinned, None) => findings.conflict(
                &paths,
                "missing: with `hostKeys: pinned` every host needs its fingerprint",
                Some("on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"),
            ),
            (HostKeys::Strict | HostKeys::Tofu, Some(_)) => findings.conflict(
                &paths,
                "a fingerprint is only looked at with `hostKeys: pinned`",
                Some("remove it, or write hostKeys: pinned"),
            ),
            _ => {}
        }
    }
}
