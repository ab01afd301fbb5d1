//! metrics-server: CPU and memory of nodes and pods, for `kubectl top` and autoscalers.
//!
//! The API server verifies it by a certificate of its own. It cannot verify the kubelets in turn: their serving certificates
//! are self-signed, as kubeadm leaves them. So upstream's `--kubelet-insecure-tls` stays; an impostor on the nodes' network
//! would get a token that reads metrics.

use super::manifest::{Kind, Turn};
use super::secrets::{SecretSpec, serving_certificate};
use super::{Component, Image, On, Part, PartId, Ready};
use crate::artifact::pins;
use crate::profile::Profile;

/// The server, and the API it serves.
pub const SERVER: PartId = PartId("metrics-server/server");

/// The component.
pub const COMPONENT: Component = Component {
    secrets: &[SecretSpec {
        namespace: "kube-system",
        name: "metrics-server",
        keys: &[("tls.crt", "metrics_server_certificate"), ("tls.key", "metrics_server_key")],
        make: || serving_certificate("metrics-server.kube-system.svc"),
    }],
    memory: |_| 64 << 20,
    kinds: &[Kind::cluster("apiregistration.k8s.io/v1", "APIService", "apiservices", Turn::Custom)],
    ..Component::new("metrics-server", parts)
};

fn parts(profile: &Profile) -> Vec<Part> {
    if profile.components.metrics_server.is_none() {
        return Vec::new();
    }
    let part = Part::templates(SERVER, &["metrics-server/server.yaml"])
        .runs([Image::pinned(pins::METRICS_SERVER, On::Workers)])
        .ready([Ready::Rollout, Ready::Condition { kind: "APIService", condition: "Available" }]);
    vec![part.late()]
}
