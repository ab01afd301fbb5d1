//! The stock of a host: everything that a cluster could leave traces in, as a set of named items. One is taken before
//! the first change, one after the clean-up, and they must be equal.

use std::collections::BTreeMap;

use super::{HOME, file, read, script};
use crate::provider::{Node, NodeError};

const SCRIPT: &str = include_str!("stock.sh");
/// The stock that was taken before the first change.
const KEPT: &str = "/var/lib/hearth/stock";

/// A host's stock: kind and name of each item, with its state where it has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stock(BTreeMap<(String, String), String>);

impl Stock {
    /// Reads what the script printed. Files, mounts and settings have a state behind their name.
    pub fn parse(text: &str) -> Stock {
        let item = |line: &str| {
            let (kind, item) = line.split_once('\t')?;
            let (name, state) = match kind {
                "file" | "mount" | "sysctl" => item.split_once(' ').unwrap_or((item, "")),
                _ => (item, ""),
            };
            Some(((kind.to_owned(), name.to_owned()), state.to_owned()))
        };
        Stock(text.lines().filter_map(item).collect())
    }

    /// What is not as it was `before`, one line each.
    pub fn differences(&self, before: &Stock) -> Vec<String> {
        let mut lines = Vec::new();
        for ((kind, name), state) in &self.0 {
            match before.0.get(&(kind.clone(), name.clone())) {
                None => lines.push(format!("{kind} {name} is left")),
                Some(was) if was != state && kind == "file" => lines.push(format!("{kind} {name} has changed")),
                Some(was) if was != state => lines.push(format!("{kind} {name} was `{was}` and is `{state}`")),
                Some(_) => {}
            }
        }
        let gone = before.0.keys().filter(|key| !self.0.contains_key(*key));
        lines.extend(gone.map(|(kind, name)| format!("{kind} {name} is gone")));
        lines
    }
}

/// Takes stock.
pub async fn take(node: &impl Node) -> Result<String, NodeError> {
    let output = node.run(script(SCRIPT, [])).await?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True when a host's stock was taken and kept on it.
pub async fn is_kept(node: &impl Node) -> Result<bool, NodeError> {
    Ok(kept(node).await?.is_some())
}

/// Takes stock and keeps it on the host.
pub async fn keep(node: &impl Node) -> Result<(), NodeError> {
    let stock = take(node).await?;
    node.put(vec![file(KEPT, stock)]).await
}

/// The stock that was kept.
pub async fn kept(node: &impl Node) -> Result<Option<Stock>, NodeError> {
    let text = read(node, KEPT).await?;
    Ok((!text.is_empty()).then(|| Stock::parse(&text)))
}

/// Forgets the host: the last thing that is removed.
pub async fn forget(node: &impl Node) -> Result<(), NodeError> {
    node.run(crate::provider::Command::new(["rm", "-rf", HOME])).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_told() {
        let before = Stock::parse("file\t/etc/a 11\nfile\t/etc/b 22\nsysctl\tnet.x = 1\nroute\tdefault via 10.0.0.1\n");
        let after = Stock::parse("file\t/etc/a 12\nsysctl\tnet.x = 0\nroute\tdefault via 10.0.0.1\nnetns\tcni-1\n");
        assert_eq!(
            after.differences(&before),
            ["file /etc/a has changed", "netns cni-1 is left", "sysctl net.x was `= 1` and is `= 0`", "file /etc/b is gone"]
        );
        assert!(before.differences(&before).is_empty());
    }
}
