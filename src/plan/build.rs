//! The whole bring-up in one place: every ordering rule for nodes of any kind. How nodes are made is in their provider's
//! fragment.

use super::decide::Decisions;
use super::fragment_of;
use crate::components::{Image, Need, PartId, catalogue, istio, metallb, workloads};
use crate::graph::{Plan, PlanBuilder, PlanError, StepId};
use crate::profile::{Cni, NodeSpec, Profile, Role};
use crate::steps::{
    ApiServer, Apply, ClusterConfiguration, ClusterServices, Connectivity, ControlPlane, Gateway, Healthy, Kubeconfig, Kubelet,
    Leave, Leaving, LoadImage, NodesReady, PodNetwork, Prune, Register, ServiceNetwork, Settled, StepKind, WasImage,
};

/// The plan that brings `profile` up, with these decisions. `leaving` are nodes of the cluster that the profile no longer asks
/// for.
pub fn up(profile: &Profile, leaving: &[Leaving], decisions: &Decisions) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(&profile.name);
    let nodes = profile.nodes();
    let control_plane = nodes.first_control_plane().name.clone();

    let was = plan.add("was-image", WasImage, []);
    let provider = fragment_of(&profile.provider);
    let booted = provider.boot(&mut plan, profile, decisions);
    let mut all_nodes: Vec<&StepId> = booted.nodes.values().collect();

    let first = std::iter::once(&booted.nodes[&control_plane]).chain(&booted.control_plane);
    let control = plan.add("control-plane", ControlPlane { node: control_plane.clone() }, first);
    let api = plan.add("api", ApiServer, [&control]);
    let services = plan.add("cluster-services", ClusterServices, std::iter::once(&api).chain(&booted.services));
    let configuration = plan.add("cluster-configuration", ClusterConfiguration, [&services]);
    let (mut left, mut standing) = (Vec::new(), vec![api.clone()]);
    for Leaving { node: NodeSpec { name, role }, lost } in leaving {
        let kind = Leave { node: name.clone(), role: *role, delete_data: decisions.delete_data, lost: lost.clone() };
        left.push(plan.add(format!("leave/{name}"), kind, [&api]));
        if !lost.is_empty() {
            // a deleted volume is made anew by the part that needs it, once it is gone
            standing.extend(left.last().cloned());
        }
    }
    let mut started = left.clone();
    for NodeSpec { name, role } in &nodes {
        let registered = plan.add(format!("register/{name}"), Register { node: name.clone() }, [&api]);
        let mut after = vec![registered];
        if profile.cni == Cni::Routed {
            // there are routes to every node, so every node must have its address; routes to leaving nodes serve their pods
            // until these have moved
            let kind = PodNetwork { node: name.clone() };
            after.push(plan.add(format!("pod-network/{name}"), kind, all_nodes.iter().copied().chain(&left)));
        }
        if *role == Role::Worker {
            after.push(booted.nodes[name].clone());
            after = vec![plan.add(format!("kubelet/{name}"), Kubelet { node: name.clone() }, &after)];
        }
        started.extend(after);
    }
    let kubeconfig = plan.add("kubeconfig", Kubeconfig, [&api]);
    if profile.cni == Cni::None {
        // nodes become Ready once the user has installed a pod network; nothing that runs in pods can be waited for
        return plan.build();
    }
    let ready = plan.add("nodes-ready", NodesReady { nodes: nodes.names() }, &started);
    started.push(services);
    let service_network = plan.add("service-network", ServiceNetwork, &started);
    all_nodes.push(&was);
    let mut answered = vec![service_network];
    if profile.components.workloads.is_some() {
        let way = [workloads::ROUTES, workloads::WAS, workloads::WEB, istio::GATEWAY, metallb::POOL].map(applied);
        answered.push(plan.add("gateway", Gateway, &way));
    }
    let loaded = loads(&mut plan, profile, &all_nodes, &answered);
    let mut finished = parts(&mut plan, profile, &standing, &answered);
    let late = provider.late(&mut plan, profile, &answered, &loaded);
    finished.extend(late.finished);
    finished.extend(answered);
    // the proof runs pods on every node, so it waits until the application answers
    finished.extend(loaded);
    finished.extend([ready, kubeconfig, configuration]);
    let proven = plan.add("connectivity", Connectivity, &finished);
    // objects that are no longer asked for need not work
    plan.add("prune", Prune { delete_data: decisions.delete_data }, &finished);
    plan.add("settled", Settled, std::iter::once(&proven).chain(&late.kept));
    plan.build()
}

/// The plan that removes a cluster when it is undone: `nodes` are the existing ones, whatever the profile says today.
pub fn down(profile: &Profile, nodes: &[NodeSpec]) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(&profile.name);
    let all = fragment_of(&profile.provider).down(&mut plan, profile, nodes);
    plan.add("kubeconfig", Kubeconfig, &all);
    plan.build()
}

/// The parts of the components, each after `first` and its dependencies; returns the steps after which each works.
fn parts(plan: &mut PlanBuilder<StepKind>, profile: &Profile, first: &[StepId], answered: &[StepId]) -> Vec<StepId> {
    let parts = catalogue::parts(profile);
    let asked = |id: PartId| parts.iter().any(|part| part.id == id);
    let mut works = Vec::new();
    for part in &parts {
        let mut after = first.to_vec();
        after.extend(part.needs.iter().filter(|need| asked(need.part())).map(|need| match need {
            Need::Applied(part) => applied(*part),
            Need::Healthy(part) => healthy(*part),
        }));
        // pods that start before their images are on the node would try to pull them from a registry
        after.extend(part.images.iter().map(load));
        if part.late {
            after.extend_from_slice(answered);
        }
        let step = plan.add(applied(part.id), Apply { part: part.id }, &after);
        works.push(plan.add(healthy(part.id), Healthy { part: part.id }, [&step]));
    }
    works
}

/// Copies the components' images into the nodes, two at a time: one is imported while the next one is transferred. Images that
/// only late parts use wait until the application answers.
fn loads(plan: &mut PlanBuilder<StepKind>, profile: &Profile, nodes: &[&StepId], answered: &[StepId]) -> Vec<StepId> {
    let early = catalogue::early_images(profile);
    let mut loads: Vec<StepId> = Vec::new();
    for image in catalogue::images(profile) {
        let before = loads.len().checked_sub(2).map(|earlier| loads[earlier].clone());
        let waits = if early.contains(&image) { &[] } else { answered };
        let after = nodes.iter().copied().chain(&before).chain(waits);
        loads.push(plan.add(load(&image), LoadImage { image: image.reference.into_owned() }, after));
    }
    loads
}

/// The step that writes a part's objects.
fn applied(part: PartId) -> StepId {
    StepId::from(part.0)
}

/// The step that waits until a part works.
fn healthy(part: PartId) -> StepId {
    StepId::from(format!("{part}/ready"))
}

/// The step that copies an image into the nodes.
fn load(image: &Image) -> StepId {
    StepId::from(format!("load/{}", image.reference))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::leaving::Volume;
    use crate::graph::Kind;
    use crate::profile::{Source, load};

    fn quick() -> Plan<StepKind> {
        let profile = load(&[Source::File("profiles/quick.yaml".into())], &[]).expect("the starter profile is valid");
        up(&profile, &[], &Decisions::default()).expect("the plan has no cycle")
    }

    fn comes_before(plan: &Plan<StepKind>, first: &str, second: &str) -> bool {
        let dependencies = plan.dependencies();
        let position = |id: &str| plan.steps().iter().position(|step| step.id.as_str() == id).expect(id);
        let (first, mut open) = (position(first), vec![position(second)]);
        while let Some(step) = open.pop() {
            if step == first {
                return true;
            }
            open.extend(&dependencies[step]);
        }
        false
    }

    #[test]
    fn workers_do_not_wait_for_kubeadm_to_finish() {
        let plan = quick();
        assert!(comes_before(&plan, "api", "kubelet/quick-worker"));
        assert!(!comes_before(&plan, "cluster-services", "kubelet/quick-worker"));
    }

    #[test]
    fn meshed_pods_wait_for_the_injector_and_the_database_does_not() {
        let plan = quick();
        assert!(comes_before(&plan, "istio/webhook/ready", "workloads/was"));
        assert!(!comes_before(&plan, "istio/istiod", "workloads/mysql"));
    }

    #[test]
    fn pods_wait_for_their_own_images_only_and_nothing_waits_for_the_node_image_of_later_clusters() {
        let plan = quick();
        assert!(comes_before(&plan, "load/docker.io/istio/pilot:1.31.1", "istio/istiod"));
        assert!(!comes_before(&plan, "load/docker.io/library/mysql:9.7", "istio/istiod"));
        assert!(comes_before(&plan, "load/hearth.dev/was", "workloads/was"));
        assert!(comes_before(&plan, "gateway", "node-image"));
        assert!(!comes_before(&plan, "node-image", "connectivity"));
    }

    #[test]
    fn what_is_late_waits_for_the_first_answer_image_and_all() {
        let profile = load(&[Source::File("profiles/homelab.yaml".into())], &[]).expect("the starter profile is valid");
        let plan = up(&profile, &[], &Decisions::default()).expect("the plan has no cycle");
        let provisioner = "load/docker.io/rancher/local-path-provisioner:v0.0.30";
        assert!(comes_before(&plan, "gateway", provisioner) && comes_before(&plan, provisioner, "storage/local-path"));
        assert!(!comes_before(&plan, "gateway", "workloads/mysql/ready"));
    }

    #[test]
    fn the_proof_comes_last() {
        let plan = quick();
        assert!(comes_before(&plan, "gateway", "connectivity"));
        assert_eq!(plan.steps().last().map(|step| step.id.as_str()), Some("settled"));
    }

    #[test]
    fn a_node_is_drained_before_routes_to_it_go() {
        let profile = load(&[Source::File("profiles/quick.yaml".into())], &[]).expect("the starter profile is valid");
        let plan = |lost: &[Volume]| {
            let node = NodeSpec { name: "quick-worker3".into(), role: Role::Worker };
            up(&profile, &[Leaving { node, lost: lost.to_vec() }], &Decisions::default()).expect("the plan has no cycle")
        };
        assert!(comes_before(&plan(&[]), "leave/quick-worker3", "pod-network/quick-worker"));
        let volume = Volume { name: "hearth-mysql".into(), node: "quick-worker3".into(), claim: None };
        assert!(!comes_before(&plan(&[]), "leave/quick-worker3", "workloads/mysql"));
        assert!(comes_before(&plan(&[volume]), "leave/quick-worker3", "workloads/mysql"), "it is made anew elsewhere");
    }

    /// The steps of all plans: up and down, on containers and on hosts, with a node that leaves.
    fn all_steps() -> Vec<StepKind> {
        let gone = NodeSpec { name: "gone".into(), role: Role::Worker };
        let leaving = [Leaving { node: gone.clone(), lost: Vec::new() }];
        let plans = ["profiles/quick.yaml", "profiles/homelab.yaml"].map(|path| {
            let profile = load(&[Source::File(path.into())], &[]).expect("the starter profile is valid");
            [up(&profile, &leaving, &Decisions::default()), down(&profile, std::slice::from_ref(&gone))]
                .map(|plan| plan.expect("the plan has no cycle"))
        });
        plans.iter().flatten().flat_map(|plan| plan.steps()).map(|step| step.kind.clone()).collect()
    }

    #[test]
    fn every_step_there_is_has_its_sentences_and_is_read_back() {
        let steps = all_steps();
        for step in &steps {
            assert!(!step.sentence().is_empty() && !step.undo_sentence().is_empty(), "{step:?}");
            assert!(["Images", "Nodes", "Cluster", "Components"].contains(&step.stage()), "{step:?}");
            let text = serde_json::to_string(step).expect("plain data");
            assert_eq!(serde_json::from_str::<StepKind>(&text).expect("what was written is read"), *step, "{text}");
        }
        let mut names: Vec<&str> = steps.iter().map(StepKind::name).collect();
        let mut all = StepKind::NAMES.to_vec();
        names.sort();
        names.dedup();
        all.sort();
        assert_eq!(names, all, "each is in some plan");
    }

    #[test]
    fn steps_are_written_by_name_with_what_they_carry_beside_it() {
        let written = |step: StepKind| serde_json::to_string(&step).expect("plain data");
        assert_eq!(written(WasImage.into()), r#"{"step":"was-image"}"#);
        let node = crate::steps::Node { node: "a".into(), role: Role::ControlPlane };
        assert_eq!(written(node.into()), r#"{"step":"node","node":"a","role":"control-plane"}"#);
        assert_eq!(written(Apply { part: workloads::WAS }.into()), r#"{"step":"apply","part":"workloads/was"}"#);
    }
}
