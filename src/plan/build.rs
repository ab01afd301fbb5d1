//! The whole bring-up, read aloud: every ordering rule of Hearth stands in this file and nowhere else.

use super::{Plan, PlanError, StepId, StepKind};
use crate::components::{self, Part};
use crate::profile::{Cni, DockerNodes, Profile, Provider, Role};
use crate::provider::docker::node_names;

/// The plan that brings `profile` up.
pub fn up(profile: &Profile) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(&profile.name);
    let Provider::Docker(docker) = &profile.provider else { return plan.build() };
    let nodes = node_names(&profile.name, docker.workers);
    let names: Vec<String> = nodes.iter().map(|(name, _)| name.clone()).collect();
    let control_plane = names[0].clone();

    let image = node_image(&mut plan, profile, docker);
    let was = plan.add("was-image", StepKind::WasImage, []);
    let network = plan.add("network", StepKind::Network, []);
    let mut booted = Vec::new();
    for (name, role) in &nodes {
        let kind = StepKind::Node { node: name.clone(), role: *role };
        booted.push(plan.add(format!("node/{name}"), kind, [&network, &image]));
    }
    let mut all_nodes: Vec<&StepId> = booted.iter().collect();

    let control = plan.add("control-plane", StepKind::ControlPlane { node: control_plane }, [&booted[0]]);
    let api = plan.add("api", StepKind::ApiServer, [&control]);
    let services = plan.add("cluster-services", StepKind::ClusterServices, [&api]);
    let mut started = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let registered = plan.add(format!("register/{name}"), StepKind::Register { node: name.clone(), index }, [&api]);
        let mut after = vec![registered];
        if profile.cni == Cni::Routed {
            // routes lead to every node, so every node must have its address
            after.push(plan.add(format!("pod-network/{name}"), StepKind::PodNetwork { node: name.clone() }, all_nodes.clone()));
        }
        if index > 0 {
            after = vec![plan.add(format!("kubelet/{name}"), StepKind::Kubelet { node: name.clone() }, &after)];
        }
        started.extend(after);
    }
    let kubeconfig = plan.add("kubeconfig", StepKind::Kubeconfig, [&api]);
    if profile.cni == Cni::None {
        // nodes become Ready when the user has brought a pod network; nothing that runs in pods can be waited for
        return plan.build();
    }
    let mut cluster: Vec<&StepId> = started.iter().collect();
    cluster.push(&services);
    let ready = plan.add("nodes-ready", StepKind::NodesReady { nodes: names }, cluster);
    let storage = plan.add("storage", StepKind::Storage, [&api]);
    all_nodes.push(&was);
    let loaded = plan.add("load-images", StepKind::LoadImage, all_nodes);

    let parts = components::parts(profile);
    for part in &parts {
        let mut after = vec![api.clone()];
        after.extend(part.needs.iter().map(|need| component_step(need)));
        if part.needs_was {
            after.push(loaded.clone());
        }
        if part.needs_storage {
            after.push(storage.clone());
        }
        let id = component_step(&part.id);
        let applied = match part.waits {
            true => plan.add(format!("{}/apply", part.id), StepKind::Apply { part: part.id.clone() }, &after),
            false => plan.add(id.clone(), StepKind::Apply { part: part.id.clone() }, &after),
        };
        if part.waits {
            plan.add(id, StepKind::Healthy { part: part.id.clone() }, [&applied]);
        }
    }
    let mut finished: Vec<StepId> = parts.iter().map(|part| component_step(&part.id)).collect();
    if profile.components.workloads.is_some() {
        finished = vec![plan.add("gateway", StepKind::Gateway, &finished)];
    }
    // the proof runs pods on every node, so it stands back until the application answers
    finished.extend([ready, loaded, kubeconfig]);
    plan.add("connectivity", StepKind::Connectivity, &finished);
    plan.build()
}

/// The plan whose undoing takes a cluster away: what exists, whatever the profile says today.
pub fn down(name: &str, nodes: &[(String, Role)]) -> Result<Plan<StepKind>, PlanError> {
    let mut plan = Plan::builder(name);
    let network = plan.add("network", StepKind::Network, []);
    let mut all = Vec::new();
    for (node, role) in nodes {
        all.push(plan.add(format!("node/{node}"), StepKind::Node { node: node.clone(), role: *role }, [&network]));
    }
    plan.add("kubeconfig", StepKind::Kubeconfig, &all);
    plan.build()
}

/// The engine's images, and the node image derived from them.
fn node_image(plan: &mut super::PlanBuilder<StepKind>, profile: &Profile, docker: &DockerNodes) -> StepId {
    let components = components::images(profile);
    let mut all = vec![docker.image.clone()];
    all.extend(components.iter().cloned());
    let fetched = plan.add("images", StepKind::Images { images: all }, []);
    plan.add("node-image", StepKind::NodeImage { base: docker.image.clone(), images: components }, [&fetched])
}

fn component_step(part: &str) -> StepId {
    StepId::from(part)
}
