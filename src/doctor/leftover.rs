//! What earlier runs left behind.

use std::collections::BTreeMap;

use super::facts::{Engine, Host};
use super::finding::Finding;

/// Age in seconds from which a builder is left over: image builds take a minute.
const BUILDER_AGE: i64 = 15 * 60;

/// Leftovers of all clusters except `current`, which `up` would resume.
pub(super) fn all(host: &Host, engine: &Engine, current: Option<&str>) -> Vec<Finding> {
    let mut found = clusters(host, engine, current);
    found.extend(builders(host, engine));
    found.extend(network(engine));
    found.extend(states(host, engine, current));
    found
}

/// Clusters of which this machine has no record: made by another user, or with another state directory, or forgotten.
fn clusters(host: &Host, engine: &Engine, current: Option<&str>) -> Vec<Finding> {
    let mut clusters: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in engine.owned.iter().filter(|owned| owned.node) {
        clusters.entry(&node.profile).or_default().push(&node.name);
    }
    let unknown = clusters.into_iter().filter(|(name, _)| !host.states.iter().any(|s| s == name) && current != Some(name));
    let finding = |(name, nodes): (&str, Vec<&str>)| {
        Finding::warning("cluster-abandoned", format!("Cluster `{name}` has nodes, but this user keeps nothing about it"))
            .evidence(format!("containers {}", nodes.join(", ")))
            .fix(format!("`hearth down --name {name}`, unless somebody else uses it"))
    };
    unknown.map(finding).collect()
}

/// Containers that were used to build node images.
fn builders(host: &Host, engine: &Engine) -> Option<Finding> {
    let old = engine.owned.iter().filter(|owned| !owned.node && host.now - owned.created > BUILDER_AGE);
    let names: Vec<&str> = old.map(|owned| owned.name.as_str()).collect();
    let finding = (!names.is_empty()).then(|| Finding::warning("builder-left", "A build of a node image was cut off"))?;
    Some(finding.evidence(format!("containers {}", names.join(", "))).fix(format!("docker rm -fv {}", names.join(" "))))
}

/// The network, if Hearth made it and it is not in use.
fn network(engine: &Engine) -> Option<Finding> {
    engine.network_unused.then(|| {
        Finding::info("network-unused", "Docker network `kind` was made by Hearth, and nothing is on it")
            .evidence("no container uses it")
            .fix("`docker network rm kind`, or leave it to the next cluster")
    })
}

/// State directories of clusters without nodes.
fn states(host: &Host, engine: &Engine, current: Option<&str>) -> Vec<Finding> {
    let nodes = |name: &str| engine.owned.iter().any(|owned| owned.node && owned.profile == name);
    // whether machines still run a cluster cannot be seen from containers
    let of_containers = host.states.iter().filter(|name| !host.elsewhere.contains(name));
    let orphaned = of_containers.filter(|name| !nodes(name) && current != Some(name.as_str()));
    let finding = |name: &String| {
        Finding::info("state-left", format!("Files are kept about cluster `{name}`, which has no nodes on this engine"))
            .evidence("no container carries its name")
            .fix(format!("hearth down --name {name}"))
    };
    orphaned.map(finding).collect()
}
