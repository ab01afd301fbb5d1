//! Nodes as containers, in a plan.

use super::decide::Decisions;
use super::fragment::{self, Booted, Fragment, Late};
use crate::components::catalogue;
use crate::graph::{PlanBuilder, StepId};
use crate::profile::{DockerNodes, NodeSpec, Profile};
use crate::steps::{Images, Network, Node, NodeImage, StepKind, Storage};

impl Fragment for DockerNodes {
    fn boot(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, decisions: &Decisions) -> Booted {
        let mut images = vec![self.image.clone()];
        images.extend(catalogue::pulled(profile));
        let images = plan.add("images", Images { images }, []);
        let network = plan.add("network", Network, []);
        // after the images, which may take long: other clusters wait while addresses are reserved but not yet visible on a node
        let pool = fragment::pool(profile, decisions).map(|pool| plan.add("pool", pool, [&network, &images]));
        // the control plane's container bears the pool; the workers' wait too, for an engine that makes them answers slowly
        let before = || [&network, &images].into_iter().chain(&pool);
        let node = |spec: &NodeSpec| (spec.name.clone(), plan.add(format!("node/{}", spec.name), container(spec), before()));
        Booted { nodes: profile.nodes().iter().map(node).collect(), control_plane: None, services: None }
    }

    fn late(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, answered: &[StepId], loaded: &[StepId]) -> Late {
        let finished = vec![plan.add("storage", Storage, answered)];
        let image = self.node_image(profile);
        let kept = self.keep_node_image && !image.images.is_empty();
        let kept = kept.then(|| plan.add("node-image", image, answered.iter().chain(loaded)));
        Late { finished, kept: kept.into_iter().collect() }
    }

    fn down(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, nodes: &[NodeSpec]) -> Vec<StepId> {
        let network = plan.add("network", Network, []);
        plan.add("node-image", self.node_image(profile), []);
        nodes.iter().map(|spec| plan.add(format!("node/{}", spec.name), container(spec), [&network])).collect()
    }
}

impl DockerNodes {
    fn node_image(&self, profile: &Profile) -> NodeImage {
        NodeImage { base: self.image.clone(), images: catalogue::pulled(profile) }
    }
}

fn container(spec: &NodeSpec) -> Node {
    Node { node: spec.name.clone(), role: spec.role }
}
