//! `hearth recover`: shows what a killed test run left changed, and takes it back. `up` and `test` begin with the same.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::args::RecoverArgs;
use super::run::{self, Opening, Run};
use super::{Context, cluster};
use crate::error::{BoxError, Result, chain};
use crate::event::Event;
use crate::scenario::undo::{self, Change, Hands, Until};
use crate::scenario::{self, Nodes};
use crate::state::{Lock, RunId, StateError};
use crate::steps::Session;
use crate::ui;

/// How long an API server may take to answer before it counts as unreachable.
const ANSWER: Duration = Duration::from_secs(10);

pub async fn run(context: &Context, args: RecoverArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    let name = session.profile.name.clone();
    cluster::nodes(&session).await?;
    match Lock::acquire(&session.state, &RunId::new(), None).await {
        Err(held @ StateError::Held { .. }) if args.dry_run => context.say(format!("{held}\nits own changes are among these")),
        free => drop(free?),
    }
    let left = left(context, &session).await?;
    let found: Vec<Value> = left.iter().map(document).collect();
    if left.is_empty() || args.dry_run {
        context.result(&json!({"name": name, "left": found, "healed": []}), || match left.is_empty() {
            true => format!("No test run has left anything changed in cluster `{name}`"),
            false => lines(&left),
        })?;
        return Ok(0);
    }
    context.say(format!("Left changed in cluster `{name}`:\n{}", lines(&left)));
    if !args.yes {
        ui::confirm(&context.printer, "Take all this back?")?;
    }
    let opening = Opening { id: RunId::new(), verb: "recover", wait: None, last_words: "run `hearth recover` to go on" };
    let (healed, _lock) = run::open(context, &session, opening, async |running| {
        wake_nodes(context, &session).await;
        running.unless_stopped(heal(&session, running, Until::Settled)).await?
    })
    .await?;
    context.result(&json!({"name": name, "left": found, "healed": healed}), || {
        healed.iter().map(|what| format!("taken back: {what}")).collect::<Vec<_>>().join("\n")
    })?;
    Ok(0)
}

/// What is still changed, as far as that is known now: without an API server, as the journal file has it.
async fn left(context: &Context, session: &Session) -> Result<Vec<Change>> {
    let journal = session.state.undo_journal();
    let asked = async { Ok::<_, BoxError>(undo::standing(session.client().await?, &journal).await?) };
    let why = match timeout(ANSWER, asked).await {
        Ok(Ok(left)) => return Ok(left),
        Ok(Err(error)) => chain(&*error),
        Err(_) => format!("no answer within {ANSWER:?}"),
    };
    context.say(format!("the cluster's own list of changes cannot be read now: {why}"));
    Ok(undo::noted(&journal)?)
}

fn document(change: &Change) -> Value {
    json!({"id": change.id, "what": change.undo.to_string(), "undo": change.undo.sentence(), "run": change.run,
        "at": change.at, "lease": change.lease})
}

fn lines(left: &[Change]) -> String {
    let line = |change: &Change| {
        let lease = change.lease.map(|end| format!("; by itself at {end:.0}")).unwrap_or_default();
        format!("  {} (changed by run {} at {:.0}{lease})", change.undo.sentence(), change.run, change.at)
    };
    left.iter().rev().map(line).collect::<Vec<_>>().join("\n")
}

fn nodes(session: &Session) -> Arc<dyn Nodes> {
    scenario::nodes(session.provider.clone())
}

/// Resumes nodes that a killed run left paused, before anything looks at them and waits. While another run holds the cluster,
/// paused nodes are its business.
pub async fn wake(context: &Context, session: &Session) -> Result<()> {
    let journal = session.state.undo_journal();
    if undo::noted(&journal)?.iter().any(|change| change.undo.is_of_node())
        && let Ok(_lock) = Lock::acquire(&session.state, &RunId::new(), None).await
    {
        wake_nodes(context, session).await;
    }
    Ok(())
}

/// A node that cannot be reached may be what the verb is there to repair: it is reported, but is no failure yet.
async fn wake_nodes(context: &Context, session: &Session) {
    if let Err(error) = undo::wake_nodes(&*nodes(session), &session.state.undo_journal()).await {
        context.say(chain(&error));
    }
}

/// Takes back what killed runs have left, if an API server answers: before one is made or repaired, none does. Does not wait for
/// rollouts: they may need the repair.
pub async fn heal_early(context: &Context, session: &Session, running: &Run) -> Result<()> {
    if undo::noted(&session.state.undo_journal())?.is_empty() {
        return Ok(());
    }
    wake_nodes(context, session).await;
    let answers = async { Ok::<_, BoxError>(session.client().await?.apiserver_version().await.is_ok()) };
    if matches!(timeout(ANSWER, answers).await, Ok(Ok(true)))
        && let Err(error) = heal(session, running, Until::Written).await
    {
        context.say(format!("not taken back yet: {}", chain(&*error)));
    }
    Ok(())
}

/// Takes back what killed runs have left, and reports each change.
pub async fn heal(session: &Session, running: &Run, until: Until) -> Result<Vec<String>> {
    let hands = Hands { client: session.client().await?.clone(), nodes: Some(nodes(session)) };
    let healed = undo::heal(&hands, &session.state.undo_journal(), until).await?;
    for object in &healed {
        running.events.emit(Event::Healed { object: object.clone() });
    }
    Ok(healed)
}
