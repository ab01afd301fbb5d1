//! Plans as graphs: refused at construction when two steps share a name, or a dependency is unknown or circular.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::Kind;
use crate::error::{Explain, Family};

/// A step's name: stable from run to run, unique in its plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(String);

impl StepId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for StepId {
    fn from(name: T) -> Self {
        StepId(name.into())
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to do, and what has to be done before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<K> {
    /// The step's name.
    pub id: StepId,
    /// What to do.
    pub kind: K,
    /// Steps that must be finished first.
    pub after: BTreeSet<StepId>,
}

impl<K: Kind> Serialize for Step<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 6)?;
        step.serialize_field("id", &self.id)?;
        step.serialize_field("sentence", &self.kind.sentence())?;
        step.serialize_field("target", &self.kind.target())?;
        step.serialize_field("class", &self.kind.class())?;
        step.serialize_field("after", &self.after)?;
        step.serialize_field("kind", &self.kind)?;
        step.end()
    }
}

/// Steps in an order in which they can run: every step comes after the steps it depends on, and is otherwise where the builder
/// put it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "K: Kind")]
pub struct Plan<K> {
    name: String,
    steps: Vec<Step<K>>,
}

impl<K: Kind> Plan<K> {
    /// Starts an empty plan; `name` is the cluster's.
    pub fn builder(name: impl Into<String>) -> PlanBuilder<K> {
        PlanBuilder { name: name.into(), steps: Vec::new() }
    }

    /// The name of the cluster it is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All steps, dependencies first.
    pub fn steps(&self) -> &[Step<K>] {
        &self.steps
    }

    /// The step with that name.
    pub fn get(&self, id: &StepId) -> Option<&Step<K>> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// For every step, by position in [`Plan::steps`], the positions of the steps it depends on.
    pub fn dependencies(&self) -> Vec<Vec<usize>> {
        let position = positions(&self.steps);
        self.steps.iter().map(|step| step.after.iter().filter_map(|id| position.get(id).copied()).collect()).collect()
    }
}

/// Collects steps; [`PlanBuilder::build`] checks them.
#[derive(Debug)]
pub struct PlanBuilder<K> {
    name: String,
    steps: Vec<Step<K>>,
}

impl<K: Kind> PlanBuilder<K> {
    /// Adds a step that runs after all of `after`, and returns its name for later steps to refer to.
    pub fn add<'a>(&mut self, id: impl Into<StepId>, kind: impl Into<K>, after: impl IntoIterator<Item = &'a StepId>) -> StepId {
        let id = id.into();
        self.steps.push(Step { id: id.clone(), kind: kind.into(), after: after.into_iter().cloned().collect() });
        id
    }

    /// The plan in its order.
    ///
    /// # Errors
    /// Two steps with the same name, a dependency on an unknown step, or steps that wait for each other.
    pub fn build(self) -> Result<Plan<K>, PlanError> {
        let position = positions(&self.steps);
        if position.len() < self.steps.len() {
            let mut seen = BTreeSet::new();
            let twice = self.steps.into_iter().find(|step| !seen.insert(step.id.clone()));
            return Err(PlanError::Duplicate { step: twice.map_or_else(|| "".into(), |step| step.id) });
        }
        for step in &self.steps {
            if let Some(dependency) = step.after.iter().find(|id| !position.contains_key(id)) {
                return Err(PlanError::Unknown { step: step.id.clone(), dependency: dependency.clone() });
            }
        }
        let order = order(&self.steps, &position)?;
        let mut steps: Vec<Option<Step<K>>> = self.steps.into_iter().map(Some).collect();
        Ok(Plan { name: self.name, steps: order.into_iter().filter_map(|at| steps[at].take()).collect() })
    }
}

fn positions<K>(steps: &[Step<K>]) -> HashMap<&StepId, usize> {
    steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect()
}

/// Kahn's algorithm, always taking the earliest step that is free, so that the builder's order is kept where possible.
fn order<K>(steps: &[Step<K>], position: &HashMap<&StepId, usize>) -> Result<Vec<usize>, PlanError> {
    let mut missing: Vec<usize> = steps.iter().map(|step| step.after.len()).collect();
    let mut free: BTreeSet<usize> = (0..steps.len()).filter(|at| missing[*at] == 0).collect();
    let mut order = Vec::with_capacity(steps.len());
    while let Some(at) = free.pop_first() {
        order.push(at);
        for (later, step) in steps.iter().enumerate() {
            if step.after.contains(&steps[at].id) {
                missing[later] -= 1;
                if missing[later] == 0 {
                    free.insert(later);
                }
            }
        }
    }
    match (0..steps.len()).find(|at| missing[*at] > 0) {
        None => Ok(order),
        Some(stuck) => Err(PlanError::Cycle { steps: cycle(steps, position, &missing, stuck) }),
    }
}

/// Follows stuck dependencies from a stuck step until one comes up again: that part is the cycle.
fn cycle<K>(steps: &[Step<K>], position: &HashMap<&StepId, usize>, missing: &[usize], stuck: usize) -> Vec<StepId> {
    let mut path = vec![stuck];
    loop {
        let here = path[path.len() - 1];
        let Some(next) = steps[here].after.iter().map(|id| position[id]).find(|at| missing[*at] > 0) else {
            return Vec::new(); // a stuck step always has a stuck dependency
        };
        if let Some(first) = path.iter().position(|at| *at == next) {
            path.push(next);
            return path[first..].iter().map(|at| steps[*at].id.clone()).collect();
        }
        path.push(next);
    }
}

/// Why a plan was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum PlanError {
    /// Two steps share a name.
    #[error("the plan has two steps named `{step}`")]
    Duplicate { step: StepId },
    /// A dependency that is not a step of the plan.
    #[error("step `{step}` depends on `{dependency}`, which is not in the plan")]
    Unknown { step: StepId, dependency: StepId },
    /// Steps that wait for each other.
    #[error("steps wait for each other: {}", .steps.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" after "))]
    Cycle {
        /// The cycle; its first step is repeated at the end.
        steps: Vec<StepId>,
    },
}

impl Explain for PlanError {
    fn family(&self) -> Family {
        Family::Profile
    }
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize)]
    struct Do(&'static str);

    impl Kind for Do {
        fn sentence(&self) -> String {
            format!("Do `{}`", self.0)
        }
        fn target(&self) -> Option<&str> {
            None
        }
        fn class(&self) -> Class {
            Class::InPlace
        }
    }

    fn plan(steps: &[(&'static str, &[&str])]) -> Result<Plan<Do>, PlanError> {
        let mut builder = Plan::builder("demo");
        for (id, after) in steps {
            let after: Vec<StepId> = after.iter().map(|id| StepId::from(*id)).collect();
            builder.add(*id, Do(id), &after);
        }
        builder.build()
    }

    #[test]
    fn order_follows_dependencies_and_otherwise_the_builder() {
        let plan = plan(&[("d", &["c"]), ("b", &[]), ("a", &[]), ("c", &["a", "b"])]).expect("valid");
        let order: Vec<&str> = plan.steps().iter().map(|step| step.id.as_str()).collect();
        assert_eq!(order, ["b", "a", "c", "d"]);
        assert_eq!(plan.dependencies(), [vec![], vec![], vec![1, 0], vec![2]]);
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        let refused = |steps: &[(&'static str, &[&str])]| plan(steps).expect_err("refused").to_string();
        assert_eq!(refused(&[("a", &[]), ("a", &[])]), "the plan has two steps named `a`");
        assert_eq!(refused(&[("a", &["x"])]), "step `a` depends on `x`, which is not in the plan");
        assert_eq!(refused(&[("a", &["a"])]), "steps wait for each other: `a` after `a`");
        assert_eq!(
            refused(&[("z", &[]), ("d", &["a"]), ("a", &["c", "z"]), ("b", &["a"]), ("c", &["b"])]),
            "steps wait for each other: `a` after `c` after `b` after `a`"
        );
    }

    #[test]
    fn json_carries_what_a_reader_needs() {
        let plan = plan(&[("a", &[]), ("b", &["a"])]).expect("valid");
        assert_eq!(
            serde_json::to_value(&plan.steps()[1]).expect("plain data"),
            serde_json::json!({"id": "b", "sentence": "Do `b`", "target": null, "class": "in-place", "after": ["a"], "kind": "b"})
        );
    }
}
