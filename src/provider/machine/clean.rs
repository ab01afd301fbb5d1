//! Turning a node into a plain host again.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::{HOME, OWN, claim, places, script, stock};
use crate::provider::{Command, Node, NodeError, SHA256, THAW};

const SCRIPT: &str = include_str!("clean.sh");
/// Exit status of the script: the host does not bear the cluster's mark.
const NOT_OURS: i64 = 76;

/// The result of cleaning a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What the clean-up left on purpose, and why, one line each.
    pub kept: Vec<String>,
    /// What should have been removed but is left, one line each.
    pub left: Vec<String>,
}

/// Ends everything of the cluster on the host and removes what it was made of; then compares the host with its state before the
/// first change, and forgets the host if nothing differs. A host without the cluster's mark is not touched. May be repeated.
pub async fn clean(node: &impl Node, cluster: &str, pod_subnet: Ipv4Net, peers: &[Ipv4Addr]) -> Result<Cleaned, NodeError> {
    let mut arguments = vec![cluster.to_owned()];
    arguments.extend(super::network_arguments(pod_subnet, peers));
    let command = script(&text(), arguments.iter().map(String::as_str)).timeout(Duration::from_secs(120));
    let argv = command.argv.clone();
    let output = node.exec(command).await?;
    if output.status == NOT_OURS {
        // what an interrupted claim had begun to write
        node.run(Command::new(["rm", "-rf", &format!("{HOME}.new")])).await?;
        return Ok(Cleaned::default());
    }
    let kept: Vec<String> = node.expect_success(&argv, output)?.text().lines().map(str::to_owned).collect();
    let left = match (stock::kept(node).await?, stock::take(node, pod_subnet, peers).await?) {
        (Some(before), Some(after)) => after.differences(&before, &kept),
        (None, _) => {
            vec![format!("the stock in {HOME} is lost: what was there before the cluster cannot be told from what is left")]
        }
        (_, None) => vec!["the host could not be looked at".to_owned()],
    };
    if left.is_empty() {
        claim::forget(node).await?;
    }
    Ok(Cleaned { kept, left })
}

/// A script that does the same on the host itself, for a host that Hearth cannot reach. It is kept in [`HOME`].
pub(super) fn by_hand(cluster: &str, pod_subnet: Ipv4Net) -> String {
    format!(
        "#!/bin/sh\n# Makes this a plain host again, where Hearth cannot do it: sh {HOME}/release, as root.\nset -- '{cluster}' {pod_subnet}\n{}rm -rf {HOME}\n",
        text()
    )
}

fn text() -> String {
    [SHA256, &places::shell(), OWN, THAW, SCRIPT].concat()
}
