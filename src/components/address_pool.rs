//! The address pool of the load balancer: pure arithmetic on the nodes' network and the addresses in use on it.
//!
//! Docker and DHCP servers hand out addresses from the bottom of a network, so a pool is taken from the top.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::decision::Choice;
use crate::error::{Explain, Family};
use crate::profile::{AddressRange, Pool};

/// Where a pool starts within the last 256 addresses of its network, if nothing is in the way.
const PREFERRED: u32 = 200;

/// Number of addresses in a pool that is chosen for the user.
pub const AUTOMATIC_SIZE: u32 = 50;

/// A network has no room for a pool, or a given pool does not fit into it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum PoolError {
    /// No free range is long enough.
    #[error("{network} has no {wanted} free addresses in a row, the longest free range has {longest}")]
    Full {
        network: Ipv4Net,
        wanted: u32,
        /// The length of the longest free range.
        longest: u64,
    },
    /// The pool is not within the network.
    #[error("pool {range} is outside of the nodes' network {network}")]
    Outside { range: AddressRange, network: Ipv4Net },
    /// The pool contains the network's own address or its broadcast address.
    #[error("pool {range} contains {address}, which {network} keeps for itself")]
    Reserved { range: AddressRange, network: Ipv4Net, address: Ipv4Addr },
    /// The pool contains the address of a gateway, node or container.
    #[error("pool {range} contains {address}, which is in use")]
    Used { range: AddressRange, address: Ipv4Addr },
    /// The pool shares addresses with the pool of another cluster.
    #[error("pool {range} overlaps {other}, the pool of another cluster")]
    Taken { range: AddressRange, other: AddressRange },
    /// The pool has fewer addresses than are needed.
    #[error("pool {range} has {} of the {needed} addresses that are needed", range.size())]
    TooSmall {
        range: AddressRange,
        /// Number of services of type LoadBalancer.
        needed: u32,
    },
}

impl Explain for PoolError {
    fn family(&self) -> Family {
        match self {
            PoolError::Full { .. } => Family::Preflight,
            _ => Family::Profile,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            PoolError::Full { .. } => {
                "take down a cluster on this network, or set spec.components.metallb.pool to a smaller range".to_owned()
            }
            _ => "write `pool: auto` to have a free range chosen".to_owned(),
        })
    }
}

/// Chooses `size` free addresses in a row: from `.200` on in the network's last 256 addresses if they are free, else the
/// topmost free ones. `used` are addresses of gateways, nodes and containers, `taken` the pools of other clusters.
///
/// # Errors
/// [`PoolError::Full`] if there is no such range; also for a `size` of 0, and for /31 and /32 networks, all of whose addresses
/// are reserved.
pub fn plan(network: Ipv4Net, used: &[Ipv4Addr], taken: &[AddressRange], size: u32) -> Result<Choice<AddressRange>, PoolError> {
    let gaps = gaps(network, used, taken);
    let longest = gaps.iter().map(AddressRange::size).max().unwrap_or(0);
    if size == 0 || longest < u64::from(size) {
        return Err(PoolError::Full { network, wanted: size, longest });
    }
    let broadcast = u32::from(network.broadcast());
    if network.prefix_len() <= 24 {
        let first = (broadcast & !0xff) + PREFERRED;
        let preferred = AddressRange { first: first.into(), last: first.saturating_add(size - 1).into() };
        if gaps.iter().any(|gap| gap.first <= preferred.first && preferred.last <= gap.last) {
            return Ok(Choice::new(preferred, format!("near the top of {network}, where nothing else hands out addresses")));
        }
    }
    let gap = gaps.iter().rev().find(|gap| gap.size() >= u64::from(size));
    // `longest` shows that there is one
    let Some(gap) = gap else { return Err(PoolError::Full { network, wanted: size, longest }) };
    let range = AddressRange { first: (u32::from(gap.last) - (size - 1)).into(), last: gap.last };
    Ok(Choice::new(range, format!("the topmost {size} free addresses in a row of {network}")))
}

/// Addresses that components need from a pool given in the profile: one for the gateway.
const SERVICES: u32 = 1;

/// Checks a profile's pool against the network as it is: a given range has to fit, and if one is to be chosen, there has to be
/// room. `recorded` is the pool that the cluster already has.
///
/// # Errors
/// Why it does not fit.
pub fn fits(
    pool: Pool,
    network: Ipv4Net,
    used: &[Ipv4Addr],
    taken: &[AddressRange],
    recorded: Option<AddressRange>,
) -> Result<(), PoolError> {
    match (pool, recorded) {
        (Pool::Range(range), _) => check(range, network, used, taken, SERVICES),
        (Pool::Auto, Some(_)) => Ok(()),
        (Pool::Auto, None) => plan(network, used, taken, AUTOMATIC_SIZE).map(|_| ()),
    }
}

/// Checks a pool given in the profile against the live network; `needed` is the number of addresses that will be taken from it.
///
/// # Errors
/// The first problem: outside, reserved, in use, another cluster's, too small.
pub fn check(
    range: AddressRange,
    network: Ipv4Net,
    used: &[Ipv4Addr],
    taken: &[AddressRange],
    needed: u32,
) -> Result<(), PoolError> {
    if !network.contains(&range.first) || !network.contains(&range.last) {
        return Err(PoolError::Outside { range, network });
    }
    if let Some(address) = [network.network(), network.broadcast()].into_iter().find(|address| range.contains(*address)) {
        return Err(PoolError::Reserved { range, network, address });
    }
    if let Some(address) = used.iter().copied().filter(|address| range.contains(*address)).min() {
        return Err(PoolError::Used { range, address });
    }
    if let Some(other) = taken.iter().copied().find(|other| range.overlaps(other)) {
        return Err(PoolError::Taken { range, other });
    }
    if range.size() < u64::from(needed) {
        return Err(PoolError::TooSmall { range, needed });
    }
    Ok(())
}

/// Free ranges of a network from bottom to top, without its first and last address.
fn gaps(network: Ipv4Net, used: &[Ipv4Addr], taken: &[AddressRange]) -> Vec<AddressRange> {
    // 64 bits, so that the address after 255.255.255.255 is a number
    let number = |address: Ipv4Addr| u64::from(u32::from(address));
    let mut blocked: Vec<(u64, u64)> = used.iter().map(|address| (number(*address), number(*address))).collect();
    blocked.extend(taken.iter().map(|range| (number(range.first), number(range.last))));
    blocked.push((number(network.broadcast()), u64::MAX - 1));
    blocked.sort_unstable();

    let mut gaps = Vec::new();
    let mut free = number(network.network()) + 1;
    for (first, last) in blocked {
        if first > free {
            // both ends are within the network, which ends before the last block begins
            gaps.push(AddressRange { first: (free as u32).into(), last: ((first - 1) as u32).into() });
        }
        free = free.max(last + 1);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().expect("a network")
    }

    fn range(text: &str) -> AddressRange {
        text.parse().expect("a range")
    }

    fn address(text: &str) -> Ipv4Addr {
        text.parse().expect("an address")
    }

    fn planned(network: &str, used: &[&str], taken: &[&str], size: u32) -> String {
        let used: Vec<_> = used.iter().map(|text| address(text)).collect();
        let taken: Vec<_> = taken.iter().map(|text| range(text)).collect();
        plan(net(network), &used, &taken, size).expect("room").value.to_string()
    }

    #[test]
    fn a_free_network_gives_200_onwards_of_its_last_256_addresses() {
        assert_eq!(planned("172.18.0.0/16", &["172.18.0.1", "172.18.0.2"], &[], 50), "172.18.255.200-172.18.255.249");
        assert_eq!(planned("192.168.1.0/24", &["192.168.1.1"], &[], 50), "192.168.1.200-192.168.1.249");
        assert_eq!(planned("192.168.0.0/23", &[], &[], 50), "192.168.1.200-192.168.1.249");
        assert_eq!(planned("10.0.0.0/8", &[], &[], 1), "10.255.255.200-10.255.255.200");
    }

    #[test]
    fn what_is_in_the_way_moves_it_to_the_topmost_free_range() {
        assert_eq!(planned("172.18.0.0/16", &[], &["172.18.255.200-172.18.255.249"], 50), "172.18.255.150-172.18.255.199");
        let two = ["172.18.255.200-172.18.255.249", "172.18.255.150-172.18.255.199"];
        assert_eq!(planned("172.18.0.0/16", &[], &two, 50), "172.18.255.100-172.18.255.149");
        assert_eq!(planned("192.168.1.0/24", &["192.168.1.220"], &[], 50), "192.168.1.170-192.168.1.219");
        assert_eq!(planned("192.168.1.0/24", &["192.168.1.220"], &[], 34), "192.168.1.221-192.168.1.254");
        assert_eq!(planned("192.168.1.0/24", &[], &[], 100), "192.168.1.155-192.168.1.254", "too large for .200 onwards");
    }

    #[test]
    fn tiny_networks_are_used_to_their_last_address_and_no_further() {
        assert_eq!(planned("10.0.0.0/29", &["10.0.0.1"], &[], 5), "10.0.0.2-10.0.0.6");
        assert_eq!(planned("10.0.0.0/30", &["10.0.0.1"], &[], 1), "10.0.0.2-10.0.0.2");
        assert_eq!(planned("255.255.255.248/29", &[], &[], 6), "255.255.255.249-255.255.255.254");
        assert_eq!(planned("0.0.0.0/0", &[], &[], 3), "255.255.255.200-255.255.255.202");
        for (network, longest) in [("10.0.0.0/29", 6), ("10.0.0.0/30", 2), ("10.0.0.0/31", 0), ("10.0.0.0/32", 0)] {
            let full = PoolError::Full { network: net(network), wanted: 7, longest };
            assert_eq!(plan(net(network), &[], &[], 7), Err(full));
        }
        assert!(plan(net("10.0.0.0/24"), &[], &[], 0).is_err());
        assert!(plan(net("10.0.0.0/24"), &[], &[range("10.0.0.0-10.0.0.255")], 1).is_err());
    }

    /// Every network of 1 to 32 addresses, every set of two used addresses and one taken range, every size: a planned pool
    /// passes the check, and if planning is refused there really is no room.
    #[test]
    fn plans_are_right_for_every_small_network() {
        for prefix in 27..=32 {
            let network = Ipv4Net::new_assert(address("10.0.0.32"), prefix).trunc();
            let base = u32::from(network.network());
            let count = 1_u32 << (32 - prefix);
            let step = if prefix == 27 { 3 } else { 1 };
            for a in (0..count).step_by(step) {
                for b in (a..count).step_by(step) {
                    let used = [Ipv4Addr::from(base + a)];
                    let taken = [AddressRange { first: (base + a / 2).into(), last: (base + b / 2).into() }];
                    for size in 1..=count {
                        let free = |first: u32| {
                            let range = AddressRange { first: first.into(), last: (first + size - 1).into() };
                            check(range, network, &used, &taken, size).is_ok()
                        };
                        match plan(network, &used, &taken, size) {
                            Ok(planned) => {
                                assert_eq!(planned.value.size(), u64::from(size));
                                assert_eq!(check(planned.value, network, &used, &taken, size), Ok(()), "{planned:?}");
                                let above = u32::from(planned.value.first) + 1;
                                assert!(!(above..base + count).any(free), "{planned:?} is not the topmost");
                            }
                            Err(error) => assert!(!(base..base + count).any(free), "{error}"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_given_pool_is_refused_for_the_right_reason() {
        let network = net("172.18.0.0/16");
        let used = [address("172.18.0.1"), address("172.18.0.4"), address("172.18.0.3")];
        let taken = [range("172.18.255.200-172.18.255.249")];
        let refused = |text: &str| check(range(text), network, &used, &taken, 2).expect_err("refused").to_string();
        assert_eq!(check(range("172.18.255.100-172.18.255.101"), network, &used, &taken, 2), Ok(()));
        assert_eq!(
            refused("192.168.1.1-192.168.1.9"),
            "pool 192.168.1.1-192.168.1.9 is outside of the nodes' network 172.18.0.0/16"
        );
        assert_eq!(
            refused("172.18.255.250-172.19.0.5"),
            "pool 172.18.255.250-172.19.0.5 is outside of the nodes' network 172.18.0.0/16"
        );
        assert_eq!(
            refused("172.18.255.250-172.18.255.255"),
            "pool 172.18.255.250-172.18.255.255 contains 172.18.255.255, which 172.18.0.0/16 keeps for itself"
        );
        assert_eq!(refused("172.18.0.2-172.18.0.9"), "pool 172.18.0.2-172.18.0.9 contains 172.18.0.3, which is in use");
        assert_eq!(
            refused("172.18.255.249-172.18.255.254"),
            "pool 172.18.255.249-172.18.255.254 overlaps 172.18.255.200-172.18.255.249, the pool of another cluster"
        );
        assert_eq!(
            refused("172.18.255.9-172.18.255.9"),
            "pool 172.18.255.9-172.18.255.9 has 1 of the 2 addresses that are needed"
        );
    }
}
