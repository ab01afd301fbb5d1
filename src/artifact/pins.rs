//! What Hearth installs, exactly: images by tag, files by digest. One place to read, one place to upgrade.

use crate::profile::Role;

/// An image of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagePin {
    /// The name templates use: `images.<name>`.
    pub name: &'static str,
    /// Reference with registry and tag.
    pub reference: &'static str,
}

/// A file from upstream, used unmodified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePin {
    /// Its name in a bundle's `manifests/`.
    pub name: &'static str,
    /// Where upstream publishes it.
    pub url: &'static str,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: &'static str,
}

/// A constant for every image, and a list of them all.
macro_rules! images {
    ($($(#[$about:meta])* $pin:ident = $name:literal, $reference:literal;)*) => {
        $($(#[$about])* pub const $pin: ImagePin = ImagePin { name: $name, reference: $reference };)*

        /// Every image of the components. The WAS image is not among them, since Hearth builds it.
        pub const IMAGES: &[ImagePin] = &[$($pin),*];
    };
}

images! {
    /// MetalLB's controller.
    METALLB_CONTROLLER = "metallb_controller", "quay.io/metallb/controller:v0.16.1";
    /// MetalLB's speaker.
    METALLB_SPEAKER = "metallb_speaker", "quay.io/metallb/speaker:v0.16.1";
    /// istiod.
    ISTIO_PILOT = "istio_pilot", "docker.io/istio/pilot:1.31.1";
    /// Sidecars and the gateway.
    ISTIO_PROXY = "istio_proxy", "docker.io/istio/proxyv2:1.31.1";
    /// The web tier.
    NGINX = "nginx", "docker.io/library/nginx:1.26";
    /// The database.
    MYSQL = "mysql", "docker.io/library/mysql:9.7";
    /// Provisioner of the default storage class.
    LOCAL_PATH = "local_path", "docker.io/rancher/local-path-provisioner:v0.0.30";
    /// The tools with which the provisioner creates and removes directories.
    BUSYBOX = "busybox", "docker.io/library/busybox:1.37";
    /// The metrics API.
    METRICS_SERVER = "metrics_server", "registry.k8s.io/metrics-server/metrics-server:v0.9.0";
    /// The controller of ingress-nginx.
    INGRESS_NGINX = "ingress_nginx", "registry.k8s.io/ingress-nginx/controller:v1.11.0";
}

/// The images that Kubernetes itself runs on a node, in the order they are needed. The versions that kubeadm chooses are known
/// for some Kubernetes versions only (kubeadm `app/constants`); for others, nodes fetch those images when they need them.
pub fn kubernetes_images(version: &str, role: Role) -> Vec<String> {
    let own = |name: &str| format!("registry.k8s.io/{name}:{version}");
    let decided = minor(version) == Some(36);
    let mut images = vec![pause(version)];
    if role == Role::ControlPlane {
        images.extend(decided.then(|| "registry.k8s.io/etcd:3.6.8-0".to_owned()));
        images.extend(["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(own));
    }
    images.push(own("kube-proxy"));
    images.extend(decided.then(|| "registry.k8s.io/coredns/coredns:v1.14.2".to_owned()));
    images
}

/// The second number of a version of Kubernetes, 36 in `v1.36.4`; none if it has another form.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("v1.")?.split('.').next()?.parse().ok()
}

/// The image that holds a pod's network namespace.
pub fn pause(version: &str) -> String {
    let tag = if minor(version) == Some(36) { "3.10.2" } else { "3.10.1" };
    format!("registry.k8s.io/pause:{tag}")
}

/// Istio's custom resource definitions.
pub const ISTIO_CRDS: FilePin = FilePin {
    name: "istio-crds.yaml",
    url: "https://raw.githubusercontent.com/istio/istio/1.31.1/manifests/charts/base/files/crd-all.gen.yaml",
    sha256: "c0ad59e008658765412badb836e73a523a355e3d792a32ad3c0711a728be5aff",
};
/// MetalLB without FRR.
pub const METALLB_NATIVE: FilePin = FilePin {
    name: "metallb-native.yaml",
    url: "https://raw.githubusercontent.com/metallb/metallb/v0.16.1/config/manifests/metallb-native.yaml",
    sha256: "bf25feebb7582ca7df845efd52ffbc2960d6cbf4cfc972f47fded9f788b67f0b",
};

/// Every file of the catalogue.
pub const FILES: [FilePin; 2] = [ISTIO_CRDS, METALLB_NATIVE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_kubeadm_chooses_are_known_for_one_minor_version() {
        let etcd = |version: &str| kubernetes_images(version, Role::ControlPlane).iter().any(|image| image.contains("/etcd:"));
        assert_eq!(["v1.36.0", "v1.36.12", "v1.35.3", "v1.37.0", "v1.3.36"].map(etcd), [true, true, false, false, false]);
        assert_ne!(pause("v1.36.4"), pause("v1.35.4"));
    }
}
