//! The stock of a host: everything on it in which a cluster could leave traces, as a set of named items. It is taken with the
//! claim, and again after the clean-up; what is only in the second, or changed, is left over. Anything else that changed on the
//! host in the meantime is its owner's business, and not looked at.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{OWN, places, read, script};
use crate::provider::{Node, NodeError, SHA256};

pub(super) const SCRIPT: &str = include_str!("stock.sh");
/// The file with the stock that was taken before the first change.
const KEPT: &str = "/var/lib/hearth/stock";
/// The last line of a complete stock.
const END: &str = "end";

/// A host's stock: kind and name of each item, with its state where it has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stock(BTreeMap<(String, String), String>);

impl Stock {
    /// Parses what the script printed; none if it is truncated. For files and settings, their state follows the name.
    pub fn parse(text: &str) -> Option<Stock> {
        let item = |line: &str| {
            let (kind, item) = line.split_once('\t')?;
            let (name, state) = match kind {
                "file" | "sysctl" => item.split_once(' ').unwrap_or((item, "")),
                _ => (item, ""),
            };
            Some(((kind.to_owned(), name.to_owned()), state.to_owned()))
        };
        let whole = text.lines().next_back() == Some(END);
        whole.then(|| Stock(text.lines().filter_map(item).collect()))
    }

    /// What differs from `before`, one line each. `kept` are the notes of a clean-up: each starts with what it left on purpose.
    pub fn differences(&self, before: &Stock, kept: &[String]) -> Vec<String> {
        let mut lines = Vec::new();
        let on_purpose =
            |name: &str| kept.iter().any(|note| note.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '/'])));
        for ((kind, name), state) in self.0.iter().filter(|((_, name), _)| !on_purpose(name)) {
            match before.0.get(&(kind.clone(), name.clone())) {
                None => lines.push(format!("{kind} {name} is left")),
                Some(was) if was != state && kind == "file" => lines.push(format!("{kind} {name} has changed")),
                // a setting that no longer has the cluster's value was changed by somebody else
                Some(was) if was != state && places::is_ours(name, state) => {
                    lines.push(format!("{kind} {name} was `{was}` and is `{state}`"));
                }
                Some(_) => {}
            }
        }
        // folders come and go as others use them; a file of theirs has to be there again
        let gone = before.0.keys().filter(|key| key.0 == "file" && !self.0.contains_key(*key));
        lines.extend(gone.map(|(kind, name)| format!("{kind} {name} is gone")));
        lines
    }
}

/// Takes stock. `peers` are the addresses of the cluster's nodes.
pub async fn take(node: &impl Node, pod_subnet: Ipv4Net, peers: &[Ipv4Addr]) -> Result<Option<Stock>, NodeError> {
    let text = [SHA256, &places::shell(), OWN, SCRIPT, "subnet=$1; shift; peers=$*; stock\n"].concat();
    let arguments = super::network_arguments(pod_subnet, peers);
    let output = node.run(script(&text, arguments.iter().map(String::as_str))).await?;
    Ok(Stock::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// The stock taken with the claim; none if it is lost or truncated.
pub async fn kept(node: &impl Node) -> Result<Option<Stock>, NodeError> {
    Ok(Stock::parse(&read(node, KEPT).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(text: &str) -> Stock {
        Stock::parse(&format!("{text}end\n")).expect("whole")
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let before = stock("file\t/etc/a 11\nfile\t/etc/b 22\nfolder\t/etc/cni\nsysctl\tvm.overcommit_memory = 0\n");
        let after = stock("file\t/etc/a 12\nsysctl\tvm.overcommit_memory = 1\nnetns\tcni-1\n");
        assert_eq!(
            after.differences(&before, &[]),
            [
                "file /etc/a has changed",
                "netns cni-1 is left",
                "sysctl vm.overcommit_memory was `= 0` and is `= 1`",
                "file /etc/b is gone"
            ]
        );
        assert!(before.differences(&before, &[]).is_empty());
    }

    #[test]
    fn what_was_kept_on_purpose_and_what_others_set_is_not_left_over() {
        let before = stock("sysctl\tvm.overcommit_memory = 0\n");
        let after = stock("folder\t/var/lib/kubelet\nfile\t/usr/local/bin/kubectl 33\nsysctl\tvm.overcommit_memory = 2\n");
        let kept = ["/var/lib/kubelet/my data is mounted".to_owned(), "/usr/local/bin/kubectl is not the program".to_owned()];
        assert_eq!(after.differences(&before, &kept), Vec::<String>::new());
        assert_eq!(after.differences(&before, &kept[..1]), ["file /usr/local/bin/kubectl is left"]);
    }

    #[test]
    fn a_stock_that_was_cut_is_none() {
        assert_eq!(Stock::parse("file\t/etc/a 11\n"), None);
        assert_eq!(Stock::parse(""), None);
    }
}
