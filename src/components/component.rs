//! What a component is: a value that describes everything about it, and the parts it is installed in.
//!
//! A part is the unit in the plan: small enough for everything that can overlap to do so, large enough for the plan to be
//! readable.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::health::Ready;
use super::manifest::Kind;
use super::secrets::SecretSpec;
use crate::artifact::oci::WAS_REPOSITORY;
use crate::artifact::{FilePin, ImagePin};
use crate::profile::{NodeSpec, Profile, Role};

/// A component: everything Hearth knows about it, in one value.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// Its name: the first half of its parts' ids, and the value of the label `hearth.dev/component`.
    pub name: &'static str,
    /// The parts that a profile needs, each after the parts of this component that it depends on; none if the profile does not
    /// ask for it.
    pub parts: fn(&Profile) -> Vec<Part>,
    /// What its templates see besides the profile, a map.
    pub variables: fn(&Profile) -> Value,
    /// Its secrets.
    pub secrets: &'static [SecretSpec],
    /// Memory that it uses on all nodes together, in bytes: an estimate, twice what was measured when idle.
    pub memory: fn(&Profile) -> u64,
    /// Kinds of objects that no other component has.
    pub kinds: &'static [Kind],
}

impl Component {
    /// A component with parts and nothing else.
    pub const fn new(name: &'static str, parts: fn(&Profile) -> Vec<Part>) -> Self {
        Component { name, parts, variables: |_| Value::Null, secrets: &[], memory: |_| 0, kinds: &[] }
    }
}

/// A part's name, `component/part`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PartId(pub &'static str);

impl PartId {
    /// The component it belongs to.
    pub fn component(self) -> &'static str {
        self.0.split_once('/').map_or(self.0, |(component, _)| component)
    }
}

impl<'de> Deserialize<'de> for PartId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // names of parts are few and short, and live as long as the program
        Ok(PartId(String::deserialize(deserializer)?.leak()))
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// A part of a component, as one profile asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name.
    pub id: PartId,
    /// What has to be done before it is applied. A dependency on a part that the profile does not need is ignored.
    pub needs: Vec<Need>,
    /// The images its pods run.
    pub images: Vec<Image>,
    /// Where its objects come from.
    pub source: Source,
    /// How to see that it works.
    pub ready: Vec<Ready>,
    /// Whether it waits until the application answers, since nothing on the way there uses it.
    pub late: bool,
}

/// A condition under which a part may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// That part's objects were written.
    Applied(PartId),
    /// That part works.
    Healthy(PartId),
}

impl Need {
    /// The part that has to come first.
    pub fn part(self) -> PartId {
        match self {
            Need::Applied(part) | Need::Healthy(part) => part,
        }
    }
}

/// Where a part's objects come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// Templates, by their path under `templates/`.
    Templates(&'static [&'static str]),
    /// Resource definitions from an upstream file.
    Definitions {
        /// The upstream file.
        file: FilePin,
        /// Which of its definitions.
        which: Which,
    },
}

/// Which of a file's resource definitions, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Only those of these kinds.
    Only(&'static [&'static str]),
    /// All except those of these kinds.
    Except(&'static [&'static str]),
}

impl Which {
    /// True when the definition of `kind` is included.
    pub fn has(self, kind: &str) -> bool {
        match self {
            Which::All => true,
            Which::Only(kinds) => kinds.contains(&kind),
            Which::Except(kinds) => !kinds.contains(&kind),
        }
    }
}

/// An image that pods of a part run, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name templates use: `images.<name>`.
    pub name: &'static str,
    /// Reference with registry and tag; without a tag for the image that Hearth packs itself.
    pub reference: Cow<'static, str>,
    /// Which nodes may have to run it.
    pub on: On,
}

/// Which nodes may have to run an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Workers, and the control plane if it runs pods.
    Workers,
    /// Every node, as for pods of daemon sets that tolerate everything.
    EveryNode,
    /// The node that holds the volumes.
    VolumeNode,
}

impl Image {
    /// An image from the list of pins.
    pub fn pinned(pin: ImagePin, on: On) -> Self {
        Image { name: pin.name, reference: Cow::Borrowed(pin.reference), on }
    }

    /// The WAS image, which Hearth packs from its own binary.
    pub fn was(on: On) -> Self {
        Image { name: "was", reference: Cow::Borrowed(WAS_REPOSITORY), on }
    }

    /// Whether Hearth packs it itself, so that no registry has it.
    pub fn is_packed(&self) -> bool {
        self.reference == WAS_REPOSITORY
    }

    /// True when a node of the profile may have to run it.
    pub fn runs_on(&self, node: &NodeSpec, profile: &Profile) -> bool {
        match self.on {
            On::EveryNode => true,
            On::Workers => node.role == Role::Worker || profile.control_plane_runs_pods(),
            On::VolumeNode => node.name == profile.nodes().holds_volumes().name,
        }
    }
}

impl Part {
    /// A part whose objects are rendered from templates.
    pub fn templates(id: PartId, files: &'static [&'static str]) -> Self {
        Part { id, needs: Vec::new(), images: Vec::new(), source: Source::Templates(files), ready: Vec::new(), late: false }
    }

    /// A part that consists of resource definitions from an upstream file.
    pub fn definitions(id: PartId, file: FilePin, which: Which) -> Self {
        Part { source: Source::Definitions { file, which }, ready: vec![Ready::Served], ..Part::templates(id, &[]) }
    }

    /// The part with its dependencies.
    pub fn after(self, needs: impl Into<Vec<Need>>) -> Self {
        Part { needs: needs.into(), ..self }
    }

    /// The part with the images of its pods.
    pub fn runs(self, images: impl Into<Vec<Image>>) -> Self {
        Part { images: images.into(), ..self }
    }

    /// The part with how to see that it works.
    pub fn ready(self, ready: impl Into<Vec<Ready>>) -> Self {
        Part { ready: ready.into(), ..self }
    }

    /// The part, to wait until the application answers.
    pub fn late(self) -> Self {
        Part { late: true, ..self }
    }

    /// The upstream file with this part's resource definitions, if that is its source.
    pub fn file(&self) -> Option<FilePin> {
        match self.source {
            Source::Definitions { file, .. } => Some(file),
            Source::Templates(_) => None,
        }
    }
}
