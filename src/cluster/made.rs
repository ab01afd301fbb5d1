//! What a control plane was made with, read from its static pod manifests: no later `up` can change it.

use std::fmt::Display;

use serde_json::Value;

use crate::error::Result;
use crate::look::Look;
use crate::profile::Kubernetes;
use crate::provider::{FileSpec, Node, files};

/// The API server's manifest: version and service subnet.
const API_SERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
/// The controller manager's: pod subnet.
const CONTROLLER_MANAGER: &str = "/etc/kubernetes/manifests/kube-controller-manager.yaml";

/// Values of a running control plane; none where it does not have the value yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// Kubernetes' version, with the leading `v`.
    pub version: Option<String>,
    /// Addresses of pods.
    pub pod_subnet: Option<String>,
    /// Addresses of services.
    pub service_subnet: Option<String>,
}

impl Made {
    /// Reads the manifests of a control plane.
    ///
    /// # Errors
    /// One of the manifests exists but cannot be read, or may exist.
    pub async fn look(control_plane: &impl Node) -> Result<Made> {
        let mut looks = files::read(control_plane, &[API_SERVER, CONTROLLER_MANAGER]).await?.into_iter();
        let mut next = || looks.next().unwrap_or(Look::Absent);
        Made::read(next(), next())
    }

    fn read(api_server: Look<FileSpec>, controller_manager: Look<FileSpec>) -> Result<Made> {
        let (api, manager) = (container(api_server)?, container(controller_manager)?);
        let version = |image: &str| Some(image.rsplit_once(':')?.1.to_owned());
        Ok(Made {
            version: api["image"].as_str().and_then(version),
            pod_subnet: argument(&manager, "--cluster-cidr="),
            service_subnet: argument(&api, "--service-cluster-ip-range="),
        })
    }

    /// What a profile wants changed, one line each.
    pub fn differences(&self, wanted: &Kubernetes) -> Vec<String> {
        let pairs: [(&str, &Option<String>, &dyn Display); 3] = [
            ("spec.kubernetes.version", &self.version, &wanted.version),
            ("spec.kubernetes.podSubnet", &self.pod_subnet, &wanted.pod_subnet),
            ("spec.kubernetes.serviceSubnet", &self.service_subnet, &wanted.service_subnet),
        ];
        let differs = |(field, has, wants): (&str, &Option<String>, &dyn Display)| difference(field, has.as_ref()?, wants);
        pairs.into_iter().filter_map(differs).collect()
    }
}

/// A value that the cluster has and the profile wants otherwise, in words; none if they are the same.
pub fn difference(field: &str, has: &dyn Display, wants: &dyn Display) -> Option<String> {
    let (has, wants) = (has.to_string(), wants.to_string());
    (has != wants).then(|| format!("{field}: the cluster has {has}, the profile says {wants}"))
}

/// The one container of a static pod.
fn container(manifest: Look<FileSpec>) -> Result<Value> {
    let Some(FileSpec { bytes, .. }) = manifest.known()? else { return Ok(Value::Null) };
    let pod = crate::yaml::documents(&String::from_utf8_lossy(&bytes))?.into_iter().next().unwrap_or_default();
    Ok(pod.pointer("/spec/containers/0").cloned().unwrap_or_default())
}

fn argument(container: &Value, name: &str) -> Option<String> {
    let words = container["command"].as_array()?.iter().filter_map(Value::as_str);
    words.filter_map(|word| word.strip_prefix(name)).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn manifest(image: &str, argument: &str) -> Look<FileSpec> {
        let text = format!("spec:\n  containers:\n  - command:\n    - x\n    - {argument}\n    image: {image}\n");
        Look::Present(FileSpec { path: API_SERVER.into(), bytes: text.into_bytes(), mode: 0o600 })
    }

    fn kubernetes(version: &str) -> Kubernetes {
        Kubernetes { version: version.into(), ..Profile::of_name("q").unwrap().kubernetes }
    }

    #[test]
    fn every_value_that_differs_is_named_at_once() {
        let made = Made::read(
            manifest("registry.k8s.io/kube-apiserver:v1.36.4", "--service-cluster-ip-range=10.97.0.0/16"),
            manifest("registry.k8s.io/kube-controller-manager:v1.36.4", "--cluster-cidr=10.200.0.0/16"),
        )
        .unwrap();
        insta::assert_snapshot!(made.differences(&kubernetes("v1.36.3")).join("\n"), @r"
        spec.kubernetes.version: the cluster has v1.36.4, the profile says v1.36.3
        spec.kubernetes.podSubnet: the cluster has 10.200.0.0/16, the profile says 10.244.0.0/16
        spec.kubernetes.serviceSubnet: the cluster has 10.97.0.0/16, the profile says 10.96.0.0/16
        ");
    }

    #[test]
    fn a_control_plane_that_has_not_run_holds_nothing_against_a_profile() {
        let made = Made::read(Look::Absent, Look::Absent).unwrap();
        assert_eq!(made, Made::default());
        assert!(made.differences(&kubernetes("v1.36.4")).is_empty());
        let broken = crate::provider::NodeError::Unreadable { node: "n1".into(), what: API_SERVER.into(), reason: "I/O".into() };
        assert!(Made::read(Look::Unknown(broken.into()), Look::Absent).is_err());
    }
}
