//! `hearth down`: remove what exists, then look again and name what is left.

use serde_json::json;

use super::args::DownArgs;
use super::cluster::{self, Target, Why};
use super::members::{self, MembersError};
use super::outlook::Outlook;
use super::run::{self, Opening};
use super::{Context, UsageError};
use crate::cluster::kubeconfig;
use crate::error::{Explain, Family, Result};
use crate::event::Direction;
use crate::graph::{Kind, Plan};
use crate::plan::build;
use crate::profile::{Host, NodeSpec};
use crate::provider::{Holdings, Provider};
use crate::state::RunId;
use crate::steps::kubeconfig as step;
use crate::steps::{Session, StepKind};
use crate::ui::{self, AskError};

/// Something of the cluster is still there.
#[derive(Debug, thiserror::Error)]
#[error("clean-up left something behind:\n{}", .left.iter().map(|item| format!("  {item}")).collect::<Vec<_>>().join("\n"))]
struct LeftoverError {
    left: Vec<String>,
}

impl Explain for LeftoverError {
    fn family(&self) -> Family {
        Family::Leftover
    }

    fn hint(&self) -> Option<String> {
        Some("run `hearth down` again; what stays after that is in use by something else".into())
    }
}

pub async fn run(context: &Context, args: DownArgs) -> Result<u8> {
    let Target { profile, why } = cluster::existing(&args.profile)?;
    let name = profile.name.clone();
    let session = cluster::session(profile, None, args.kubeconfig.clone())?;
    let found = Found::look(&session).await?;
    found.refuse_unknown(&session, &args.forget)?;
    if args.dry_run {
        let sentences: Vec<String> = found.plan.steps().iter().rev().map(|step| step.kind.undo_sentence()).collect();
        context.result(&json!({"name": name, "why": why.to_string(), "steps": sentences}), || sentences.join("\n"))?;
        return Ok(0);
    }
    if found.nodes.is_empty() && found.away.is_empty() && !session.state.exists() {
        context.result(&json!({"name": name, "removed": []}), || format!("There is no cluster `{name}`: nothing to remove"))?;
        return Ok(0);
    }
    let mut removed = found.names();
    removed.push(format!("kubeconfig context {}", kubeconfig::context(&name)));
    removed.push(format!("state {}", session.state.root().display()));
    context.say(Outlook::of_removal(&session.profile, &why, removed.clone()).text());
    // a guess at which cluster is meant is confirmed even with `--yes`
    if !args.yes || why == Why::Only {
        match ui::confirm(&context.printer, "This cannot be taken back. Go on?") {
            Err(AskError::NotATerminal) if why == Why::Only => return Err(UsageError::Guess { name }.into()),
            answer => answer?,
        }
    }
    let opening = Opening { id: RunId::new(), verb: "down", wait: args.wait, last_words: "run `hearth down` again to go on" };
    let ((left, away), lock) = run::open(context, &session, opening, async |running| {
        // another run may have made nodes while this one waited
        members::refuse_stale(&session)?;
        let now = Found::look(&session).await?;
        if !args.yes && (&now.nodes, &now.away) != (&found.nodes, &found.away) {
            return Err(UsageError::Changed { name: name.clone() }.into());
        }
        running.execute(&session, &now.plan, Direction::Undo, 16, args.timeout).await.into_result()?;
        if let (Some(network), None) = (&now.holdings.network, session.provider.holdings().await?.network) {
            removed.push(format!("network {network}"));
        }
        let mut left = running.unless_stopped(session.provider.leftovers(&now.holdings)).await??;
        left.extend(step::leftovers(&session)?);
        Ok((left, now.away))
    })
    .await?;
    if !left.is_empty() {
        return Err(LeftoverError { left }.into());
    }
    let (forgotten, away): (Vec<Host>, Vec<Host>) = away.into_iter().partition(|host| args.forget.contains(&host.name));
    if !away.is_empty() {
        let hosts = away.into_iter().map(|host| host.name).collect();
        return Err(MembersError::Away { cluster: name, hosts }.into());
    }
    session.state.remove(lock)?;
    if !forgotten.is_empty() {
        return Err(MembersError::forgotten(&session.profile, &forgotten).into());
    }
    gone(context, &session, &removed).await?;
    Ok(0)
}

/// Prints what was removed, and what was kept because it is not Hearth's.
async fn gone(context: &Context, session: &Session, removed: &[String]) -> Result<()> {
    let name = &session.profile.name;
    let kept = session.provider.kept().await;
    context.result(&json!({"name": name, "removed": removed, "kept": kept}), || {
        let list = |items: &[String]| items.iter().map(|item| format!("  {item}\n")).collect::<String>();
        let kept = if kept.is_empty() { String::new() } else { format!("Kept, as it is not Hearth's:\n{}", list(&kept)) };
        format!("Cluster `{name}` is gone. Removed:\n{}{kept}Nothing of it is left", list(removed))
    })
}

/// What exists of a cluster.
struct Found {
    nodes: Vec<NodeSpec>,
    /// Hosts that do not answer: nothing can be done about them now.
    away: Vec<Host>,
    /// What the cluster holds besides its nodes.
    holdings: Holdings,
    plan: Plan<StepKind>,
}

impl Found {
    async fn look(session: &Session) -> Result<Found> {
        let existing = session.provider.existing().await?;
        let is_away = |host: &Host| existing.iter().any(|node| node.away && node.name == host.name);
        let away = session.provider.hosts().into_iter().filter(is_away).collect();
        let there = existing.iter().filter(|node| !node.away);
        let nodes: Vec<_> = there.map(|node| NodeSpec { name: node.name.clone(), role: node.role }).collect();
        let plan = build::down(&session.profile, &nodes)?;
        Ok(Found { nodes, away, holdings: session.provider.holdings().await?, plan })
    }

    /// Refuses to forget a host that does not belong to the cluster. One that answers is cleaned like all others.
    fn refuse_unknown(&self, session: &Session, forgotten: &[String]) -> Result<()> {
        let known = |host: &String| {
            self.nodes.iter().any(|node| node.name == *host)
                || self.away.iter().any(|away| away.name == *host)
                || session.profile.nodes().contains(host)
        };
        match forgotten.iter().find(|host| !known(host)) {
            Some(host) => Err(UsageError::NotToForget { name: session.profile.name.clone(), host: host.clone(), why: "" }.into()),
            None => Ok(()),
        }
    }

    /// A line for each node, with what happens to it.
    fn names(&self) -> Vec<String> {
        let with = if self.holdings.volumes.is_empty() { ": it is a plain host again" } else { " and its volume" };
        let nodes = self.nodes.iter().map(|node| format!("node {}{with}", node.name));
        nodes.chain(self.away.iter().map(|host| format!("node {}, which does not answer: not now", host.name))).collect()
    }
}
