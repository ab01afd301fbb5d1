//! What can go wrong in a session itself, and what to do about it.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::error::{Explain, Family};
use crate::profile::AddressRange;

/// What can go wrong in a session itself.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The profile changes values that no later run can change.
    #[error("cluster `{cluster}` was made with other values, which stay as long as it lives:\n  {differences}")]
    Unchangeable {
        cluster: String,
        /// Field, current value, and the profile's value, a line each.
        differences: String,
    },
    /// The same machine under two names.
    #[error("node `{was}` is called `{now}` in the profile: both are at {address}")]
    Renamed { was: String, now: String, address: Ipv4Addr },
    /// Workers are left, but their control plane is gone.
    #[error("cluster `{cluster}` has lost its control plane: `{node}` has none of its state, and {joined} belonged to it")]
    ControlPlaneGone {
        cluster: String,
        /// Where the control plane was, or should be.
        node: String,
        /// Nodes that joined it.
        joined: String,
    },
    /// The control plane does not run, so its state is not known.
    #[error("control plane `{node}` does not run: {status}")]
    ControlPlaneStopped {
        node: String,
        /// Its state in words.
        status: String,
    },
    /// A file on this machine cannot be read, so it is not known whether it is as it should be.
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A blocking task was dropped.
    #[error("interrupted")]
    Interrupted,
    /// A node cannot leave without losing data.
    #[error("the profile no longer asks for nodes that hold volumes: {volumes}")]
    VolumeLost {
        /// Each volume with its node.
        volumes: String,
        /// Those of the nodes that do not answer.
        away: Vec<String>,
    },
    /// Nodes have no network yet.
    #[error("the nodes' network does not exist yet: there is nothing to plan an address pool in")]
    NoNetwork,
    /// The VIP is not in the pool.
    #[error("address {vip} for the gateway is not in the address pool {pool}")]
    VipOutsidePool { vip: Ipv4Addr, pool: AddressRange },
}

impl Explain for SessionError {
    fn family(&self) -> Family {
        match self {
            SessionError::Interrupted => Family::Interrupted,
            SessionError::ControlPlaneStopped { .. } => Family::NotReady,
            _ => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SessionError::Unchangeable { cluster, .. } => Some(format!(
                "give the old values to keep the cluster; `hearth down --name {cluster}` and `hearth up` make it anew, without its data"
            )),
            SessionError::ControlPlaneGone { cluster, .. } => Some(format!(
                "what the cluster stored is lost; save what the workers' volumes hold, then `hearth down --name {cluster}` and `hearth up`"
            )),
            SessionError::Renamed { was, .. } => Some(format!(
                "call it {was} again; a node gets another name by leaving the profile first, and coming back in a later run"
            )),
            SessionError::VolumeLost { away, .. } if away.is_empty() => {
                Some("keep the node in the profile, or save the data and delete the volume's claim first".into())
            }
            SessionError::VolumeLost { away, .. } => {
                let forget = away.iter().map(|host| format!(" --forget {host}")).collect::<String>();
                Some(format!(
                    "keep the node in the profile until it is back, or say that it and its data are gone for good: `hearth up{forget}`"
                ))
            }
            SessionError::VipOutsidePool { .. } => {
                Some("leave out spec.components.istio.gateway.vip, or give a pool that holds it".into())
            }
            _ => None,
        }
    }
}
