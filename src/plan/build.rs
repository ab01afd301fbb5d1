//! The whole bring-up, read aloud: every ordering rule of Hearth stands in this file and nowhere else.

use std::collections::BTreeMap;

use super::StepKind;
use crate::artifact::oci::WAS_REPOSITORY;
use crate::artifact::pins::kubernetes_images;
use crate::components::{Need, Part, catalogue};
use crate::graph::{Plan, PlanBuilder, PlanError, StepId};
use crate::profile::{Cni, DockerNodes, NodeSpec, Nodes, Profile, Provider, Role};

/// The plan that brings `profile` up. `leaving` are nodes of the cluster that the profile no longer asks for.
pub fn up(profile: &Profile, leaving: &[NodeSpec]) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(&profile.name);
    let nodes = profile.nodes();
    let control_plane = nodes.first_control_plane().name.clone();

    let was = plan.add("was-image", StepKind::WasImage, []);
    let (booted, for_services) = match &profile.provider {
        Provider::Docker(docker) => (containers(&mut plan, profile, docker, &nodes), None),
        Provider::Ssh(_) => machines(&mut plan, profile, &nodes),
    };
    let mut all_nodes: Vec<&StepId> = booted.values().collect();

    let control = plan.add("control-plane", StepKind::ControlPlane { node: control_plane.clone() }, [&booted[&control_plane]]);
    let api = plan.add("api", StepKind::ApiServer, [&control]);
    let services = plan.add("cluster-services", StepKind::ClusterServices, std::iter::once(&api).chain(&for_services));
    let configuration = plan.add("cluster-configuration", StepKind::ClusterConfiguration, [&services]);
    let mut left = Vec::new();
    for NodeSpec { name, role } in leaving {
        left.push(plan.add(format!("leave/{name}"), StepKind::Leave { node: name.clone(), role: *role }, [&api]));
    }
    let mut started = left.clone();
    for NodeSpec { name, role } in &nodes {
        let registered = plan.add(format!("register/{name}"), StepKind::Register { node: name.clone() }, [&api]);
        let mut after = vec![registered];
        if profile.cni == Cni::Routed {
            // routes lead to every node, so every node must have its address; those to nodes that leave serve their
            // pods until they have moved
            let kind = StepKind::PodNetwork { node: name.clone() };
            after.push(plan.add(format!("pod-network/{name}"), kind, all_nodes.iter().copied().chain(&left)));
        }
        if *role == Role::Worker {
            after.push(booted[name].clone());
            after = vec![plan.add(format!("kubelet/{name}"), StepKind::Kubelet { node: name.clone() }, &after)];
        }
        started.extend(after);
    }
    let kubeconfig = plan.add("kubeconfig", StepKind::Kubeconfig, [&api]);
    if profile.cni == Cni::None {
        // nodes become Ready when the user has brought a pod network; nothing that runs in pods can be waited for
        return plan.build();
    }
    let ready = plan.add("nodes-ready", StepKind::NodesReady { nodes: nodes.names() }, &started);
    started.push(services);
    let service_network = plan.add("service-network", StepKind::ServiceNetwork, &started);
    all_nodes.push(&was);
    let loaded = loads(&mut plan, profile, &all_nodes);

    let parts = catalogue::parts(profile);
    let mut finished = Vec::new();
    for part in parts.iter().filter(|part| **part != Part::Storage) {
        let mut after = vec![api.clone()];
        after.extend(part.needs().iter().filter(|need| parts.contains(&need.part())).map(|need| match need {
            Need::Applied(part) => applied(*part),
            Need::Healthy(part) => healthy(*part),
        }));
        // pods that start before their images are on the node would look for them in a registry
        after.extend(runs(*part).map(load));
        let step = plan.add(applied(*part), StepKind::Apply { part: *part }, &after);
        finished.push(plan.add(healthy(*part), StepKind::Healthy { part: *part }, [&step]));
    }
    let mut answered = vec![service_network];
    let mut kept = None;
    if profile.components.workloads.is_some() {
        let way = [Part::Routes, Part::Was, Part::Web, Part::IstioGateway, Part::MetallbPool].map(applied);
        answered.push(plan.add("gateway", StepKind::Gateway, &way));
    }
    match &profile.provider {
        // the one volume of the workloads is made without the provisioner, so it need not compete with them
        Provider::Docker(docker) => {
            finished.push(plan.add("storage", StepKind::Storage, &answered));
            let images = images(profile);
            if docker.keep_node_image && !images.is_empty() {
                let kind = StepKind::NodeImage { base: docker.image.clone(), images };
                kept = Some(plan.add("node-image", kind, answered.iter().chain(&loaded)));
            }
        }
        Provider::Ssh(_) => finished.extend(late(&mut plan, &parts, &nodes, &answered)),
    }
    finished.extend(answered);
    // the proof runs pods on every node, so it stands back until the application answers
    finished.extend(loaded);
    finished.extend([ready, kubeconfig, configuration]);
    let proven = plan.add("connectivity", StepKind::Connectivity, &finished);
    let pruned = plan.add("prune", StepKind::Prune, &finished);
    plan.add("settled", StepKind::Settled, [proven, pruned].iter().chain(&kept));
    plan.build()
}

/// The plan whose undoing takes a cluster away: what exists, whatever the profile says today.
pub fn down(name: &str, nodes: &[NodeSpec]) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(name);
    let network = plan.add("network", StepKind::Network, []);
    plan.add("node-image", StepKind::NodeImage { base: String::new(), images: Vec::new() }, []);
    let mut all = Vec::new();
    for NodeSpec { name, role } in nodes {
        all.push(plan.add(format!("node/{name}"), StepKind::Node { node: name.clone(), role: *role }, [&network]));
    }
    plan.add("kubeconfig", StepKind::Kubeconfig, &all);
    plan.build()
}

/// The plan whose undoing makes hosts what they were.
pub fn down_hosts(name: &str, hosts: &[NodeSpec]) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(name);
    let mut all = Vec::new();
    for NodeSpec { name, role } in hosts {
        all.push(plan.add(format!("install/{name}"), StepKind::Install { node: name.clone(), role: *role }, []));
    }
    plan.add("kubeconfig", StepKind::Kubeconfig, &all);
    plan.build()
}

/// Every image that the profile's components run, each once, in the order of their need.
pub fn images(profile: &Profile) -> Vec<String> {
    let mut images: Vec<String> =
        catalogue::parts(profile).iter().flat_map(|part| part.images()).map(|pin| pin.reference.to_owned()).collect();
    let mut seen = std::collections::HashSet::new();
    images.retain(|image| seen.insert(image.clone()));
    images
}

/// Node containers; the steps after which each is there.
fn containers(
    plan: &mut PlanBuilder<StepKind>,
    profile: &Profile,
    docker: &DockerNodes,
    nodes: &Nodes,
) -> BTreeMap<String, StepId> {
    let mut needed = vec![docker.image.clone()];
    needed.extend(images(profile));
    let image = plan.add("images", StepKind::Images { images: needed }, []);
    let network = plan.add("network", StepKind::Network, []);
    let mut add = |NodeSpec { name, role }: &NodeSpec| {
        let kind = StepKind::Node { node: name.clone(), role: *role };
        (name.clone(), plan.add(format!("node/{name}"), kind, [&network, &image]))
    };
    nodes.iter().map(&mut add).collect()
}

/// Machines that become nodes; the steps after which each can start, and the one after which the control plane has the
/// rest of its images.
fn machines(plan: &mut PlanBuilder<StepKind>, profile: &Profile, nodes: &Nodes) -> (BTreeMap<String, StepId>, Option<StepId>) {
    let mut stocks = Vec::new();
    for NodeSpec { name, .. } in nodes {
        stocks.push(plan.add(format!("stock/{name}"), StepKind::Stock { node: name.clone() }, []));
    }
    let (mut started, mut rest) = (BTreeMap::new(), None);
    let mut first_started = None;
    for NodeSpec { name, role } in nodes {
        // hosts may share a kernel, so all are looked at before any is changed; the control plane's way is the longest, so
        // it has the line to itself at first
        let install = StepKind::Install { node: name.clone(), role: *role };
        let installed = plan.add(format!("install/{name}"), install, stocks.iter().chain(&first_started));
        let mut images = kubernetes_images(&profile.kubernetes.version, *role);
        // the API server starts while those that need it are still on their way
        let later = images.split_off(images.len().min(if *role == Role::ControlPlane { API_IMAGES } else { images.len() }));
        let kind = |images| StepKind::HostImages { node: name.clone(), images };
        let first = plan.add(format!("images/{name}"), kind(images), [&installed]);
        if !later.is_empty() {
            rest = Some(plan.add(format!("more-images/{name}"), kind(later), [&first]));
        }
        first_started.get_or_insert(first.clone());
        started.insert(name.clone(), first);
    }
    (started, rest)
}

/// What hosts can do without until the application answers: the storage class's provisioner, programs for people.
fn late(plan: &mut PlanBuilder<StepKind>, parts: &[Part], nodes: &Nodes, answered: &[StepId]) -> Vec<StepId> {
    let tools = StepKind::Tools { node: nodes.first_control_plane().name.clone() };
    let mut last = vec![plan.add("tools", tools, answered)];
    if parts.contains(&Part::Storage) {
        let images: Vec<String> = Part::Storage.images().iter().map(|pin| pin.reference.to_owned()).collect();
        let workers = nodes.iter().filter(|node| node.role == Role::Worker || nodes.count() == 1);
        let copied: Vec<StepId> = workers
            .map(|NodeSpec { name, .. }| {
                let kind = StepKind::HostImages { node: name.clone(), images: images.clone() };
                plan.add(format!("storage-images/{name}"), kind, answered)
            })
            .collect();
        let storage = plan.add(applied(Part::Storage), StepKind::Apply { part: Part::Storage }, &copied);
        last.push(plan.add(healthy(Part::Storage), StepKind::Healthy { part: Part::Storage }, [&storage]));
    }
    last
}

/// The components' images on their way into the nodes, two at a time: one is imported while the next one is on its way.
fn loads(plan: &mut PlanBuilder<StepKind>, profile: &Profile, after: &[&StepId]) -> Vec<StepId> {
    let mut loads: Vec<StepId> = Vec::new();
    for image in images(profile).into_iter().chain([WAS_REPOSITORY.to_owned()]) {
        let before = loads.len().checked_sub(2).map(|earlier| loads[earlier].clone());
        let step = load(&image);
        loads.push(plan.add(step, StepKind::LoadImage { image }, after.iter().copied().chain(&before)));
    }
    loads
}

/// How many of a control plane's images, in the order of their need, the API server takes: pause, etcd and its own.
const API_IMAGES: usize = 3;

/// The step that writes a part's objects.
fn applied(part: Part) -> StepId {
    StepId::from(part.id())
}

/// The step that waits until a part works.
fn healthy(part: Part) -> StepId {
    StepId::from(format!("{part}/ready"))
}

/// The step that copies an image into the nodes.
fn load(image: &str) -> StepId {
    StepId::from(format!("load/{image}"))
}

/// The images that a part's pods run.
fn runs(part: Part) -> impl Iterator<Item = &'static str> {
    part.images().iter().map(|pin| pin.reference).chain((part == Part::Was).then_some(WAS_REPOSITORY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    fn quick() -> Plan<StepKind> {
        let profile = load(&[Source::File("profiles/quick.yaml".into())], &[]).expect("the starter profile is valid");
        up(&profile, &[]).expect("the plan has no cycle")
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
    fn the_proof_comes_last() {
        let plan = quick();
        assert!(comes_before(&plan, "gateway", "connectivity"));
        assert_eq!(plan.steps().last().map(|step| step.id.as_str()), Some("settled"));
    }

    #[test]
    fn a_node_is_drained_before_routes_to_it_go() {
        let profile = load(&[Source::File("profiles/quick.yaml".into())], &[]).expect("the starter profile is valid");
        let plan = up(&profile, &[NodeSpec { name: "quick-worker3".into(), role: Role::Worker }]).expect("the plan has no cycle");
        assert!(comes_before(&plan, "leave/quick-worker3", "pod-network/quick-worker"));
    }
}
