//! What a session itself can fail with, and what to do about it.

use std::net::Ipv4Addr;

use crate::error::{Explain, Family};
use crate::profile::AddressRange;

/// What a session itself can fail with.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// What the control plane has can only be told when it runs.
    #[error("control plane `{node}` does not run: {status}")]
    ControlPlaneStopped {
        /// Its name.
        node: String,
        /// Its state in words.
        status: String,
    },
    /// A blocking task was dropped.
    #[error("interrupted")]
    Interrupted,
    /// A node cannot leave without loss.
    #[error("the profile no longer asks for nodes that hold volumes: {volumes}")]
    VolumeLost {
        /// Each volume with its node.
        volumes: String,
    },
    /// Nodes have no network yet.
    #[error("the nodes' network does not exist yet: there is nothing to plan an address pool in")]
    NoNetwork,
    /// The pool and the VIP do not fit.
    #[error("address {vip} for the gateway is not in the address pool {pool}")]
    VipOutsidePool {
        /// The address.
        vip: Ipv4Addr,
        /// The pool.
        pool: AddressRange,
    },
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
            SessionError::VolumeLost { .. } => {
                Some("keep the node in the profile, or save the data and delete the volume's claim first".into())
            }
            SessionError::VipOutsidePool { .. } => {
                Some("leave out spec.components.istio.gateway.vip, or give a pool that holds it".into())
            }
            _ => None,
        }
    }
}
