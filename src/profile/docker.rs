//! Nodes as containers: what a profile states about them, how that is read, and what has to hold.

use serde::{Deserialize, Serialize};

use super::resolve::Findings;
use super::{Profile, schema};

/// The path of the number of workers.
pub(super) const WORKERS: &str = "spec.provider.docker.nodes.workers";

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

impl DockerNodes {
    /// The image that kind publishes for a version of Kubernetes.
    pub fn default_image(version: &str) -> String {
        format!("kindest/node:{version}")
    }

    /// From the profile as written; `version` is that of Kubernetes.
    pub(super) fn resolve(written: &schema::Docker, version: &str, findings: &mut Findings) -> Self {
        let nodes = written.nodes.as_ref();
        if let Some(count) = nodes.and_then(|nodes| nodes.control_planes).filter(|count| *count != 1) {
            let message = if count == 0 {
                "a cluster needs a control plane"
            } else {
                "more than one control plane comes in a later version"
            };
            findings.refuse("spec.provider.docker.nodes.controlPlanes", message, Some("write 1"));
        }
        if written.image.as_deref().is_some_and(|image| image.trim().is_empty() || image.contains(char::is_whitespace)) {
            findings.refuse(
                "spec.provider.docker.image",
                "not the name of an image",
                Some("leave it out for kindest/node of the version"),
            );
        }
        DockerNodes {
            image: written.image.clone().unwrap_or_else(|| DockerNodes::default_image(version)),
            workers: nodes.and_then(|nodes| nodes.workers).unwrap_or(schema::WORKERS),
            api_port: written.api_port,
            keep_node_image: written.keep_node_image.unwrap_or(true),
        }
    }

    /// kind's own images are tagged with the version they contain.
    pub(super) fn validate(&self, profile: &Profile, findings: &mut Findings) {
        let version = &profile.kubernetes.version;
        let tag = self.image.strip_prefix("kindest/node:").map(|tag| tag.split('@').next().unwrap_or(tag));
        if let Some(tag) = tag.filter(|tag| tag.starts_with('v') && tag != version) {
            findings.conflict(
                &["spec.provider.docker.image", "spec.kubernetes.version"],
                format!("the image holds Kubernetes {tag}, the profile wants {version}"),
                Some(&format!("write kindest/node:{version}, or set spec.kubernetes.version to {tag}")),
            );
        }
    }
}
