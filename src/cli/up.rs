//! `hearth up`: look, ask, run.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::json;

use super::args::{PlanArgs, UpArgs};
use super::cluster::{self, Target};
use super::outlook::{self, Outlook};
use super::run::{self, Opening, Run};
use super::{Context, UsageError, members, plan, recover};
use crate::cluster::kubeconfig;
use crate::components::removal::Holding;
use crate::components::render;
use crate::doctor::{self, Severity};
use crate::engine::Outcome;
use crate::error::{Result, chain};
use crate::event::Direction;
use crate::graph::Plan;
use crate::plan::build;
use crate::plan::decide::{Seen, decide};
use crate::profile::Workloads;
use crate::provider::Provider;
use crate::scenario::undo::Until;
use crate::state::RunId;
use crate::steps::{Session, StepKind};
use crate::ui;

pub async fn run(context: &Context, args: UpArgs) -> Result<u8> {
    if args.dry_run {
        let UpArgs { profile, bundle, delete_data, forget, .. } = args;
        let args = PlanArgs { profile, bundle, delete_data, forget, dot: false, offline: false, detailed_exitcode: false };
        return plan::run(context, args).await;
    }
    let Target { profile, why } = cluster::wanted(&args.profile)?;
    let merge_into = args.kubeconfig.map(|path| path.unwrap_or_else(kubeconfig::user_file));
    let session = cluster::session(profile, Some(&args.bundle), merge_into)?;
    render::trial(&session.profile)?;
    recover::wake(context, &session).await?;
    members::refuse_to_forget_the_living(&session, &args.forget).await?;
    for archive in session.store.unreadable() {
        context.say(format!("{}: its images are looked for elsewhere", chain(&archive)));
    }
    let missing = session.nowhere().await.unwrap_or_default();
    let findings = doctor::preflight(&session.profile, &session.provider, &missing, session.merge_into.as_deref()).await?;
    for finding in findings.iter() {
        match finding.severity {
            Severity::Error | Severity::Warning => context.say(finding.to_string()),
            Severity::Info => context.printer.detail(finding),
        }
    }
    let leaving = session.leaving(args.delete_data, &args.forget).await?;
    let mut decisions = decide(&session.profile, Some(&Seen::of(&session).await?));
    decisions.delete_data = args.delete_data;
    let plan = build::up(&session.profile, &leaving, &decisions)?;
    let outlook = Outlook::of(&session.profile, &why)
        .with_nodes(&session.provider.existing().await?)
        .with_lost(&leaving)
        .with_decisions(&decisions)
        .with_fetch(outlook::fetch(&session).await?);
    let checks = if args.yes { Vec::new() } else { plan::look(&plan, session.clone()).await };
    context.say(outlook.with_steps(&plan, &checks).with_removal(&session.removal().await, args.delete_data).text());
    if !args.yes {
        ui::confirm(&context.printer, "Go on?")?;
    }
    let last_words = "run `hearth up` to go on, or `hearth down` to clean up";
    let opening = Opening { id: RunId::new(), verb: "up", wait: args.wait, last_words };
    let (((applied, vip), away), _lock) = run::open(context, &session, opening, async |running| {
        members::refuse_stale(&session)?;
        if session.leaving(args.delete_data, &args.forget).await? != leaving {
            return Err(UsageError::Changed { name: session.profile.name.clone() }.into());
        }
        running.unless_stopped(recover::heal_early(context, &session, running)).await??;
        members::keep(&session, &[]).await?;
        let applied = apply(&session, running, &plan, args.parallel.into(), args.timeout).await?;
        let away = if leaving.is_empty() { Vec::new() } else { members::keep(&session, &args.forget).await? };
        running.unless_stopped(recover::heal(&session, running, Until::Settled)).await??;
        Ok((applied, away))
    })
    .await?;
    if let Some(words) = members::unreleased(&session.profile, &away) {
        context.say(words);
    }
    let kept = if args.delete_data { Vec::new() } else { session.removal().await.holds };
    arrived(context, &session, Arrival { steps: plan.steps().len(), applied, vip, kept })?;
    Ok(0)
}

/// Runs the plan; returns how many steps had something to do, and the gateway's address.
async fn apply(
    session: &Arc<Session>,
    running: &Run,
    plan: &Plan<StepKind>,
    parallel: usize,
    timeout: std::time::Duration,
) -> Result<(usize, Option<Ipv4Addr>)> {
    let applied = match running.execute(session, plan, Direction::Apply, parallel, timeout).await {
        Outcome::Completed { applied, .. } => applied,
        other => return other.into_result().map(|()| (0, None)),
    };
    let vip = match session.profile.components.istio {
        Some(_) => Some(running.unless_stopped(session.vip()).await??),
        None => None,
    };
    Ok((applied, vip))
}

/// The result of a run.
struct Arrival {
    /// Number of steps in the plan.
    steps: usize,
    /// Number of steps that had something to do.
    applied: usize,
    /// The gateway's address.
    vip: Option<Ipv4Addr>,
    /// What the profile no longer asks for but is kept because of what it holds.
    kept: Vec<Holding>,
}

/// Prints what there is now, and what can be done with it.
fn arrived(context: &Context, session: &Session, arrival: Arrival) -> Result<()> {
    let Arrival { steps, applied, vip, kept } = arrival;
    let (file, name) = (session.state.kubeconfig(), &session.profile.name);
    let host = session.profile.components.workloads.as_ref().and_then(Workloads::host);
    let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
    context.result(
        &json!({"name": name, "changed": applied > 0, "steps": steps, "applied": applied, "vip": vip, "host": host, "kept": kept,
            "kubeconfig": file, "context": kubeconfig::context(name)}),
        || {
            let mut text = match applied {
                0 => format!("Cluster `{name}` is as the profile wants it: nothing changed\n"),
                _ => format!("Cluster `{name}` is up\n"),
            };
            if let Some(vip) = vip {
                text.push_str(&format!("  gateway     {}\n", gateway(vip, host.as_deref())));
            }
            for (at, held) in kept.iter().enumerate() {
                text.push_str(&format!("  {:<11} {held}\n", if at == 0 { "kept" } else { "" }));
            }
            if !kept.is_empty() {
                text.push_str("              (the profile no longer asks for it; `hearth up --delete-data` removes it)\n");
            }
            text.push_str(&format!("  kubeconfig  export KUBECONFIG={}\n", file.display()));
            text.push_str("  next        hearth status · hearth test scenarios/pod-kill-retry.yaml · hearth down");
            text
        },
    )
}

/// Where the application answers: by host name if it has one, with the command that reaches it until a DNS entry exists.
pub fn gateway(vip: Ipv4Addr, host: Option<&str>) -> String {
    match host {
        Some(host) => format!("http://{host}/ at {vip} (curl --resolve {host}:80:{vip} http://{host}/)"),
        None => format!("http://{vip}/"),
    }
}
