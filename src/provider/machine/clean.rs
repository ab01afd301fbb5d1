//! A node becomes a plain host again.

use std::time::Duration;

use ipnet::Ipv4Net;

use super::{script, stock};
use crate::provider::{Node, NodeError};

const SCRIPT: &str = include_str!("clean.sh");

/// Ends everything of the cluster on the host and removes what it was made of. May be repeated.
pub async fn clean(node: &impl Node, pod_subnet: Ipv4Net) -> Result<(), NodeError> {
    let subnet = pod_subnet.to_string();
    node.run(script(SCRIPT, [subnet.as_str()]).timeout(Duration::from_secs(120))).await.map(drop)
}

/// What is not as it was before the first change, one line each; then the host is forgotten, unless something is left.
pub async fn verify(node: &impl Node) -> Result<Vec<String>, NodeError> {
    let Some(before) = stock::kept(node).await? else { return Ok(Vec::new()) };
    let after = stock::Stock::parse(&stock::take(node).await?);
    let differences = after.differences(&before);
    if differences.is_empty() {
        stock::forget(node).await?;
    }
    Ok(differences)
}
