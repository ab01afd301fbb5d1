//! Which target each request goes to: a pure function of its number and a seed.

use super::arrivals::mix;

/// The order in which requests go to the targets of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All to the first target.
    Single,
    /// Requests 2k and 2k + 1 go to one of two targets each; which one is first is drawn anew for every pair. Anything that
    /// disturbs the machine for longer than a moment then disturbs both alike (duet benchmarking: Bulej et al., ICPE 2020).
    Duet {
        /// Seed of the draws.
        seed: u64,
    },
    /// Blocks of requests in groups of four, A B B A or B A A B by a draw: a steady drift cancels out within a group.
    Blocks {
        /// Requests in each block, not 0.
        requests: u32,
        /// Seed of the draws.
        seed: u64,
    },
}

impl Order {
    /// Index of the target of request `sequence`, counted from 0.
    pub fn target(self, sequence: u32) -> usize {
        let coin = |seed: u64, number: u32| (mix(seed ^ (u64::from(number) << 32)) & 1) as usize;
        match self {
            Order::Single => 0,
            Order::Duet { seed } => (sequence & 1) as usize ^ coin(seed, sequence / 2),
            Order::Blocks { requests, seed } => {
                let block = sequence / requests;
                // 0 1 1 0
                (block.div_ceil(2) % 2) as usize ^ coin(seed, block / 4)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_both_arms_and_no_order_prevails() {
        let order = Order::Duet { seed: 7 };
        let pairs: Vec<(usize, usize)> = (0..2000).map(|pair| (order.target(2 * pair), order.target(2 * pair + 1))).collect();
        assert!(pairs.iter().all(|(one, other)| one + other == 1));
        let first = pairs.iter().filter(|(one, _)| *one == 0).count();
        assert!((900..1100).contains(&first), "{first}");
        // neighbouring draws are independent
        let same = pairs.windows(2).filter(|two| two[0] == two[1]).count();
        assert!((900..1100).contains(&same), "{same}");
        assert!((0..100).any(|number| order.target(number) != Order::Duet { seed: 8 }.target(number)));
    }

    #[test]
    fn blocks_come_as_abba_or_baab() {
        let order = Order::Blocks { requests: 5, seed: 3 };
        let group = |group: u32| -> Vec<usize> { (0..4).map(|block| order.target(group * 20 + block * 5 + 4)).collect() };
        let groups: Vec<Vec<usize>> = (0..100).map(group).collect();
        assert!(groups.iter().all(|group| *group == [0, 1, 1, 0] || *group == [1, 0, 0, 1]));
        let first = groups.iter().filter(|group| group[0] == 0).count();
        assert!((30..70).contains(&first), "{first}");
        assert_eq!(Order::Single.target(17), 0);
    }
}
