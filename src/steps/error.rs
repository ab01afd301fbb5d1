//! What a session itself can fail with, and what to do about it.

use std::net::Ipv4Addr;

use crate::error::{Explain, Family};
use crate::profile::AddressRange;
use crate::provider::machine::lease::Holder;

/// What a session itself can fail with.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A host is not as it was.
    #[error("clean-up left something behind on {host}:\n  {left}")]
    Left {
        /// The host.
        host: String,
        /// What, a line each.
        left: String,
    },
    /// Somebody else works on a host.
    #[error("another run works on host {host}: {} of {}, for {} s more unless renewed", holder.who, holder.desk, holder.ends_in)]
    Leased {
        /// The host.
        host: String,
        /// Who.
        holder: Holder,
    },
    /// A step of one provider met the nodes of the other.
    #[error("this needs nodes of provider {wants}")]
    OtherProvider {
        /// Which.
        wants: &'static str,
    },
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
            SessionError::OtherProvider { .. } => Family::Internal,
            SessionError::Left { .. } => Family::Leftover,
            SessionError::ControlPlaneStopped { .. } => Family::NotReady,
            _ => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SessionError::Leased { .. } => {
                Some("wait until it is done; `hearth unlock` shows and takes the lease of a run that died".into())
            }
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
