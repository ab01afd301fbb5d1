//! What every step defines, and how the list of steps becomes one kind of plan and one actor.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::progress::Progress;

/// A waiting step stops this long before its deadline, to find out what is wrong while the engine still listens.
const DIAGNOSIS: Duration = Duration::from_secs(20);

/// The heading under which a step is listed in a printed plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Images on this machine.
    Images,
    /// Nodes: machines or containers, and what is on them.
    Nodes,
    /// Kubernetes itself.
    Cluster,
    /// What runs on the cluster.
    Components,
}

impl Stage {
    /// The heading.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Images => "Images",
            Stage::Nodes => "Nodes",
            Stage::Cluster => "Cluster",
            Stage::Components => "Components",
        }
    }
}

/// A step: its content is the struct that implements this. Nothing that a run depends on has a default, so that a step that
/// leaves something out does not compile. Every check reads the live world; every apply and every undo may be repeated.
pub trait Act: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The heading it is listed under in a printed plan.
    const STAGE: Stage;
    /// How much it disturbs what already runs.
    const CLASS: Class;
    /// How long and how often it is tried.
    const LIMITS: StepLimits;
    /// Whether it only waits: it takes no slot of the limits, and is dropped as soon as the run is cancelled.
    const WAITS: bool;
    /// What users are waiting for and have once it is done, as a fragment; most steps have none.
    const MILESTONE: Option<&'static str> = None;

    /// What it will do, one sentence in the imperative without a full stop.
    fn sentence(&self) -> String;
    /// The node it works on, if it works on one.
    fn target(&self) -> Option<&str>;
    /// Looks at the live world; changes nothing. Satisfied means exactly what [`Act::apply`] promises.
    fn check(&self, session: &Session) -> impl Future<Output = Result<Check>> + Send;
    /// Brings the world to what the step promises.
    fn apply(&self, session: &Session, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
    /// What undoing it will do, in the same form as [`Act::sentence`].
    fn undo_sentence(&self) -> String;
    /// Takes back what [`Act::apply`] did, also if nothing was done.
    fn undo(&self, session: &Session, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
}

/// How long a step may wait before it looks for the reason why it still has to.
pub(super) const fn patience<A: Act>() -> Duration {
    A::LIMITS.deadline.saturating_sub(DIAGNOSIS)
}

/// Satisfied if nothing is missing, else needed because of what is.
pub(super) fn needs(missing: &[impl ToString], before: &str, between: &str) -> Check {
    match missing {
        [] => Check::Satisfied,
        missing => {
            Check::Needed(format!("{before}{}", missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)))
        }
    }
}

/// Satisfied if done, else not there yet.
pub(super) fn there(done: bool) -> Check {
    if done { Check::Satisfied } else { Check::Needed("not there yet".to_owned()) }
}

/// Written into the `impl` of a step that has nothing of its own to undo: what it made is in the nodes and goes with them, or
/// is a cache for later runs.
macro_rules! goes_with_its_nodes {
    () => {
        fn undo_sentence(&self) -> String {
            format!("Forget: {}", $crate::steps::kind::Act::sentence(self))
        }

        async fn undo(&self, _: &$crate::steps::Session, _: &$crate::progress::Progress) -> $crate::error::Result<()> {
            Ok(())
        }
    };
}

/// Defines the kind of plan with these steps, and the actor that carries them out.
macro_rules! steps {
    ($($name:ident in $($module:ident)::+,)+) => {
        $(pub use $($module)::+::$name;)+

        /// A step's content. It describes the step in full, and its type defines how it is carried out.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case", tag = "step")]
        #[expect(missing_docs, reason = "the step itself says what it is")]
        pub enum StepKind {
            $($name($name),)+
        }

        impl StepKind {
            /// Every step, by the name of its type.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// The name of the step's type.
            pub fn name(&self) -> &'static str {
                match self {
                    $(StepKind::$name(_) => stringify!($name),)+
                }
            }
        }

        $(impl From<$name> for StepKind {
            fn from(step: $name) -> Self {
                StepKind::$name(step)
            }
        })+

        impl $crate::graph::Kind for StepKind {
            fn sentence(&self) -> String {
                match self {
                    $(StepKind::$name(step) => step.sentence(),)+
                }
            }

            fn undo_sentence(&self) -> String {
                match self {
                    $(StepKind::$name(step) => step.undo_sentence(),)+
                }
            }

            fn stage(&self) -> &'static str {
                match self {
                    $(StepKind::$name(_) => <$name as Act>::STAGE.name(),)+
                }
            }

            fn target(&self) -> Option<&str> {
                match self {
                    $(StepKind::$name(step) => step.target(),)+
                }
            }

            fn class(&self) -> $crate::graph::Class {
                match self {
                    $(StepKind::$name(_) => <$name as Act>::CLASS,)+
                }
            }

            fn limits(&self) -> $crate::graph::StepLimits {
                match self {
                    $(StepKind::$name(_) => <$name as Act>::LIMITS,)+
                }
            }

            fn interruptible(&self) -> bool {
                match self {
                    $(StepKind::$name(_) => <$name as Act>::WAITS,)+
                }
            }

            fn milestone(&self) -> Option<&'static str> {
                match self {
                    $(StepKind::$name(_) => <$name as Act>::MILESTONE,)+
                }
            }
        }

        impl $crate::engine::Actor<StepKind> for Steps {
            async fn check(&self, kind: &StepKind) -> Result<$crate::graph::Check> {
                match kind {
                    $(StepKind::$name(step) => step.check(&self.0).await,)+
                }
            }

            async fn apply(&self, kind: &StepKind, progress: &Progress) -> Result<()> {
                match kind {
                    $(StepKind::$name(step) => step.apply(&self.0, progress).await,)+
                }
            }

            async fn undo(&self, kind: &StepKind, progress: &Progress) -> Result<()> {
                match kind {
                    $(StepKind::$name(step) => step.undo(&self.0, progress).await,)+
                }
            }
        }
    };
}

pub(super) use {goes_with_its_nodes, steps};
