//! Where a run took place, and whether two places are alike: numbers from unlike places are not compared.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::model::{Digest, Environment};
use crate::scenario::RunRecord;

/// What is known about the place only to the command.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The provider of the nodes: `docker` or `ssh`.
    pub provider: Option<String>,
    /// Number of nodes.
    pub nodes: Option<u32>,
    /// Where the load comes from and where it goes to.
    pub load: String,
}

impl Environment {
    /// The place of these runs.
    pub fn of(place: Place, runs: &[RunRecord]) -> Environment {
        let images: BTreeSet<&String> = runs.iter().flat_map(|run| &run.environment.images).collect();
        let first = runs.first().map(|run| &run.environment);
        Environment {
            hearth: env!("CARGO_PKG_VERSION").to_owned(),
            profile: first.and_then(|first| first.profile.clone()),
            provider: place.provider,
            nodes: place.nodes,
            kubernetes: first.and_then(|first| first.kubernetes.clone()),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            cpu: std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text)),
            cpus: std::thread::available_parallelism().map_or(0, |count| count.get() as u32),
            load: place.load,
            images: images.into_iter().cloned().collect(),
        }
    }

    /// Facts that have to agree for numbers to be comparable, each with a name for people.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        vec![
            ("processor", known(&self.cpu)),
            ("number of processors", self.cpus.to_string()),
            ("kernel", self.kernel.clone()),
            ("provider", known(&self.provider)),
            ("number of nodes", self.nodes.map_or_else(|| "unknown".to_owned(), |nodes| nodes.to_string())),
            ("Kubernetes", known(&self.kubernetes)),
            ("place of the load", self.load.clone()),
            ("images", self.images.join(", ")),
        ]
    }

    /// A short name of the place: equal for places that are alike.
    pub fn fingerprint(&self) -> String {
        let text: String = self.facts().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let hex = hex(&Sha256::digest(text));
        format!("env:{}-{}", &hex[..4], &hex[4..8])
    }

    /// The facts in which two places differ: name, here, there.
    pub fn differences(&self, other: &Environment) -> Vec<(&'static str, String, String)> {
        let pairs = self.facts().into_iter().zip(other.facts());
        pairs.filter(|((_, here), (_, there))| here != there).map(|((name, here), (_, there))| (name, here, there)).collect()
    }
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(what: &str, name: &str, bytes: &[u8]) -> Digest {
        Digest { what: what.to_owned(), name: name.to_owned(), sha256: hex(&Sha256::digest(bytes)) }
    }
}

/// `model name` of the first processor, as Linux lists it; other architectures use other words.
fn processor(cpuinfo: &str) -> Option<String> {
    let value = |line: &str| line.split_once(':').map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "));
    let named = |name: &str| cpuinfo.lines().find(|line| line.starts_with(name)).and_then(value);
    named("model name").or_else(|| named("CPU part"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_what_changes_numbers() {
        let here = Environment { kernel: "6.18".into(), cpus: 2, images: vec!["nginx:1.26".into()], ..Environment::default() };
        let named = Environment { hearth: "9".into(), profile: Some("other".into()), ..here.clone() };
        assert_eq!(here.fingerprint(), named.fingerprint());
        assert_eq!(here.fingerprint().len(), "env:6d1e-b07a".len());
        let bigger = Environment { cpus: 8, ..here.clone() };
        assert_ne!(here.fingerprint(), bigger.fingerprint());
        assert_eq!(here.differences(&bigger), [("number of processors", "2".to_owned(), "8".to_owned())]);
    }

    #[test]
    fn the_processor_is_read_as_linux_lists_it() {
        let text = "processor\t: 0\nmodel name\t: Some  CPU @ 2.50GHz\nflags\t: fpu\n";
        assert_eq!(processor(text).as_deref(), Some("Some CPU @ 2.50GHz"));
        assert_eq!(processor("nothing"), None);
    }
}
