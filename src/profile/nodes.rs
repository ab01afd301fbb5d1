//! The nodes that a profile asks for, by what they are for and never by their position.

use super::{Profile, Role};

/// A node that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name, the same in Kubernetes.
    pub name: String,
    /// Its part in the cluster.
    pub role: Role,
}

/// The nodes of a profile: at least one control plane, and they come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes(Vec<NodeSpec>);

impl Profile {
    /// The nodes that it asks for.
    pub fn nodes(&self) -> Nodes {
        self.provider.nodes(&self.name)
    }

    /// Whether pods run on the control plane: where the profile says so, and where there is nothing else to run them on.
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

    /// These, which are at least one control plane, and control planes come first.
    pub(super) fn of(nodes: Vec<NodeSpec>) -> Self {
        Nodes(nodes)
    }

    /// All of them, control planes first.
    pub fn as_slice(&self) -> &[NodeSpec] {
        &self.0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All names, those of control planes first.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|node| node.name.clone()).collect()
    }

    /// Those that run etcd and the API server.
    pub fn control_planes(&self) -> impl Iterator<Item = &NodeSpec> {
        self.0.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// Those that only run pods.
    pub fn workers(&self) -> impl Iterator<Item = &NodeSpec> {
        self.0.iter().filter(|node| node.role == Role::Worker)
    }

    /// The control plane that the cluster is made on; the others join it.
    pub fn first_control_plane(&self) -> &NodeSpec {
        // a valid profile has a control plane: `validate` refuses others, and kind's names begin with one
        self.control_planes().next().unwrap_or(&self.0[0])
    }

    /// The node that holds the volumes of workloads: a worker where there is one.
    pub fn holds_volumes(&self) -> &NodeSpec {
        self.workers().next().unwrap_or_else(|| self.first_control_plane())
    }

    /// True when a node of that name is asked for.
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
