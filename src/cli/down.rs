//! `hearth down`: remove what exists, then look again and name what is left.

use serde_json::json;

use super::args::DownArgs;
use super::run::{self, Way};
use super::{Context, cluster, up};
use crate::cluster::kubeconfig;
use crate::error::{Explain, Family, Result};
use crate::plan::{Kind, build};
use std::time::Duration;

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
    let nodes: Vec<_> = session.provider.own_containers().await?.into_iter().map(|c| (c.name, c.role)).collect();
    let plan = build::down(&name, &nodes)?;
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
    let running = run::begin(context, &session, args.wait).await?;
    let volumes = session.provider.volumes().await?;
    let network = session.provider.has_network().await?;
    let outcome = run::execute(context, &session, &running, &plan, Way::Down, 16, Duration::from_secs(300)).await?;
    outcome.into_result()?;

    let mut removed: Vec<String> = nodes.iter().map(|(node, _)| format!("node {node} and its volume")).collect();
    if network && !session.provider.has_network().await? {
        removed.push("network kind".into());
    }
    removed.push(format!("kubeconfig context {}", kubeconfig::context(&name)));
    removed.push(format!("state {}", session.state.root().display()));
    session.state.remove(running.lock)?;
    let left = session.leftovers(&volumes).await?;
    if !left.is_empty() {
        return Err(LeftoverError { left }.into());
    }
    context.result(&json!({"name": name, "removed": removed}), || {
        let list: Vec<String> = removed.iter().map(|item| format!("  {item}")).collect();
        format!("Cluster `{name}` is gone. Removed:\n{}\nNothing of it is left", list.join("\n"))
    })?;
    Ok(0)
}
