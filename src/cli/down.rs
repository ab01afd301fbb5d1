//! `hearth down`: remove what exists, then look again and name what is left.

use serde_json::json;

use super::args::DownArgs;
use super::run::{self, Opening};
use super::{Context, cluster, up};
use crate::cluster::kubeconfig;
use crate::error::{Explain, Family, Result};
use crate::event::Direction;
use crate::graph::Kind;
use crate::plan::build;
use crate::profile::NodeSpec;
use crate::provider::Provider;
use crate::state::RunId;
use crate::steps::kubeconfig as step;

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
    let profile = cluster::existing(&args.profile)?;
    let name = profile.name.clone();
    let session = cluster::session(profile, None, args.kubeconfig.clone())?;
    let existing = session.provider.existing().await?;
    let nodes: Vec<_> = existing.into_iter().map(|node| NodeSpec { name: node.name, role: node.role }).collect();
    let plan = build::down(&session.profile, &nodes)?;
    let before = session.provider.holdings().await?;
    if args.dry_run {
        let sentences: Vec<String> = plan.steps().iter().rev().map(|step| step.kind.undo_sentence()).collect();
        context.result(&json!({"name": name, "steps": sentences}), || sentences.join("\n"))?;
        return Ok(0);
    }
    if nodes.is_empty() && !session.state.exists() {
        context.result(&json!({"name": name, "removed": []}), || format!("There is no cluster `{name}`: nothing to remove"))?;
        return Ok(0);
    }
    if !args.yes {
        up::confirm(context, &format!("This removes cluster `{name}` with {} nodes and all their data. Go on?", nodes.len()))?;
    }
    let with = if before.volumes.is_empty() { ": it is a plain host again" } else { " and its volume" };
    let mut removed: Vec<String> = nodes.iter().map(|node| format!("node {}{with}", node.name)).collect();
    let opening = Opening { id: RunId::new(), verb: "down", wait: args.wait, last_words: "run `hearth down` again to go on" };
    let (left, lock) = run::open(context, &session, opening, async |running| {
        running.execute(&session, &plan, Direction::Undo, 16, args.timeout).await.into_result()?;
        if let (Some(network), None) = (&before.network, session.provider.holdings().await?.network) {
            removed.push(format!("network {network}"));
        }
        let mut left = running.unless_stopped(session.provider.leftovers(&before)).await??;
        left.extend(step::leftovers(&session)?);
        Ok(left)
    })
    .await?;
    if !left.is_empty() {
        return Err(LeftoverError { left }.into());
    }
    session.state.remove(lock)?;
    removed.push(format!("kubeconfig context {}", kubeconfig::context(&name)));
    removed.push(format!("state {}", session.state.root().display()));
    let kept = match session.provider.machines() {
        Ok(machines) => machines.kept().await,
        Err(_containers) => Vec::new(),
    };
    context.result(&json!({"name": name, "removed": removed, "kept": kept}), || {
        let list = |items: &[String]| items.iter().map(|item| format!("  {item}\n")).collect::<String>();
        let kept = if kept.is_empty() { String::new() } else { format!("Kept, as it is not Hearth's:\n{}", list(&kept)) };
        format!("Cluster `{name}` is gone. Removed:\n{}{kept}Nothing of it is left", list(&removed))
    })?;
    Ok(0)
}
