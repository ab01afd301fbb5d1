//! Looking without touching: for `plan` and `status`, and to see whether there is anything to do.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Actor, Check, Options, attempt};
use crate::error::{BoxError, Result};
use crate::graph::{Kind, Plan, StepId};

/// Checks every step, in parallel within `options`, each within its own time limit. Changes nothing.
/// The result is in the plan's order.
pub async fn check_all<K: Kind, A: Actor<K>>(plan: &Plan<K>, actor: &Arc<A>, options: &Options) -> Vec<(StepId, Result<Check>)> {
    let slots = Arc::new(Semaphore::new(options.parallel.max(1)));
    let mut tasks = JoinSet::new();
    let mut results: Vec<Option<Result<Check>>> = Vec::new();
    let mut positions = std::collections::HashMap::new();
    for (position, step) in plan.steps().iter().enumerate() {
        let (actor, slots, kind) = (actor.clone(), slots.clone(), step.kind.clone());
        let task = tasks.spawn(async move {
            let _slot = slots.acquire_owned().await; // never closed
            attempt::check(&*actor, &kind).await
        });
        positions.insert(task.id(), position);
        results.push(None);
    }
    while let Some(joined) = tasks.join_next_with_id().await {
        let (task, result) = match joined {
            Ok((task, result)) => (task, result.map_err(BoxError::from)),
            Err(error) => (error.id(), Err(attempt::panicked(error).into())),
        };
        results[positions[&task]] = Some(result);
    }
    plan.steps().iter().zip(results).filter_map(|(step, result)| Some((step.id.clone(), result?))).collect()
}
