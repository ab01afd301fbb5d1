//! Which cluster a host belongs to: a mark with the cluster's name, written together with the host's stock and copies of its
//! files before anything else is changed, and checked before anything is removed.

use ipnet::Ipv4Net;

use super::error::MachineError;
use super::{HOME, OWN, clean, file, places, read, script, stock};
use crate::error::Result;
use crate::profile::AddressRange;
use crate::provider::{Node, NodeError, SHA256};

const SCRIPT: &str = include_str!("claim.sh");
/// The file with the name of the cluster that a host belongs to.
const MARK: &str = "/var/lib/hearth/cluster";
/// The file with the address pool chosen for the cluster, on its control plane.
const POOL: &str = "/var/lib/hearth/pool";
/// Exit statuses of the script.
const FOREIGN: i64 = 76;
const FILLED: i64 = 77;

/// The name of the cluster that a host is marked for.
pub async fn cluster(node: &impl Node) -> Result<Option<String>, NodeError> {
    let name = read(node, MARK).await?;
    Ok(Some(name.trim().to_owned()).filter(|name| !name.is_empty()))
}

/// Claims a host for the cluster: takes its stock, saves the files that will be overwritten, and marks it. May be repeated.
///
/// # Errors
/// [`MachineError::Foreign`] and [`MachineError::Filled`]; the host is then unchanged.
pub async fn claim(node: &impl Node, cluster: &str, pod_subnet: Ipv4Net) -> Result<()> {
    let release = format!("release() {{ cat <<'END-OF-RELEASE'\n{}END-OF-RELEASE\n}}\n", clean::by_hand(cluster, pod_subnet));
    let text = [SHA256, &places::shell(), OWN, stock::SCRIPT, &release, SCRIPT].concat();
    let subnet = pod_subnet.to_string();
    let command = script(&text, [cluster, &subnet]);
    let argv = command.argv.clone();
    let output = node.exec(command).await?;
    let host = node.name().to_owned();
    match output.status {
        FOREIGN => Err(MachineError::Foreign { host, cluster: output.text() }.into()),
        FILLED => Err(MachineError::Filled { host, folders: output.text().lines().map(str::to_owned).collect() }.into()),
        _ => Ok(node.expect_success(&argv, output).map(drop)?),
    }
}

/// Removes the mark and everything else that Hearth keeps on the host; the last step of a clean-up.
pub async fn forget(node: &impl Node) -> Result<(), NodeError> {
    node.run(crate::provider::Command::new(["rm", "-rf", HOME])).await.map(drop)
}

/// The address pool recorded on a control plane.
pub(super) async fn pool(node: &impl Node) -> Result<Option<AddressRange>, NodeError> {
    Ok(read(node, POOL).await?.trim().parse().ok())
}

/// Records the address pool.
pub(super) async fn keep_pool(node: &impl Node, pool: AddressRange) -> Result<(), NodeError> {
    node.put(vec![file(POOL, format!("{pool}\n"))]).await
}
