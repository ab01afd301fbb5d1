//! What each provider contributes to plans: how its nodes come to be, what can wait, and how they go.

use std::collections::BTreeMap;

use super::decide::Decisions;
use crate::graph::{PlanBuilder, StepId};
use crate::profile::{NodeSpec, Profile};
use crate::steps::{ReservePool, StepKind};

/// A provider's part of every plan.
pub(super) trait Fragment {
    /// The steps by which nodes come to be.
    fn boot(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, decisions: &Decisions) -> Booted;
    /// What nobody waits for until the application answers. `answered` are the steps after which it does, `loaded` those
    /// after which nodes have the components' images.
    fn late(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, answered: &[StepId], loaded: &[StepId]) -> Late;
    /// The steps whose undoing takes away nodes that exist, and what Hearth made for them; those of nodes.
    fn down(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, nodes: &[NodeSpec]) -> Vec<StepId>;
}

/// Nodes that have come to be.
pub(super) struct Booted {
    /// The step after which each is there.
    pub nodes: BTreeMap<String, StepId>,
    /// What else the control plane waits for.
    pub control_plane: Option<StepId>,
    /// What else the cluster's services wait for: images that the API server can do without.
    pub services: Option<StepId>,
}

/// Steps that come late.
pub(super) struct Late {
    /// Those that are part of a cluster that is whole.
    pub finished: Vec<StepId>,
    /// Those that only serve later clusters.
    pub kept: Vec<StepId>,
}

/// The step that reserves addresses for load balancers, where there is a component that hands them out.
pub(super) fn pool(profile: &Profile, decisions: &Decisions) -> Option<ReservePool> {
    profile.components.metallb.as_ref().map(|_| ReservePool { range: decisions.pool })
}
