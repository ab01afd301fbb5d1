//! Copying images to a host: from an archive on this machine, else the host pulls them itself.

use std::time::Duration;

use crate::artifact::Store;
use crate::error::Result;
use crate::progress::Progress;
use crate::provider::runtime::{PINNED, import};
use crate::provider::ssh::SshNode;
use crate::provider::{Command, Node};

/// How long a host may take to pull an image: the limit of the step decides, which may be as long as the user wants.
const PULL: Duration = Duration::from_secs(24 * 3600);

/// Copies images to a host. An archive streams into the import, which checks every blob; index or manifest come last in it, so
/// a truncated archive is no image. Layers stay packed until they are used: unpacking all of them now would starve the API
/// server that starts meanwhile.
pub async fn copy(node: &SshNode, images: &[String], store: &Store, progress: &Progress) -> Result<()> {
    for image in images {
        progress.say(format!("{image} to {}", node.name()));
        match store.archive(image).await? {
            Some(archive) => node.feed_file(&archive, &import(false)).await?,
            None => {
                let pull = ["ctr", "--namespace=k8s.io", "images", "pull", PINNED, image];
                node.run(Command::new(pull).timeout(PULL)).await?;
            }
        }
    }
    Ok(())
}
