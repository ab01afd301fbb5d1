//! The container runtime of a node, for any provider: containerd, through its own `ctr`.

use std::collections::BTreeSet;

use super::{Command, Node, NodeError};

/// The argument of `ctr` that labels an image so that the kubelet does not delete what no registry could give back.
pub const PINNED: &str = "--label=io.cri-containerd.pinned=pinned";

/// The command that imports an archive from its standard input. Layers that stay packed are unpacked on first use, so a node
/// unpacks only what runs on it. (`--local` bypasses containerd's transfer service, which takes twice the time.)
pub fn import(unpack: bool) -> Vec<&'static str> {
    let mut argv = vec!["ctr", "--namespace=k8s.io", "images", "import", "--local", "--all-platforms", PINNED];
    if !unpack {
        argv.push("--no-unpack");
    }
    argv.push("-");
    argv
}

/// References of the images that a node has.
///
/// # Errors
/// Its container runtime does not answer: that does not mean that it has none.
pub async fn images(node: &impl Node) -> Result<BTreeSet<String>, NodeError> {
    let output = node.run(Command::new(["ctr", "--namespace=k8s.io", "images", "list", "--quiet"])).await?;
    Ok(output.text().lines().map(str::to_owned).collect())
}
