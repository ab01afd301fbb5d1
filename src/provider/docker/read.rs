//! Files of a container by the engine's archive download, which costs a tenth of running a program in it.

use std::io::Read;

use bollard::errors::Error as EngineError;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::StreamExt;

use super::DockerNode;
use crate::look::Look;
use crate::provider::FileSpec;

/// HTTP status of a container that does not exist, and of a path in one.
const NOT_FOUND: u16 = 404;

impl DockerNode {
    /// Looks at a path as `provider::files` does. None where only a program in the container can tell: a symbolic link, another
    /// kind of file than the one asked for, an engine that refuses.
    pub(super) async fn look(&self, path: &str) -> Option<Look<FileSpec>> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path.trim_end_matches('/')).build();
        let mut stream = Box::pin(self.docker.download_from_container(&self.name, Some(options)));
        let mut archive = Vec::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(bytes) => archive.extend_from_slice(&bytes),
                // a missing container is not an absent file: only the message about a file names the path
                Err(EngineError::DockerResponseServerError { status_code: NOT_FOUND, message })
                    if message.contains(path.trim_end_matches('/')) =>
                {
                    return Some(Look::Absent);
                }
                Err(_) => return None,
            }
            // what is in a folder does not matter
            if path.ends_with('/') && archive.len() >= 512 {
                break;
            }
        }
        found(path, &archive).map(Look::Present)
    }
}

/// The first entry of an archive, if it is the kind of file that was asked for.
fn found(path: &str, archive: &[u8]) -> Option<FileSpec> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mode = entry.header().mode().ok()? & 0o7777;
    let mut bytes = Vec::new();
    match (path.ends_with('/'), entry.header().entry_type()) {
        (true, tar::EntryType::Directory) => {}
        (false, tar::EntryType::Regular) => {
            entry.read_to_end(&mut bytes).ok().filter(|read| *read as u64 == entry.size())?;
        }
        _ => return None,
    }
    Some(FileSpec { path: path.to_owned(), bytes, mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_entry_of_the_right_kind_is_an_answer() {
        let file = FileSpec { path: "/etc/x".into(), bytes: vec![7; 2000], mode: 0o600 };
        let archive = crate::provider::archive::archive(std::slice::from_ref(&file)).unwrap();
        assert_eq!(found("/etc/x", &archive), Some(file));
        assert_eq!(found("/etc/x", &archive[..1024]), None, "it broke off");
        assert_eq!(found("/etc/x/", &archive), None, "no folder");
        assert_eq!(found("/etc/x", &[]), None);

        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        builder.append_link(&mut header, "x", "/etc/y").unwrap();
        assert_eq!(found("/etc/x", &builder.into_inner().unwrap()), None, "where the link leads is for the container to tell");
    }
}
