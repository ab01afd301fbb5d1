//! Address ranges as values: `192.168.1.200-192.168.1.220`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::AddressRange;

/// A text is not an address range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not two IPv4 addresses with a dash between them.
    #[error("`{text}` is not two IPv4 addresses with `-` between them")]
    Form { text: String },
    /// The first address is above the last.
    #[error("{last}-{first} has its ends the wrong way round: it would hold no address", last = .0.last, first = .0.first)]
    Reversed(
        /// The same range with its ends in order.
        AddressRange,
    ),
}

impl AddressRange {
    /// True when the address is in the range.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.first <= address && address <= self.last
    }

    /// True when the ranges share an address.
    pub fn overlaps(&self, other: &AddressRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Number of addresses, at least 1.
    pub fn size(&self) -> u64 {
        u64::from(u32::from(self.last)) - u64::from(u32::from(self.first)) + 1
    }
}

impl From<ipnet::Ipv4Net> for AddressRange {
    fn from(net: ipnet::Ipv4Net) -> Self {
        AddressRange { first: net.network(), last: net.broadcast() }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let form = || RangeError::Form { text: text.to_owned() };
        let (first, last) = text.split_once('-').ok_or_else(form)?;
        let address = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| form());
        let (first, last) = (address(first)?, address(last)?);
        if first > last {
            Err(RangeError::Reversed(AddressRange { first: last, last: first }))
        } else {
            Ok(AddressRange { first, last })
        }
    }
}

impl TryFrom<String> for AddressRange {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_measured() {
        let range: AddressRange = "10.0.0.250 - 10.0.1.4".parse().expect("a range");
        assert_eq!((range.size(), range.to_string()), (11, "10.0.0.250-10.0.1.4".to_owned()));
        assert!(range.contains(Ipv4Addr::new(10, 0, 1, 0)) && !range.contains(Ipv4Addr::new(10, 0, 1, 5)));
        let touches: AddressRange = "10.0.1.4-10.0.1.4".parse().expect("a range");
        let beside: AddressRange = "10.0.1.5-10.0.1.9".parse().expect("a range");
        assert!(range.overlaps(&touches) && touches.overlaps(&range) && !range.overlaps(&beside));
        assert_eq!(AddressRange::from("0.0.0.0/0".parse::<ipnet::Ipv4Net>().expect("a net")).size(), 1 << 32);
        for text in ["", "10.0.0.1", "10.0.0.1-", "10.0.0.1-20", "10.0.0.0/24", "a-b", "::1-::2"] {
            assert!(matches!(text.parse::<AddressRange>(), Err(RangeError::Form { .. })), "{text}");
        }
        let reversed = "10.0.0.9-10.0.0.1".parse::<AddressRange>().expect_err("reversed");
        assert_eq!(reversed.to_string(), "10.0.0.9-10.0.0.1 has its ends the wrong way round: it would hold no address");
    }
}
