//! The addresses for load balancers: no two clusters on one network assign the same ones.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::error::SessionError;
use super::{Act, Session, Stage, goes_with_its_nodes, there};
use crate::components::address_pool;
use crate::decision::Choice;
use crate::error::Result;
use crate::graph::{Check, Class, StepLimits};
use crate::profile::{AddressRange, Profile};
use crate::progress::Progress;
use crate::provider::{Network, Provider};

/// The cluster's address pool is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReservePool {
    /// The pool, if it was decided before the run.
    pub range: Option<AddressRange>,
}

impl Act for ReservePool {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        match self.range {
            Some(range) => format!("Reserve {range} for load balancers"),
            None => "Reserve addresses for load balancers".into(),
        }
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(there(session.provider.has_pool(session.given_pool()).await?))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let pool = session.reserve_pool(self.range).await?;
        if self.range.is_some_and(|range| range != pool) {
            progress.say(format!("another cluster has taken some of it: {pool} instead"));
        }
        Ok(())
    }

    goes_with_its_nodes!();
}

/// The pool for a cluster on a network: the profile's, the recorded one, the preferred one if it is still free, or else a free
/// one.
///
/// # Errors
/// There is no room for one on the network.
pub fn choose(given: Option<AddressRange>, network: &Network, preferred: Option<AddressRange>) -> Result<Choice<AddressRange>> {
    let Network { subnet, used, taken, own } = network;
    let free = |range: &AddressRange| address_pool::check(*range, *subnet, used, taken, 1).is_ok();
    Ok(match (given, own, preferred.filter(free)) {
        (Some(given), ..) => Choice::new(given, "as the profile says"),
        (None, Some(own), _) => Choice::new(*own, "the cluster has it already"),
        (None, None, Some(preferred)) => Choice::new(preferred, "as planned, and still free"),
        (None, None, None) => address_pool::plan(*subnet, used, taken, address_pool::AUTOMATIC_SIZE)?,
    })
}

/// The gateway's address: the profile's, or the first one in the pool.
///
/// # Errors
/// The profile's address is not in the pool.
pub fn vip(profile: &Profile, pool: AddressRange) -> Result<Choice<Ipv4Addr>, SessionError> {
    match profile.components.istio.as_ref().and_then(|istio| istio.gateway.vip.given()) {
        Some(vip) if !pool.contains(vip) => Err(SessionError::VipOutsidePool { vip, pool }),
        Some(vip) => Ok(Choice::new(vip, "as the profile says")),
        None => Ok(Choice::new(pool.first, "the first of the pool")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_stays_what_it_was_and_moves_out_of_the_way_of_others() {
        let range = |text: &str| text.parse::<AddressRange>().expect("a range");
        let network = |own: Option<&str>, taken: &[&str]| Network {
            subnet: "172.18.0.0/16".parse().expect("a subnet"),
            used: Vec::new(),
            taken: taken.iter().map(|text| range(text)).collect(),
            own: own.map(range),
        };
        let chosen = |given: Option<&str>, network: &Network, preferred: Option<&str>| {
            choose(given.map(range), network, preferred.map(range)).expect("room").value.to_string()
        };
        let (top, next) = ("172.18.255.200-172.18.255.249", "172.18.255.150-172.18.255.199");
        assert_eq!(chosen(None, &network(None, &[]), None), top);
        assert_eq!(chosen(None, &network(None, &[]), Some(next)), next, "what was planned is kept");
        assert_eq!(chosen(None, &network(None, &[top]), Some(top)), next, "unless somebody has it by now");
        assert_eq!(chosen(None, &network(Some(next), &[]), Some(top)), next, "what is recorded stays");
        assert_eq!(chosen(Some("172.18.1.1-172.18.1.9"), &network(Some(next), &[]), None), "172.18.1.1-172.18.1.9");
    }
}
