//! Questions about all components of a profile together: their parts, images and files.

use std::collections::HashSet;

use super::{ALL, Component, ComponentError, Image, Part, PartId, probe};
use crate::profile::{NodeSpec, Profile};

/// The parts that a profile needs. The probe is not among them.
pub fn parts(profile: &Profile) -> Vec<Part> {
    ALL.iter().flat_map(|component| (component.parts)(profile)).collect()
}

/// The part with that name.
///
/// # Errors
/// [`ComponentError::UnknownPart`] if the profile does not need it.
pub fn part(profile: &Profile, id: PartId) -> Result<Part, ComponentError> {
    parts(profile).into_iter().find(|part| part.id == id).ok_or(ComponentError::UnknownPart { id })
}

/// The components that a profile asks for.
pub fn wanted(profile: &Profile) -> impl Iterator<Item = &'static Component> {
    ALL.iter().filter(|component| !(component.parts)(profile).is_empty())
}

/// Memory that the profile's components use on all nodes together, in bytes.
pub fn memory(profile: &Profile) -> u64 {
    wanted(profile).map(|component| (component.memory)(profile)).sum()
}

/// Every image that nodes have to run for the profile, including the probe's: each once, in the order they are needed.
pub fn images(profile: &Profile) -> Vec<Image> {
    let late = parts(profile).into_iter().filter(|part| part.late);
    once_each(early_images(profile).into_iter().chain(late.flat_map(|part| part.images)))
}

/// The [`images`] that need not wait until the application answers; they also come first in that list.
pub fn early_images(profile: &Profile) -> Vec<Image> {
    let early = parts(profile).into_iter().filter(|part| !part.late);
    once_each(early.chain([probe::part()]).flat_map(|part| part.images))
}

fn once_each(images: impl Iterator<Item = Image>) -> Vec<Image> {
    let mut seen = HashSet::new();
    images.filter(|image| seen.insert(image.reference.clone())).collect()
}

/// References of those images that come from a registry.
pub fn pulled(profile: &Profile) -> Vec<String> {
    images(profile).into_iter().filter(|image| !image.is_packed()).map(|image| image.reference.into_owned()).collect()
}

/// True when pods of the profile may run an image on a node.
pub fn may_run(profile: &Profile, node: &NodeSpec, reference: &str) -> bool {
    let all = parts(profile).into_iter().chain([probe::part()]).flat_map(|part| part.images);
    all.into_iter().any(|image| image.reference == reference && image.runs_on(node, profile))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::artifact::oci::WAS_REPOSITORY;
    use crate::artifact::pins;
    use crate::components::testing::{everything, profile};

    #[test]
    fn ids_are_unique_and_begin_with_their_component() {
        for profile in everything() {
            let ids: Vec<PartId> = parts(&profile).iter().map(|part| part.id).collect();
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
            for component in ALL {
                assert!((component.parts)(&profile).iter().all(|part| part.id.component() == component.name));
            }
        }
    }

    #[test]
    fn parts_need_only_parts_that_exist() {
        let exist: BTreeSet<PartId> = everything().iter().flat_map(parts).map(|part| part.id).collect();
        for part in everything().iter().flat_map(parts) {
            for need in &part.needs {
                assert!(exist.contains(&need.part()), "{} needs {}, which nobody has", part.id, need.part());
            }
        }
    }

    #[test]
    fn an_empty_profile_asks_for_nothing_and_its_nodes_run_the_probe() {
        let profile = profile(include_str!("../../profiles/minimal.yaml"));
        assert!(parts(&profile).is_empty() && wanted(&profile).next().is_none());
        assert_eq!((memory(&profile), pulled(&profile)), (0, vec![]));
        assert_eq!(images(&profile), probe::part().images);
    }

    #[test]
    fn images_go_where_their_pods_may_run() {
        let profile = profile(include_str!("../../profiles/quick.yaml"));
        let on = |reference: &str| {
            let nodes = profile.nodes();
            nodes.iter().filter(|node| may_run(&profile, node, reference)).map(|node| node.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(on(pins::MYSQL.reference), ["quick-worker"]);
        assert_eq!(on(pins::NGINX.reference), ["quick-worker", "quick-worker2"]);
        assert_eq!(on(pins::METALLB_SPEAKER.reference).len(), 3);
        assert_eq!(on(WAS_REPOSITORY).len(), 3, "the probe runs everywhere");
        assert!(on("docker.io/library/nginx:0").is_empty());
        let everywhere = crate::profile::Profile { schedulable: Some(true), ..profile.clone() };
        assert!(everywhere.nodes().iter().all(|node| may_run(&everywhere, node, pins::NGINX.reference)));
    }
}
