//! One pod per node for the proof of connectivity, which installs and removes them: no profile asks for it.

use super::{Component, Image, On, Part, PartId, Ready};

/// The pods.
pub const PROBE: PartId = PartId("probe/probe");

/// The component.
pub const COMPONENT: Component = Component::new("probe", |_| Vec::new());

/// Its one part.
pub fn part() -> Part {
    Part::templates(PROBE, &["probe/probe.yaml"]).runs([Image::was(On::EveryNode)]).ready([Ready::Rollout])
}
