//! ingress-nginx in front of the Istio gateway: the extra hop of clusters that grew into a mesh, for comparison with the direct
//! way to the gateway.
//!
//! Upstream retired it: best effort until March 2026, no releases or fixes since then (README of kubernetes/ingress-nginx).

use super::{Component, Image, Need, On, Part, PartId, Ready, istio};
use crate::artifact::pins;
use crate::profile::Profile;

/// The controller and its address.
pub const CONTROLLER: PartId = PartId("ingress-nginx/controller");
/// The Ingress that routes to the gateway.
pub const ROUTE: PartId = PartId("ingress-nginx/route");

/// The component.
pub const COMPONENT: Component = Component { memory: |_| 192 << 20, ..Component::new("ingress-nginx", parts) };

fn parts(profile: &Profile) -> Vec<Part> {
    let Some(settings) = &profile.components.ingress_nginx else { return Vec::new() };
    let pinned = Image::pinned(pins::INGRESS_NGINX, On::Workers);
    let image = match &settings.image {
        Some(reference) => Image { reference: reference.clone().into(), ..pinned },
        None => pinned,
    };
    vec![
        // only once the gateway has its address: MetalLB would give that one away
        Part::templates(CONTROLLER, &["ingress-nginx/controller.yaml"])
            .after([Need::Healthy(istio::GATEWAY)])
            .runs([image])
            .ready([Ready::Rollout, Ready::Address])
            .late(),
        Part::templates(ROUTE, &["ingress-nginx/route.yaml"]).after([Need::Applied(CONTROLLER)]).late(),
    ]
}
