//! What Hearth can do, as data: every mutation is one of these.

use std::time::Duration;

use serde::Serialize;

use crate::components::PartId;
use crate::graph::{Class, Kind, StepLimits};
use crate::profile::Role;

/// A step's content. It carries all it needs to be understood; [`crate::steps`] knows how it is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum StepKind {
    /// The engine has every image.
    Images {
        /// Image references.
        images: Vec<String>,
    },
    /// The node image with the components' images inside.
    NodeImage {
        /// The node image it comes from.
        base: String,
        /// What goes into it.
        images: Vec<String>,
    },
    /// The image of the WAS server, packed out of this program.
    WasImage,
    /// The Docker network of the nodes.
    Network,
    /// A node that runs and takes commands.
    Node {
        /// Its name.
        node: String,
        /// Its part in the cluster.
        role: Role,
    },
    /// What a host has before anything of it is changed.
    Stock {
        /// The host.
        node: String,
    },
    /// Container runtime and Kubernetes on a host.
    Install {
        /// The host.
        node: String,
        /// Its part in the cluster.
        role: Role,
    },
    /// Images on a host, in the order of their need.
    HostImages {
        /// The host.
        node: String,
        /// Image references.
        images: Vec<String>,
    },
    /// Programs on a host that only people use.
    Tools {
        /// The host.
        node: String,
    },
    /// An image of the components in the container runtime of every node that may have to run it.
    LoadImage {
        /// Its reference; that of the WAS image is without its tag, which comes with packing.
        image: String,
    },
    /// Certificates, configuration and static pods of the control plane.
    ControlPlane {
        /// The control plane's name.
        node: String,
    },
    /// The API server answers.
    ApiServer,
    /// The Node object, with its share of the pod subnet.
    Register {
        /// Its name.
        node: String,
    },
    /// A node that the profile no longer asks for: its pods move, its Node object and the node itself go.
    Leave {
        /// Its name.
        node: String,
        /// Its part in the cluster.
        role: Role,
    },
    /// Routes and CNI configuration.
    PodNetwork {
        /// The node.
        node: String,
    },
    /// A worker's kubelet.
    Kubelet {
        /// The worker.
        node: String,
    },
    /// Controller manager, scheduler, kube-proxy and CoreDNS.
    ClusterServices,
    /// Service addresses lead to pods, on every node.
    ServiceNetwork,
    /// What kubeadm keeps in the cluster for later joins and upgrades.
    ClusterConfiguration,
    /// All nodes are Ready.
    NodesReady {
        /// Their names.
        nodes: Vec<String>,
    },
    /// The default storage class.
    Storage,
    /// A part of a component: its objects in the cluster.
    Apply {
        /// The part.
        part: PartId,
    },
    /// A part of a component works.
    Healthy {
        /// The part.
        part: PartId,
    },
    /// The application answers through the gateway's address.
    Gateway,
    /// DNS answers, and a pod on every node reaches a pod on every other.
    Connectivity,
    /// Objects that Hearth once wrote and the profile no longer asks for are gone.
    Prune,
    /// Everything works, and what is said of pods was said since their nodes started.
    Settled,
    /// The cluster's kubeconfig file.
    Kubeconfig,
}

impl Kind for StepKind {
    fn sentence(&self) -> String {
        match self {
            StepKind::Images { images } => format!("Have {} images in the Docker engine", images.len()),
            StepKind::NodeImage { base, images } => {
                format!("Keep node image `{base}` with {} images inside for the next start", images.len())
            }
            StepKind::WasImage => "Pack the WAS image".into(),
            StepKind::Network => "Create Docker network `kind`".into(),
            StepKind::Node { node, role } => format!("Start node `{node}` ({role})"),
            StepKind::Stock { node } => format!("Take stock of `{node}`"),
            StepKind::Install { node, role } => format!("Install container runtime and Kubernetes on `{node}` ({role})"),
            StepKind::HostImages { node, images } => format!("Copy {} images to `{node}`", images.len()),
            StepKind::Tools { node } => format!("Copy crictl and kubectl to `{node}`"),
            StepKind::LoadImage { image } => format!("Copy `{image}` into nodes that lack it"),
            StepKind::ControlPlane { node } => format!("Set up the control plane on `{node}`"),
            StepKind::ApiServer => "Wait for the API server".into(),
            StepKind::Register { node } => format!("Register node `{node}`"),
            StepKind::Leave { node, role } => format!("Drain and remove node `{node}` ({role})"),
            StepKind::PodNetwork { node } => format!("Write the pod network of `{node}`"),
            StepKind::Kubelet { node } => format!("Start the kubelet of `{node}`"),
            StepKind::ClusterServices => "Install controllers, scheduler, kube-proxy and CoreDNS".into(),
            StepKind::ServiceNetwork => "Wait for kube-proxy on every node".into(),
            StepKind::ClusterConfiguration => "Store the cluster's configuration".into(),
            StepKind::NodesReady { nodes } => format!("Wait for {} nodes to be Ready", nodes.len()),
            StepKind::Storage => "Install the local-path storage class".into(),
            StepKind::Apply { part } => format!("Apply {part}"),
            StepKind::Healthy { part } => format!("Wait for {part}"),
            StepKind::Gateway => "Wait for the first 200 through the gateway".into(),
            StepKind::Connectivity => "Prove DNS and pod-to-pod connectivity".into(),
            StepKind::Prune => "Remove objects the profile no longer asks for".into(),
            StepKind::Settled => "See that everything works".into(),
            StepKind::Kubeconfig => "Write the kubeconfig".into(),
        }
    }

    fn undo_sentence(&self) -> String {
        match self {
            StepKind::Network => "Remove Docker network `kind`, if ours and unused".into(),
            StepKind::Node { node, .. } => format!("Remove node `{node}` and its volume"),
            StepKind::Install { node, .. } => format!("Make `{node}` a plain host again"),
            StepKind::NodeImage { .. } => "Remove what a killed run left of building a node image".into(),
            StepKind::Kubeconfig => "Remove the kubeconfig and its entries".into(),
            other => format!("Forget: {}", other.sentence()),
        }
    }

    fn stage(&self) -> &'static str {
        match self {
            StepKind::Images { .. } | StepKind::NodeImage { .. } | StepKind::WasImage => "Images",
            StepKind::Network | StepKind::Node { .. } | StepKind::Leave { .. } | StepKind::LoadImage { .. } => "Nodes",
            StepKind::Stock { .. } | StepKind::Install { .. } | StepKind::HostImages { .. } | StepKind::Tools { .. } => "Nodes",
            StepKind::Apply { .. } | StepKind::Healthy { .. } | StepKind::Gateway | StepKind::Prune => "Components",
            _ => "Cluster",
        }
    }

    fn target(&self) -> Option<&str> {
        match self {
            StepKind::Node { node, .. }
            | StepKind::Leave { node, .. }
            | StepKind::Stock { node }
            | StepKind::Install { node, .. }
            | StepKind::HostImages { node, .. }
            | StepKind::Tools { node }
            | StepKind::ControlPlane { node }
            | StepKind::Register { node }
            | StepKind::PodNetwork { node }
            | StepKind::Kubelet { node } => Some(node),
            _ => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            StepKind::Kubelet { .. } => Class::Restart,
            StepKind::Leave { .. } | StepKind::Prune => Class::Destroy,
            _ => Class::InPlace,
        }
    }

    fn limits(&self) -> StepLimits {
        let deadline = match self {
            // a registry may be slow, and images are large
            StepKind::Images { .. } | StepKind::NodeImage { .. } => Duration::from_secs(900),
            StepKind::Install { .. } | StepKind::HostImages { .. } | StepKind::LoadImage { .. } => Duration::from_secs(900),
            _ => Duration::from_secs(300),
        };
        // what a node or the API refused once may work a moment later: nothing here is harmed by a second try
        let attempts = match self {
            StepKind::Install { .. }
            | StepKind::HostImages { .. }
            | StepKind::LoadImage { .. }
            | StepKind::PodNetwork { .. }
            | StepKind::ClusterServices
            | StepKind::ClusterConfiguration
            | StepKind::Kubelet { .. }
            | StepKind::Register { .. }
            | StepKind::Connectivity => 3,
            _ => 1,
        };
        StepLimits { deadline, attempts, ..StepLimits::default() }
    }

    fn interruptible(&self) -> bool {
        matches!(
            self,
            StepKind::ApiServer
                | StepKind::NodesReady { .. }
                | StepKind::ServiceNetwork
                | StepKind::Healthy { .. }
                | StepKind::Gateway
                | StepKind::Settled
        )
    }
}
