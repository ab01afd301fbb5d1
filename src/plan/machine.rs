//! Machines that become nodes, in a plan.

use std::collections::BTreeMap;

use super::decide::Decisions;
use super::fragment::{self, Booted, Fragment, Late};
use crate::artifact::pins::kubernetes_images;
use crate::graph::{PlanBuilder, StepId};
use crate::profile::{NodeSpec, Profile, Role, SshHosts};
use crate::steps::{HostImages, Install, StepKind, Stock, Tools};

/// How many of a control plane's images, in the order they are needed, the API server uses: pause, etcd and its own.
const API_IMAGES: usize = 3;

impl Fragment for SshHosts {
    fn boot(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, decisions: &Decisions) -> Booted {
        let nodes = profile.nodes();
        let mut stocks = Vec::new();
        for NodeSpec { name, .. } in &nodes {
            stocks.push(plan.add(format!("stock/{name}"), Stock { node: name.clone() }, []));
        }
        let control_plane = fragment::pool(profile, decisions).map(|pool| plan.add("pool", pool, &stocks));
        let (mut started, mut services) = (BTreeMap::new(), None);
        let mut first_started = None;
        for NodeSpec { name, role } in &nodes {
            // hosts may share a kernel, so all are looked at before any is changed; the control plane takes longest, so at
            // first it has the bandwidth to itself
            let install = Install { node: name.clone(), role: *role };
            let installed = plan.add(format!("install/{name}"), install, stocks.iter().chain(&first_started));
            let mut images = kubernetes_images(&profile.kubernetes.version, *role);
            // the API server starts while the images of its clients are still being copied
            let later = images.split_off(images.len().min(if *role == Role::ControlPlane { API_IMAGES } else { images.len() }));
            let copy = |images| HostImages { node: name.clone(), images };
            let first = plan.add(format!("images/{name}"), copy(images), [&installed]);
            if !later.is_empty() {
                services = Some(plan.add(format!("more-images/{name}"), copy(later), [&first]));
            }
            first_started.get_or_insert(first.clone());
            started.insert(name.clone(), first);
        }
        Booted { nodes: started, control_plane, services }
    }

    fn late(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, answered: &[StepId], _: &[StepId]) -> Late {
        let tools = Tools { node: profile.nodes().first_control_plane().name.clone() };
        Late { finished: vec![plan.add("tools", tools, answered)], kept: Vec::new() }
    }

    fn down(&self, plan: &mut PlanBuilder<StepKind>, _: &Profile, nodes: &[NodeSpec]) -> Vec<StepId> {
        let install = |spec: &NodeSpec| Install { node: spec.name.clone(), role: spec.role };
        nodes.iter().map(|spec| plan.add(format!("install/{}", spec.name), install(spec), [])).collect()
    }
}
