//! The default storage class: local-path-provisioner, where node images do not bring it.

use super::{Component, Image, On, Part, PartId, Ready};
use crate::artifact::pins;
use crate::profile::Profile;

/// The provisioner and its class.
pub const LOCAL_PATH: PartId = PartId("storage/local-path");

/// The component.
pub const COMPONENT: Component = Component::new("storage", parts);

fn parts(profile: &Profile) -> Vec<Part> {
    if profile.provider.brings_storage_class() || profile.components.workloads.is_none() {
        return Vec::new();
    }
    // the one volume of the workloads is made without the provisioner, so it need not compete with them
    let images = [pins::LOCAL_PATH, pins::BUSYBOX].map(|pin| Image::pinned(pin, On::Workers));
    vec![Part::templates(LOCAL_PATH, &["storage/local-path.yaml"]).runs(images).ready([Ready::Rollout]).late()]
}
