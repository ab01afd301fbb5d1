//! Who has which address on the hosts' network: a host asks for all addresses that may be taken, at once, and reads who answers.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::script;
use crate::profile::AddressRange;
use crate::provider::{Node, NodeError};

/// Asks for each argument, then prints every address that somebody has. What is sent need not arrive: to send it, the kernel has
/// to ask whose the address is (ARP), and even a device that drops everything else answers that. What the kernel remembered of
/// those addresses is forgotten first, as their owner may have left since.
const SCRIPT: &str = r#"
for address; do echo "neigh flush to $address"; done | ip -4 -force -batch - 2>/dev/null >&2
bash -c 'for address; do echo >/dev/udp/$address/9; done' bash "$@" 2>/dev/null
[ $# = 0 ] || sleep 0.5
ip -4 neigh show | awk '!/FAILED|INCOMPLETE/ {print $1}'
"#;

/// The most addresses that are asked for: a host's table of neighbours has room for 1024.
const MOST: u32 = 256;

/// Addresses that others have, as far as `node` knows; it asks for those in `range`, of which there are at most 256.
pub(super) async fn of(node: &impl Node, range: Option<AddressRange>) -> Result<Vec<Ipv4Addr>, NodeError> {
    let first = range.map_or(0, |range| u32::from(range.first));
    let count = range.map_or(0, |range| range.size().min(MOST.into()) as u32);
    let asked: Vec<String> = (0..count).map(|at| Ipv4Addr::from(first + at).to_string()).collect();
    let output = node.run(script(SCRIPT, asked.iter().map(String::as_str))).await?;
    Ok(output.text().lines().filter_map(|line| line.parse().ok()).collect())
}

/// Addresses of the pool `given` that others have. In the pool that the cluster has already, `own`, the cluster itself answers.
pub(super) async fn within(node: &impl Node, given: AddressRange, own: Option<AddressRange>) -> Result<Vec<Ipv4Addr>, NodeError> {
    let is_other = |address: &Ipv4Addr| given.contains(*address) && own.is_none_or(|own| !own.contains(*address));
    Ok(of(node, Some(given)).await?.into_iter().filter(is_other).collect())
}

/// The last addresses of a network, from which a pool is chosen.
pub(super) fn last(network: Ipv4Net) -> AddressRange {
    let last = u32::from(network.broadcast()).saturating_sub(1);
    let first = last.saturating_sub(MOST - 1).max(u32::from(network.network()) + 1);
    AddressRange { first: first.min(last).into(), last: last.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::InMemory;

    #[tokio::test]
    async fn all_addresses_are_asked_for_at_once_and_never_too_many() {
        let node = InMemory::new("n1").answers("neigh show", 0, "192.168.1.1\n192.168.1.200\nfe80::1\n");
        let range = |text: &str| Some(text.parse::<AddressRange>().unwrap());
        let found = of(&node, range("192.168.1.200-192.168.1.202")).await.unwrap();
        assert_eq!(found, [Ipv4Addr::new(192, 168, 1, 1), Ipv4Addr::new(192, 168, 1, 200)]);
        of(&node, range("10.0.0.0-10.255.255.255")).await.unwrap();
        of(&node, None).await.unwrap();
        let asked = node.asked.lock().unwrap().clone();
        assert!(asked[0].starts_with("sh -s 192.168.1.200 192.168.1.201 192.168.1.202 \n"), "{}", asked[0]);
        let arguments = |at: usize| asked[at].lines().next().unwrap().split_whitespace().count() - 2;
        assert_eq!((arguments(1), arguments(2)), (256, 0));
    }

    #[tokio::test]
    async fn the_cluster_itself_answers_in_its_own_pool() {
        let node = InMemory::new("n1").answers("neigh show", 0, "192.168.1.1\n192.168.1.200\n192.168.1.205\n");
        let range = |text: &str| text.parse::<AddressRange>().unwrap();
        let given = range("192.168.1.200-192.168.1.220");
        let others = async |own| within(&node, given, own).await.unwrap().iter().map(Ipv4Addr::to_string).collect::<Vec<_>>();
        assert_eq!(others(None).await, ["192.168.1.200", "192.168.1.205"]);
        assert_eq!(others(Some(range("192.168.1.190-192.168.1.204"))).await, ["192.168.1.205"]);
    }

    #[test]
    fn pools_are_chosen_from_the_end_of_a_network() {
        let last = |net: &str| super::last(net.parse().unwrap()).to_string();
        assert_eq!(last("192.168.1.0/24"), "192.168.1.1-192.168.1.254");
        assert_eq!(last("10.0.0.0/8"), "10.255.254.255-10.255.255.254");
        assert_eq!(last("10.0.0.0/30"), "10.0.0.1-10.0.0.2");
        assert_eq!(last("10.0.0.7/32"), "10.0.0.6-10.0.0.6");
    }
}
