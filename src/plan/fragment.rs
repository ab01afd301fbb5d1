//! What each provider contributes to plans: how its nodes are made, what can wait, and how they are removed.

use std::collections::BTreeMap;

use super::decide::Decisions;
use crate::graph::{PlanBuilder, StepId};
use crate::profile::{NodeSpec, Profile};
use crate::steps::{ReservePool, StepKind};

/// A provider's part of every plan.
pub(super) trait Fragment {
    /// Adds the steps that make the nodes.
    fn boot(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, decisions: &Decisions) -> Booted;
    /// Adds the steps that wait until the application answers. `answered` are the steps after which it does, `loaded` those
    /// after which nodes have the components' images.
    fn late(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, answered: &[StepId], loaded: &[StepId]) -> Late;
    /// Adds the steps whose undoing removes existing nodes, and what Hearth made for them; returns those of the nodes.
    fn down(&self, plan: &mut PlanBuilder<StepKind>, profile: &Profile, nodes: &[NodeSpec]) -> Vec<StepId>;
}

/// The nodes, in the plan.
pub(super) struct Booted {
    /// For each node, the step after which it exists.
    pub nodes: BTreeMap<String, StepId>,
    /// What else the control plane has to wait for.
    pub control_plane: Option<StepId>,
    /// What else the cluster's services have to wait for: images that the API server does not need.
    pub services: Option<StepId>,
}

/// Steps that may come late.
pub(super) struct Late {
    /// Steps without which the cluster is not complete.
    pub finished: Vec<StepId>,
    /// Steps that only help later clusters.
    pub kept: Vec<StepId>,
}

/// The step that reserves addresses for load balancers, if there is a component that assigns them.
pub(super) fn pool(profile: &Profile, decisions: &Decisions) -> Option<ReservePool> {
    profile.components.metallb.as_ref().map(|_| ReservePool { range: decisions.pool })
}
