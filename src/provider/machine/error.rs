//! What can keep a machine from becoming a node, or a plain host again.

use super::lease::{Holder, TERM};
use super::leases::Lost;
use crate::error::{Explain, Family};

/// A host cannot be worked on, or was not restored.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum MachineError {
    /// A host is not as it was before.
    #[error("clean-up left something behind on {host}:\n  {left}")]
    Left {
        host: String,
        /// The differences, a line each.
        left: String,
    },
    /// Another run is working on a host.
    #[error("another run works on host {host}: {} of {}, for {} s more unless renewed", holder.who, holder.desk, holder.ends_in)]
    Leased { host: String, holder: Holder },
    /// Another run has taken over a host, or the lease on it has ended.
    #[error("the lease of host {host} is lost: {}", lost_to(.holder.as_ref()))]
    Lost { host: String, holder: Option<Holder> },
    /// The host is marked for another cluster.
    #[error("host {host} is part of cluster `{cluster}`")]
    Foreign { host: String, cluster: String },
    /// Folders that the cluster would fill are not empty.
    #[error("host {host} has data where the cluster would put its own: {}", folders.join(", "))]
    Filled { host: String, folders: Vec<String> },
    /// The host does not have the address given in the profile.
    #[error("host {host} has no network with its address in the profile, so none can be chosen for load balancers")]
    NoNetwork { host: String },
}

/// What happened to a lease, in words.
fn lost_to(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => format!("{} of {} has it now", holder.who, holder.desk),
        None => format!("it was not renewed for {} s", TERM.as_secs()),
    }
}

impl From<Lost> for MachineError {
    fn from(Lost { host, holder }: Lost) -> Self {
        MachineError::Lost { host, holder }
    }
}

impl Explain for MachineError {
    fn family(&self) -> Family {
        match self {
            MachineError::Left { .. } => Family::Leftover,
            _ => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            MachineError::Left { .. } => None,
            MachineError::Leased { .. } => {
                Some("wait until it is done; `hearth unlock` shows and takes the lease of a run that died".into())
            }
            MachineError::Lost { .. } => {
                Some("this run has stopped, so that no two work on one host; run the same command again to go on".into())
            }
            MachineError::Foreign { cluster, .. } => Some(format!("`hearth down --name {cluster}` takes it out of there")),
            MachineError::Filled { .. } => {
                Some("move it away, or use another host: clean-up would not know it from the cluster's own".into())
            }
            MachineError::NoNetwork { .. } => Some("write the pool into spec.components.metallb.pool".into()),
        }
    }
}
