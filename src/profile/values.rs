//! Single values: parses a text, or explains what is wrong with it and what to write instead.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer};

use super::range::RangeError;
use super::{AddressRange, Pool, Vip};

/// What is wrong with a value, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// The hint goes on a second line, where [`crate::input`] looks for it.
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}\n{hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

type Parsed<T> = Result<T, Complaint>;

fn complaint<T>(message: impl Into<String>, hint: impl Into<Option<String>>) -> Parsed<T> {
    Err(Complaint { message: message.into(), hint: hint.into() })
}

/// kubeadm's minor versions that Hearth was tested with: 34 to 37.
const MINORS: std::ops::RangeInclusive<u32> = 34..=37;

fn is_dns_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.'
}

/// The nearest valid form of a name, if anything is left of it.
fn dns_form(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase().replace([' ', '_'], "-");
    let kept: String = lower.chars().filter(|c| is_dns_char(*c)).collect();
    let kept = kept.trim_matches(['-', '.']).to_owned();
    (!kept.is_empty() && kept != text).then(|| format!("write {kept}"))
}

/// A cluster's name. The limits are kind's: with `-control-plane` appended, it has to be a host name of at most 64 characters.
pub(super) fn cluster_name(text: &str) -> Parsed<String> {
    if text.is_empty() || !text.chars().all(is_dns_char) || text.starts_with(['-', '.']) {
        return complaint(
            format!("`{text}` is not made of a-z, 0-9, `-` and `.`, beginning with a letter or digit"),
            dns_form(text),
        );
    }
    if text.len() > 50 {
        return complaint(
            format!("{} characters are too many, 50 are possible", text.len()),
            "node names begin with it".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// A node's name: a DNS-1123 subdomain that fits into a host name.
pub(super) fn node_name(text: &str) -> Parsed<String> {
    if !is_domain(text) || text.len() > 63 {
        return complaint(format!("`{text}` is not a host name of at most 63 characters a-z, 0-9, `-` and `.`"), dns_form(text));
    }
    Ok(text.to_owned())
}

/// DNS-1123: labels of 1 to 63 letters, digits and inner dashes.
fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.len() <= 63 && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    })
}

/// A DNS domain to which a wildcard can be prepended.
pub(super) fn domain(text: &str) -> Parsed<String> {
    let host = text.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("*.");
    let host = host.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let hint = (host != text && is_domain(&host)).then(|| format!("write {host}"));
    if text.parse::<Ipv4Addr>().is_ok() {
        return complaint(format!("{text} is an address, not a domain"), "leave it out to serve any host name".to_owned());
    }
    // `blog.` has to fit in front of it, 253 in all
    if !is_domain(text) || text.len() > 200 {
        return complaint(format!("`{text}` is not a domain"), hint);
    }
    Ok(text.to_owned())
}

/// `vX.Y.Z`, of a tested minor version.
pub(super) fn version(text: &str) -> Parsed<String> {
    let range = format!("v1.{} to v1.{}", MINORS.start(), MINORS.end());
    let parts: Vec<&str> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
    let numbers: Option<Vec<u32>> =
        parts.iter().map(|part| part.parse().ok().filter(|n: &u32| n.to_string() == **part)).collect();
    match (numbers.as_deref(), text.starts_with('v')) {
        (Some([1, minor, _]), true) if MINORS.contains(minor) => Ok(text.to_owned()),
        (Some([_, _, _]), true) => complaint(format!("Kubernetes {text} is not supported"), format!("supported are {range}")),
        (Some([_, _, _]), false) => complaint(format!("`{text}` is not of the form vX.Y.Z"), format!("write v{text}")),
        (Some([major, minor]), _) => {
            complaint(format!("`{text}` has no patch number"), format!("write all three, for example v{major}.{minor}.0"))
        }
        _ => complaint(format!("`{text}` is not of the form vX.Y.Z"), format!("supported are {range}")),
    }
}

fn subnet(text: &str) -> Parsed<Ipv4Net> {
    let Ok(net) = text.parse::<Ipv4Net>() else {
        return complaint(
            format!("`{text}` is not an IPv4 subnet"),
            "write an address and a prefix length, as in 10.244.0.0/16".to_owned(),
        );
    };
    if net.trunc() != net {
        return complaint(format!("{text} has bits set behind its prefix"), format!("write {}", net.trunc()));
    }
    Ok(net)
}

/// Pods: the controller manager cuts out a /24 per node and takes at most 16 bits for the node's number.
pub(super) fn pod_subnet(text: &str) -> Parsed<Ipv4Net> {
    let net = subnet(text)?;
    if !(8..=24).contains(&net.prefix_len()) {
        return complaint(
            format!("a /{} cannot be cut into a /24 per node", net.prefix_len()),
            "use a /8 to a /24, a /16 serves 256 nodes".to_owned(),
        );
    }
    Ok(net)
}

/// Services: kubeadm wants at least ten addresses (the tenth is DNS), the API server at most 20 bits.
pub(super) fn service_subnet(text: &str) -> Parsed<Ipv4Net> {
    let net = subnet(text)?;
    if !(12..=28).contains(&net.prefix_len()) {
        return complaint(format!("a /{} is not possible for services", net.prefix_len()), "use a /12 to a /28".to_owned());
    }
    Ok(net)
}

/// A unicast IPv4 address.
pub(super) fn address(text: &str) -> Parsed<Ipv4Addr> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast() => {
            complaint(format!("{address} is not the address of a machine on a network"), None)
        }
        Ok(address) => Ok(address),
        Err(_) => complaint(format!("`{text}` is not an IPv4 address"), None),
    }
}

/// `auto`, or an address.
pub(super) fn vip(text: &str) -> Parsed<Vip> {
    match text {
        "auto" => Ok(Vip::Auto),
        text => address(text)
            .map(Vip::Address)
            .map_err(|complaint| Complaint { hint: Some("write auto, or an address of the pool".to_owned()), ..complaint }),
    }
}

/// The hint for several ranges.
pub(super) const ONE_RANGE: &str =
    "the pool is one range: give the largest; the others can be an IPAddressPool of your own in namespace metallb-system";

/// `auto`, or a range.
pub(super) fn pool(text: &str) -> Parsed<Pool> {
    if text == "auto" {
        return Ok(Pool::Auto);
    }
    if text.contains(',') {
        return complaint(format!("`{text}` are several ranges"), ONE_RANGE.to_owned());
    }
    if let Ok(net) = text.parse::<Ipv4Net>() {
        return match net.trunc() == net {
            true => Ok(Pool::Range(net.into())),
            false => complaint(format!("{text} has bits set behind its prefix"), format!("write {}", net.trunc())),
        };
    }
    match text.parse::<AddressRange>() {
        Ok(range) => Ok(Pool::Range(range)),
        Err(error @ RangeError::Form { .. }) => complaint(
            error.to_string(),
            "write auto, a range as in 192.168.1.200-192.168.1.220, or a subnet as in 192.168.1.192/27".to_owned(),
        ),
        Err(error @ RangeError::Reversed(range)) => complaint(error.to_string(), format!("write {range}")),
    }
}

/// `SHA256:` and 43 characters of base64, as OpenSSH prints it.
pub(super) fn fingerprint(text: &str) -> Parsed<String> {
    let digest = text.strip_prefix("SHA256:").unwrap_or_default();
    if digest.len() != 43 || !digest.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/') {
        return complaint(
            "not a SHA256 fingerprint: `SHA256:` and 43 characters",
            "on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// A Kubernetes quantity of bytes, with its unit.
pub(super) fn storage(text: &str) -> Parsed<String> {
    const UNITS: [&str; 8] = ["Ki", "Mi", "Gi", "Ti", "k", "M", "G", "T"];
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let valid = number.parse::<f64>().is_ok() && number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    if !valid {
        return complaint(format!("`{text}` is not a size"), "write a number and a unit, as in 1Gi".to_owned());
    }
    if !UNITS.contains(&unit) {
        let plain = unit.trim().trim_end_matches(['b', 'B']);
        let meant = UNITS.iter().find(|known| known.eq_ignore_ascii_case(plain));
        let hint = meant.map_or_else(|| format!("units are {}", UNITS.join(", ")), |meant| format!("write {number}{meant}"));
        let message =
            if unit.is_empty() { format!("`{text}` has no unit") } else { format!("`{unit}` is not a unit of Kubernetes") };
        return complaint(message, hint);
    }
    if number.parse() == Ok(0.0) {
        return complaint("a volume of no size", None);
    }
    Ok(text.to_owned())
}

/// Deserializes an optional [`domain`].
pub(super) fn optional_domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| domain(&text)).transpose().map_err(serde::de::Error::custom)
}

/// Deserializes a size as [`storage`] accepts it.
pub(super) fn storage_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    storage(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// A reference to an image, with a tag or digest (OCI distribution: `name:tag`, `name@digest`).
pub(super) fn image(text: &str) -> Parsed<String> {
    let named = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if text.is_empty() || text.contains(char::is_whitespace) || text.starts_with([':', '@', '/']) {
        return complaint(format!("`{text}` is not the name of an image"), Some("write registry/name:tag".to_owned()));
    }
    if !named {
        return complaint(format!("`{text}` does not say which version of the image"), Some(format!("write {text}:TAG")));
    }
    match text.split_once('@') {
        Some((name, digest)) if !is_digest(digest) => {
            complaint(format!("`{digest}` is no digest"), Some(format!("write {name}@sha256: and 64 digits of 0-9 and a-f")))
        }
        _ => Ok(text.to_owned()),
    }
}

/// True for a digest that registries and engines can verify.
fn is_digest(text: &str) -> bool {
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.chars().all(hexadecimal))
}

/// Deserializes an optional [`image`].
pub(super) fn optional_image<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| image(&text)).transpose().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_says_which_one_it_is() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let (by_digest, by_both) = (format!("localhost:5000/b@{digest}"), format!("b:1@{digest}"));
        for good in ["a/b:1", &by_digest, &by_both, "nginx:1.26"] {
            assert_eq!(image(good).as_deref(), Ok(good));
        }
        let (upper, long) = (by_digest.to_uppercase(), format!("{by_digest}0"));
        for bad in ["", "a b:1", ":1", "localhost:5000/b", "nginx", "b@sha256:00", "b@1", "b@md5:00", &upper, &long] {
            assert!(image(bad).is_err(), "{bad}");
        }
        assert_eq!(hint(image("a/b:1@sha256:00")), "write a/b:1@sha256: and 64 digits of 0-9 and a-f");
    }

    fn hint<T: std::fmt::Debug>(parsed: Parsed<T>) -> String {
        parsed.expect_err("refused").hint.unwrap_or_default()
    }

    #[test]
    fn names_are_those_that_docker_and_kubernetes_take() {
        assert!(cluster_name("a.b-1").is_ok() && cluster_name(&"a".repeat(50)).is_ok());
        for bad in ["", "-a", ".a", "A", "a_b", "a b", "ä", &"a".repeat(51)] {
            assert!(cluster_name(bad).is_err(), "{bad}");
        }
        assert_eq!(hint(cluster_name("My_Cluster")), "write my-cluster");
        for bad in ["", "a-", "a..b", "-a", "A", &"a".repeat(64)] {
            assert!(node_name(bad).is_err(), "{bad}");
        }
        assert!(node_name("n1.lan").is_ok());
    }

    #[test]
    fn versions_have_three_numbers_and_are_supported() {
        assert!(version("v1.34.0").is_ok() && version("v1.37.12").is_ok());
        for bad in [
            "v1.33.9",
            "v1.38.0",
            "v2.36.0",
            "1.36.4",
            "v1.36",
            "v1.36.04",
            "v1.36.4-rc.1",
            "latest",
            "",
            "v1.36.4.1",
            "vv1.36.4",
        ] {
            assert!(version(bad).is_err(), "{bad}");
        }
        assert_eq!(hint(version("1.36.4")), "write v1.36.4");
        assert_eq!(hint(version("v1.36")), "write all three, for example v1.36.0");
    }

    #[test]
    fn subnets_are_whole_and_of_a_possible_size() {
        assert!(pod_subnet("10.244.0.0/16").is_ok() && service_subnet("10.96.0.0/12").is_ok());
        assert_eq!(hint(pod_subnet("10.244.1.0/16")), "write 10.244.0.0/16");
        for bad in ["10.244.0.0", "10.0.0.0/25", "0.0.0.0/0", "fd00::/64", "x"] {
            assert!(pod_subnet(bad).is_err(), "{bad}");
        }
        assert!(service_subnet("10.0.0.0/8").is_err() && service_subnet("10.96.0.0/29").is_err());
    }

    #[test]
    fn sizes_have_units() {
        for good in ["1Gi", "512Mi", "1.5G", "10k"] {
            assert!(storage(good).is_ok(), "{good}");
        }
        for (bad, written) in
            [("1GB", "write 1G"), ("1gi", "write 1Gi"), ("1 Gi", "write 1Gi"), ("2GiB", "write 2Gi"), ("1m", "write 1M")]
        {
            assert_eq!(hint(storage(bad)), written);
        }
        for bad in ["0Gi", "", "Gi", "-1Gi", ".5Gi", "1.Gi", "1.2.3Gi", "1"] {
            assert!(storage(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn domains_are_bare() {
        assert!(domain("example.test").is_ok() && domain("localhost").is_ok());
        assert_eq!(hint(domain("*.example.test")), "write example.test");
        assert_eq!(hint(domain("https://Example.test/blog")), "write example.test");
        for bad in ["", "example..test", "192.168.1.1", "exa mple", "-a.test", &"a".repeat(64)] {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprints_pools_and_addresses_have_their_form() {
        assert!(fingerprint(&format!("SHA256:{}", "a".repeat(43))).is_ok());
        for bad in ["", "SHA256:", "MD5:aa:bb", &format!("SHA256:{}=", "a".repeat(43)), &"a".repeat(43)] {
            assert!(fingerprint(bad).is_err(), "{bad}");
        }
        assert_eq!(pool("auto"), Ok(Pool::Auto));
        assert_eq!(hint(pool("10.0.0.9-10.0.0.1")), "write 10.0.0.1-10.0.0.9");
        assert!(pool("10.0.0.0/24").is_ok() && pool("10.0.0.1/24").is_err() && pool("Auto").is_err());
        assert!(address("0.0.0.0").is_err() && address("127.0.0.1").is_err() && address("10.0.0.256").is_err());
        assert_eq!(vip("auto"), Ok(Vip::Auto));
    }
}
