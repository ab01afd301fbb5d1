//! `hearth status`: what runs, where, and what is wrong.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::Context;
use super::args::StatusArgs;
use super::cluster::{self, Target};
use super::up::gateway;
use crate::cluster::ready;
use crate::error::{Explain, Family, Result};
use crate::profile::{NodeSpec, Workloads};
use crate::provider::{NodeView, Provider};
use crate::scenario::undo;
use crate::steps::Session;
use crate::steps::settled::{self, Look};
use std::sync::Arc;

/// What `status` prints; the JSON form is this very value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    name: String,
    /// Why this cluster and no other.
    why: String,
    vip: Option<std::net::Ipv4Addr>,
    /// The host name that the application answers to; none if it answers to any.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    nodes: Vec<NodeStatus>,
    components: Vec<ComponentStatus>,
    /// Everything that is wrong, in one list; empty when all is well.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct NodeStatus {
    name: String,
    role: String,
    address: Option<std::net::Ipv4Addr>,
    state: String,
}

#[derive(Debug, Serialize)]
struct ComponentStatus {
    component: String,
    state: String,
}

/// The cluster is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{} wrong with cluster `{name}`", if *.problems == 1 { "one thing is".to_owned() } else { format!("{problems} things are") })]
struct Unwell {
    name: String,
    problems: usize,
}

impl Explain for Unwell {
    fn family(&self) -> Family {
        Family::NotReady
    }

    fn hint(&self) -> Option<String> {
        Some("`hearth up` repairs what it can; `hearth logs NODE` shows a node's log".into())
    }
}

pub async fn run(context: &Context, args: StatusArgs) -> Result<u8> {
    let Target { profile, why } = cluster::existing(&args.profile)?;
    let session = cluster::session(profile, None, None)?;
    // for a moment the engine lists a stopped container as running: a failed look is repeated once
    let status = match look(&session, why.to_string()).await {
        Err(_) => look(&session, why.to_string()).await?,
        found => found?,
    };
    let problems = status.problems.len();
    context.result(&status, || text(&status))?;
    match problems {
        0 => Ok(0),
        _ => Err(Unwell { name: status.name, problems }.into()),
    }
}

async fn look(session: &Arc<Session>, why: String) -> Result<Status> {
    let existing = cluster::nodes(session).await?;
    let mut status = Status {
        name: session.profile.name.clone(),
        why,
        vip: None,
        host: session.profile.components.workloads.as_ref().and_then(Workloads::host),
        nodes: Vec::new(),
        components: Vec::new(),
        problems: Vec::new(),
    };
    let wanted = session.profile.nodes();
    for NodeSpec { name, .. } in wanted.iter().filter(|spec| existing.iter().all(|node| node.name != spec.name)) {
        status.problems.push(format!("node {name}: does not exist"));
    }
    for node in existing.iter().filter(|node| !node.running) {
        status.problems.push(format!("node {}: {}", node.name, node.problem));
    }
    let names: Vec<String> = existing.iter().filter(|node| node.running).map(|node| node.name.clone()).collect();
    let not_ready = match session.client().await {
        Ok(client) => ready::node_problems(client, &names).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    let reachable = not_ready.is_ok();
    let not_ready = not_ready.unwrap_or_else(|error| {
        status.problems.push(format!("API server: {}", crate::error::chain(&*error).replace('\n', ";")));
        Vec::new()
    });
    for node in &existing {
        let problem = not_ready.iter().find(|problem| problem.node == node.name);
        let state = match (node.running, problem) {
            (false, _) => node.status.clone(),
            (true, Some(_)) => "not Ready".into(),
            (true, None) if reachable => "Ready".into(),
            (true, None) => "running".into(),
        };
        let (name, role) = (node.name.clone(), node.role.to_string());
        status.nodes.push(NodeStatus { name, role, address: node.address, state });
    }
    status.problems.extend(not_ready.into_iter().map(|problem| format!("node {problem}")));
    if reachable {
        components(session, &existing, &mut status).await?;
        let left = undo::standing(session.client().await?, &session.state.undo_journal()).await?;
        let told = |change: undo::Change| {
            format!("{}: changed by test run {} and not changed back; `hearth recover` does that", change.undo, change.run)
        };
        status.problems.extend(left.into_iter().map(told));
    }
    Ok(status)
}

/// Components and the gateway's address.
async fn components(session: &Arc<Session>, existing: &[NodeView], status: &mut Status) -> Result<()> {
    if session.profile.components.istio.is_some() {
        status.vip = Some(session.vip().await?);
    }
    let running: Vec<_> =
        existing.iter().filter(|node| node.running).map(|node| NodeSpec { name: node.name.clone(), role: node.role }).collect();
    let nodes = session.provider.nodes(&running).await?;
    let (look, pod_network) = tokio::try_join!(Look::at(session, &nodes), settled::pod_network_problems(session, &nodes))?;
    status.problems.extend(pod_network);
    status.components.extend(look.parts.into_iter().map(|(part, works)| ComponentStatus {
        component: part.to_string(),
        state: if works { "works" } else { "does not work" }.into(),
    }));
    status.problems.extend(look.problems);
    status.problems.extend(settled::edited(session).await?);
    Ok(())
}

fn text(status: &Status) -> String {
    let mut nodes = table(&["node", "role", "address", "state"]);
    for node in &status.nodes {
        let address = node.address.map(|address| address.to_string()).unwrap_or_default();
        nodes.add_row([&node.name, &node.role, &address, &node.state]);
    }
    let mut text = format!("Cluster `{}`, {}\n\n{nodes}\n", status.name, status.why);
    if !status.components.is_empty() {
        let mut components = table(&["component", "state"]);
        for component in &status.components {
            components.add_row([&component.component, &component.state]);
        }
        text.push_str(&format!("\n{components}\n"));
    }
    if let Some(vip) = status.vip {
        text.push_str(&format!("\ngateway   {}\n", gateway(vip, status.host.as_deref())));
    }
    match status.problems.as_slice() {
        [] => text.push_str("\nall is well"),
        problems => {
            text.push_str(&format!("\nwrong:\n{}", problems.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n")))
        }
    }
    text
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    table
}
