//! The default storage class: local-path-provisioner, for nodes whose image does not bring one.

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
    // the only volume of the workloads is made without the provisioner, so its images need not compete with theirs
    let images = [pins::LOCAL_PATH, pins::BUSYBOX].map(|pin| Image::pinned(pin, On::Workers));
    vec![Part::templates(LOCAL_PATH, &["storage/local-path.yaml"]).runs(images).ready([Ready::Rollout]).late()]
}
