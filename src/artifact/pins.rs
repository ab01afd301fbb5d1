//! What Hearth installs, exactly: images by tag, files by digest. One place to read, one place to upgrade.

use crate::profile::Role;

/// An image of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagePin {
    /// The component it belongs to: `metallb`, `istio`, `workloads` or `storage`.
    pub component: &'static str,
    /// Reference with registry and tag.
    pub reference: &'static str,
}

/// A file of upstream's, used unmodified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePin {
    /// Its name in a bundle's `manifests/`.
    pub name: &'static str,
    /// Where it is published.
    pub url: &'static str,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: &'static str,
}

/// MetalLB's controller.
pub const METALLB_CONTROLLER: ImagePin = ImagePin { component: "metallb", reference: "quay.io/metallb/controller:v0.16.1" };
/// MetalLB's speaker.
pub const METALLB_SPEAKER: ImagePin = ImagePin { component: "metallb", reference: "quay.io/metallb/speaker:v0.16.1" };
/// istiod.
pub const ISTIO_PILOT: ImagePin = ImagePin { component: "istio", reference: "docker.io/istio/pilot:1.31.1" };
/// Sidecars and the gateway.
pub const ISTIO_PROXY: ImagePin = ImagePin { component: "istio", reference: "docker.io/istio/proxyv2:1.31.1" };
/// Web.
pub const NGINX: ImagePin = ImagePin { component: "workloads", reference: "docker.io/library/nginx:1.26" };
/// MySQL.
pub const MYSQL: ImagePin = ImagePin { component: "workloads", reference: "docker.io/library/mysql:9.7" };
/// Provisioner of the default storage class.
pub const LOCAL_PATH: ImagePin = ImagePin { component: "storage", reference: "docker.io/rancher/local-path-provisioner:v0.0.30" };
/// What the provisioner makes and removes directories with.
pub const BUSYBOX: ImagePin = ImagePin { component: "storage", reference: "docker.io/library/busybox:1.37" };

/// Every image of the catalogue; the WAS image is not among them, Hearth makes it.
pub const IMAGES: [ImagePin; 8] =
    [METALLB_CONTROLLER, METALLB_SPEAKER, ISTIO_PILOT, ISTIO_PROXY, NGINX, MYSQL, LOCAL_PATH, BUSYBOX];

/// The images that Kubernetes itself runs on a node, in the order of their need. Those whose version kubeadm decides are
/// known for some Kubernetes versions only (kubeadm `app/constants`); for others nodes fetch them when they need them.
pub fn kubernetes_images(version: &str, role: Role) -> Vec<String> {
    let own = |name: &str| format!("registry.k8s.io/{name}:{version}");
    let decided = version.starts_with("v1.36.");
    let mut images = vec![pause(version)];
    if role == Role::ControlPlane {
        images.extend(decided.then(|| "registry.k8s.io/etcd:3.6.8-0".to_owned()));
        images.extend(["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(own));
    }
    images.push(own("kube-proxy"));
    images.extend(decided.then(|| "registry.k8s.io/coredns/coredns:v1.14.2".to_owned()));
    images
}

/// The image that holds a pod's network namespace.
pub fn pause(version: &str) -> String {
    let tag = if version.starts_with("v1.36.") { "3.10.2" } else { "3.10.1" };
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

/// The images of one component, in the catalogue's order.
pub fn images(component: &str) -> impl Iterator<Item = ImagePin> {
    IMAGES.into_iter().filter(move |pin| pin.component == component)
}
