//! MetalLB in layer 2 mode: addresses for services of type LoadBalancer.

use super::manifest::{Kind, Turn};
use super::secrets::{SecretSpec, letters};
use super::{Component, Image, Need, On, Part, PartId, Ready, Which};
use crate::artifact::pins;
use crate::profile::Profile;

/// Resource definitions.
pub const CRDS: PartId = PartId("metallb/crds");
/// Controller and speakers.
pub const CONTROLLER: PartId = PartId("metallb/controller");
/// The address pool and its announcement.
pub const POOL: PartId = PartId("metallb/pool");

/// The component.
pub const COMPONENT: Component = Component {
    // controller and speakers: 64 MiB a node
    memory: |profile| profile.nodes().count() as u64 * (64 << 20),
    // the key that speakers use to talk to each other
    secrets: &[SecretSpec {
        namespace: "metallb-system",
        name: "memberlist",
        keys: &[("secretkey", "memberlist_key")],
        make: || Ok(vec![letters(64)]),
    }],
    kinds: &[
        Kind::namespaced("metallb.io/v1beta1", "IPAddressPool", "ipaddresspools", Turn::Custom),
        Kind::namespaced("metallb.io/v1beta1", "L2Advertisement", "l2advertisements", Turn::Custom),
    ],
    ..Component::new("metallb", parts)
};

fn parts(profile: &Profile) -> Vec<Part> {
    if profile.components.metallb.is_none() {
        return Vec::new();
    }
    vec![
        Part::definitions(CRDS, pins::METALLB_NATIVE, Which::All),
        // its caches give up if a definition is missing at their start
        Part::templates(CONTROLLER, &["metallb/controller.yaml"])
            .after([Need::Healthy(CRDS)])
            .runs([Image::pinned(pins::METALLB_CONTROLLER, On::Workers), Image::pinned(pins::METALLB_SPEAKER, On::EveryNode)])
            .ready([Ready::Rollout]),
        Part::templates(POOL, &["metallb/pool.yaml"]).after([Need::Applied(CONTROLLER)]),
    ]
}
