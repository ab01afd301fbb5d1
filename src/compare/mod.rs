//! Comparisons: two arms measured against each other, with a verdict that holds.
//!
//! In: two addresses and a question. Out: a [`Comparison`], even if the answer is that nothing can be concluded. Only the arms,
//! this machine's counters and, where arms are services, their cluster are looked at; nothing is changed anywhere.
//!
//! 1. `schema`, `file`, `plan`: the question becomes a [`Declaration`], sealed by a digest before the first request.
//!    `address`: finds the address of an arm that is a service of the cluster.
//! 2. `arm`: checks that both arms answer, and answer the same.
//! 3. `run`, with `measure`, `warm_up` and `turns`: calibration, warm-up, A/A, then the duet: one open-loop schedule whose adjacent
//!    requests go to both arms in random order; at last one arm at a time in blocks, and requests one by one. `kubelet`: if
//!    a claim is about pods or memory, each arm has the load alone while the kubelets are asked.
//! 4. `window`, `machine`: windows of as many requests to each arm; those that the generator or the machine spoilt are void
//!    for both, by gates that do not know the arms.
//! 5. `analysis`, `distribution`, `conclude`, `verdict`: estimates from the windows that count, and the verdict; `resources`,
//!    `claim`: what the kubelets' figures come to, and what others' figures are worth here. Pure.
//!
//! The design follows "Always measure one level deeper" (Ousterhout, CACM 61, 2018) and duet benchmarking (Bulej et al., ICPE
//! 2020); the statistics have their sources in `statistics`.

mod address;
mod analysis;
mod arm;
mod claim;
mod conclude;
mod distribution;
mod error;
mod file;
mod kubelet;
mod machine;
mod margin;
mod measure;
mod metric;
mod plan;
pub mod record;
mod resources;
mod run;
pub mod schema;
mod turns;
mod verdict;
mod warm_up;
mod window;

use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;

pub use claim::{Claim, ClaimRecord, Judgement, MeanClaim, Method};
pub use error::CompareError;
pub use file::{json_schema, load_file, result_schema};
pub use margin::Margin;
pub use metric::Metric;
pub use plan::{Declaration, Flaw, Seal};
pub use record::Comparison;
pub use resources::{PodRecord, ResourcesRecord, working_set};
pub use schema::Spec;
pub use verdict::Verdict;

use crate::event::{Event, Events};
use crate::load::Stall;

/// What a comparison needs besides the question.
pub struct Context {
    /// The run's name.
    pub run: String,
    /// Where all events go.
    pub events: Events,
    /// The cluster that arms are services of; none when all are URLs.
    pub client: Option<Client>,
    /// Cancels it; the result so far is then marked as incomplete.
    pub cancel: CancellationToken,
}

/// Compares two arms.
///
/// # Errors
/// It cannot start: the question makes no sense, an arm is a service without an address, does not answer or answers wrongly,
/// both arms are the same or their answers differ. A measurement that does not count is no error, but a verdict.
pub async fn run(name: &str, spec: &Spec, context: &Context) -> Result<Comparison, CompareError> {
    run_with(name, spec, context, None).await
}

/// The same; `stall` makes the generator stop during the duet, at the first time for the second.
async fn run_with(name: &str, spec: &Spec, context: &Context, stall: Stall) -> Result<Comparison, CompareError> {
    let mut declaration = Declaration::of(spec).map_err(|flaws| CompareError::Flawed { flaws })?;
    address::look_up(&mut declaration.arms, context.client.as_ref()).await?;
    let mut record = Comparison::begun(name, &context.run, Seal::now(declaration));
    let declaration = record.declaration.content.clone();
    context.events.emit(Event::Measuring { what: "whether both arms answer, and answer alike".into() });
    let arms = arm::prepare(&declaration.arms, &declaration.expect, &context.run).await?;
    let body = arms[0].body.filter(|_| !declaration.expect.different_bodies);
    let bench = measure::Bench { declaration: &declaration, run: &context.run, body, cancel: &context.cancel, stall };
    let (client, events, found) = (context.client.as_ref(), &context.events, run::Found::default());
    let experiment = run::Experiment { bench, arms: &arms, client, events, found };
    let found = experiment.run().await?;
    conclude::conclude(&mut record, &found, &arms);
    record.finished = Timestamp::now();
    let (comparison, verdict) = (name.to_owned(), record.verdict.name().to_owned());
    context.events.emit(Event::ComparisonFinished { comparison, verdict });
    Ok(record)
}

#[cfg(test)]
mod tests;
