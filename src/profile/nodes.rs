//! The nodes that a profile asks for, selected by role and never by position.

use super::{Profile, Role};

/// A node of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name in the profile and in Kubernetes.
    pub name: String,
    /// Its part in the cluster.
    pub role: Role,
}

/// The nodes of a profile: at least one control plane, and control planes come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes(Vec<NodeSpec>);

impl Profile {
    /// The nodes of this profile.
    pub fn nodes(&self) -> Nodes {
        self.provider.nodes(&self.name)
    }

    /// Whether pods run on the control plane: as the profile states, else only if there is no worker to run them.
    pub fn control_plane_runs_pods(&self) -> bool {
        self.schedulable.unwrap_or_else(|| self.nodes().workers().next().is_none())
    }
}

impl Nodes {
    /// kind's names: `<cluster>-control-plane`, `<cluster>-worker`, `<cluster>-worker2`, ... (Source: kind `common/namer.go`.)
    pub fn of_kind(cluster: &str, workers: u32) -> Self {
        let worker = |number: u32| match number {
            1 => format!("{cluster}-worker"),
            _ => format!("{cluster}-worker{number}"),
        };
        let control_plane = NodeSpec { name: format!("{cluster}-control-plane"), role: Role::ControlPlane };
        let workers = (1..=workers).map(|number| NodeSpec { name: worker(number), role: Role::Worker });
        Nodes(std::iter::once(control_plane).chain(workers).collect())
    }

    /// All of them, control planes first.
    pub fn iter(&self) -> std::slice::Iter<'_, NodeSpec> {
        self.0.iter()
    }

    /// From a list in which control planes come first; there must be at least one.
    pub(super) fn of(nodes: Vec<NodeSpec>) -> Self {
        Nodes(nodes)
    }

    /// All nodes, control planes first.
    pub fn as_slice(&self) -> &[NodeSpec] {
        &self.0
    }

    /// The number of nodes.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All names, control planes first.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|node| node.name.clone()).collect()
    }

    /// Nodes that run etcd and the API server.
    pub fn control_planes(&self) -> impl Iterator<Item = &NodeSpec> {
        self.0.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// Nodes that only run pods.
    pub fn workers(&self) -> impl Iterator<Item = &NodeSpec> {
        self.0.iter().filter(|node| node.role == Role::Worker)
    }

    /// The control plane on which the cluster is created; other nodes join it.
    pub fn first_control_plane(&self) -> &NodeSpec {
        // a valid profile has a control plane: `validate` refuses others, and kind's names start with one
        self.control_planes().next().unwrap_or(&self.0[0])
    }

    /// The node that holds the volumes of workloads: a worker if there is one.
    pub fn holds_volumes(&self) -> &NodeSpec {
        self.workers().next().unwrap_or_else(|| self.first_control_plane())
    }

    /// True when the profile has a node named `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|node| node.name == name)
    }
}

impl<'a> IntoIterator for &'a Nodes {
    type Item = &'a NodeSpec;
    type IntoIter = std::slice::Iter<'a, NodeSpec>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kinds() {
        assert_eq!(Nodes::of_kind("q", 2).names(), ["q-control-plane", "q-worker", "q-worker2"]);
    }

    #[test]
    fn volumes_are_on_a_worker_where_there_is_one() {
        assert_eq!(Nodes::of_kind("q", 2).holds_volumes().name, "q-worker");
        assert_eq!(Nodes::of_kind("q", 0).holds_volumes().name, "q-control-plane");
    }
}
