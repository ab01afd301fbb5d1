//! `hearth up`: plan, preflight, run.

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::json;

use super::args::UpArgs;
use super::run::{self, Opening};
use super::{Context, UsageError, cluster};
use crate::cluster::kubeconfig;
use crate::components::render;
use crate::doctor;
use crate::engine::Outcome;
use crate::error::Result;
use crate::event::{Direction, Event};
use crate::plan::build;
use crate::plan::decide::{Seen, decide};
use crate::scenario::{
    self,
    undo::{self, Hands},
};
use crate::state::RunId;
use crate::steps::Session;

pub async fn run(context: &Context, args: UpArgs) -> Result<u8> {
    if args.dry_run {
        let plan_args = super::args::PlanArgs {
            profile: args.profile,
            bundle: args.bundle,
            dot: false,
            offline: false,
            detailed_exitcode: false,
        };
        return super::plan::run(context, plan_args).await;
    }
    let profile = cluster::load(&args.profile)?;
    let merge_into = args.kubeconfig.map(|path| path.unwrap_or_else(kubeconfig::user_file));
    let session = cluster::session(profile, Some(&args.bundle), merge_into)?;
    render::trial(&session.profile)?;
    let missing = session.nowhere().await.unwrap_or_default();
    let findings = doctor::preflight(&session.profile, &session.provider, &missing, session.merge_into.as_deref()).await?;
    for finding in findings.iter() {
        context.printer.detail(finding);
    }
    let leaving = session.leaving().await?;
    let decisions = decide(&session.profile, Some(&Seen::of(&session).await?));
    let plan = build::up(&session.profile, &leaving, &decisions)?;
    if !args.yes {
        let gone: Vec<String> = leaving.iter().map(|node| format!(" node {} will be removed;", node.name)).collect();
        confirm(context, &format!("{} steps;{} go on?", plan.steps().len(), gone.concat()))?;
    }
    let last_words = "run `hearth up` to go on, or `hearth down` to clean up";
    let opening = Opening { id: RunId::new(), verb: "up", wait: args.wait, last_words };
    let ((applied, vip), _lock) = run::open(context, &session, opening, async |running| {
        let kept = session.profile.keep(&session.state.profile());
        kept.map_err(|source| UsageError::Write { path: session.state.root().display().to_string(), source })?;
        let outcome = running.execute(&session, &plan, Direction::Apply, args.parallel.into(), args.timeout).await;
        let vip = match (&outcome, &session.profile.components.istio) {
            (Outcome::Completed { .. }, Some(_)) => Some(running.unless_stopped(session.vip()).await??),
            _ => None,
        };
        let applied = match &outcome {
            Outcome::Completed { applied, .. } => *applied,
            _ => 0,
        };
        outcome.into_result()?;
        heal(&session, running).await?;
        Ok((applied, vip))
    })
    .await?;
    arrived(context, &session, plan.steps().len(), applied, vip)?;
    Ok(0)
}

/// Takes back what killed test runs have left.
async fn heal(session: &Session, running: &run::Run) -> Result<()> {
    let hands = Hands { client: session.client().await?.clone(), nodes: Some(scenario::nodes(session.provider.clone())) };
    for object in undo::heal(&hands, &session.state.undo_journal()).await? {
        running.events.emit(Event::Healed { object });
    }
    Ok(())
}

/// What there is now, and what can be done with it.
fn arrived(context: &Context, session: &Session, steps: usize, applied: usize, vip: Option<Ipv4Addr>) -> Result<()> {
    let file: PathBuf = session.state.kubeconfig();
    let name = &session.profile.name;
    context.result(
        &json!({"name": name, "changed": applied > 0, "steps": steps, "applied": applied, "vip": vip,
            "kubeconfig": file, "context": kubeconfig::context(name)}),
        || {
            let mut text = match applied {
                0 => format!("Cluster `{name}` is as the profile wants it: nothing changed\n"),
                _ => format!("Cluster `{name}` is up\n"),
            };
            if let Some(vip) = vip {
                text.push_str(&format!("  gateway     http://{vip}/\n"));
            }
            text.push_str(&format!("  kubeconfig  export KUBECONFIG={}\n", file.display()));
            text.push_str("  next        hearth status · hearth test scenarios/pod-kill-retry.yaml · hearth down");
            text
        },
    )
}

/// Asks on the terminal; without one, asking is an error.
pub fn confirm(context: &Context, question: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(UsageError::NotATerminal.into());
    }
    context.printer.err(format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(UsageError::Stdin)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(UsageError::NotConfirmed.into()),
    }
}
