//! Looking at files of a node: each one is there, or is not, or that could not be found out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Command, FileSpec, Node, NodeError};
use crate::error::Result;
use crate::look::Look;

/// The script that looks at files on the node.
pub(super) const SCRIPT: &str = include_str!("files.sh");
/// The first line that the script prints.
pub(super) const MARK: &str = "----- files -----";

/// Reads files of a node in one call, in the order of `paths`. A path that ends with `/` is a folder; if it exists, its content
/// is empty.
///
/// # Errors
/// The node could not be asked at all.
pub async fn read<S: AsRef<str>>(node: &impl Node, paths: &[S]) -> Result<Vec<Look<FileSpec>>, NodeError> {
    let paths: Vec<&str> = paths.iter().map(AsRef::as_ref).collect();
    node.look_at(&paths).await
}

/// The same by a script, which every node can run.
pub(super) async fn by_script(node: &impl Node, paths: &[&str]) -> Result<Vec<Look<FileSpec>>, NodeError> {
    let argv = ["sh", "-s", "--"].into_iter().chain(paths.iter().copied());
    let text = node.run(Command::new(argv).stdin(SCRIPT)).await?.text();
    let answers: Vec<&str> = text.lines().skip_while(|line| *line != MARK).skip(1).collect();
    if answers.len() != paths.len() {
        let reason = format!("{} answers about {} files", answers.len(), paths.len());
        return Err(unreadable(node, "files", &reason));
    }
    Ok(paths.iter().zip(answers).map(|(path, answer)| look(node, path, answer)).collect())
}

/// Parses an answer of the script.
fn look(node: &impl Node, path: &str, answer: &str) -> Look<FileSpec> {
    let (state, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    let (mode, content) = rest.split_once(' ').unwrap_or((rest, ""));
    match (state, u32::from_str_radix(mode, 8), BASE64.decode(content)) {
        ("present", Ok(mode), Ok(bytes)) => Look::Present(FileSpec { path: path.to_owned(), bytes, mode }),
        ("absent", ..) => Look::Absent,
        _ => Look::Unknown(unreadable(node, path, rest).into()),
    }
}

fn unreadable(node: &impl Node, what: &str, reason: &str) -> NodeError {
    NodeError::Unreadable { node: node.name().to_owned(), what: what.to_owned(), reason: reason.to_owned() }
}

/// Paths of the files among `wanted` that a node does not have with exactly this content and mode.
///
/// # Errors
/// One of the files could not be looked at.
pub async fn differing<'a>(node: &impl Node, wanted: &'a [FileSpec]) -> Result<Vec<&'a str>> {
    let paths: Vec<&str> = wanted.iter().map(|file| file.path.as_str()).collect();
    let mut differing = Vec::new();
    for (wanted, look) in wanted.iter().zip(read(node, &paths).await?) {
        if look.known()?.as_ref() != Some(wanted) {
            differing.push(wanted.path.as_str());
        }
    }
    Ok(differing)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::provider::fake::{Here, InMemory};

    #[tokio::test]
    async fn a_file_is_there_or_absent_or_cannot_be_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a b"), "text\n").unwrap();
        std::fs::set_permissions(path("a b"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(path("empty"), "").unwrap();
        std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
        let asked = [path("a b"), path("none"), path("a b/below"), path("loop"), path(""), path("none/"), path("empty")];
        let mut looks = read(&Here, &asked).await.unwrap().into_iter();
        let mut next = || looks.next().unwrap();
        let there = next().known().unwrap().unwrap();
        assert_eq!((there.bytes.as_slice(), there.mode), (b"text\n".as_slice(), 0o600));
        assert!(matches!((next(), next()), (Look::Absent, Look::Absent)));
        let reason = next().known().unwrap_err().to_string();
        assert!(reason.contains("loop") && reason.contains("Too many levels"), "{reason}");
        assert!(next().is_present() && matches!(next(), Look::Absent) && next().is_present());

        let wanted = |bytes: &[u8], mode| FileSpec { path: path("a b"), bytes: bytes.to_vec(), mode };
        assert!(differing(&Here, &[wanted(b"text\n", 0o600)]).await.unwrap().is_empty());
        assert_eq!(differing(&Here, &[wanted(b"other", 0o600), wanted(b"text\n", 0o644)]).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_greeting_of_the_login_shell_is_no_content() {
        let node = InMemory::new("n2").answers("sh -s", 0, &format!("Welcome to n2\n{MARK}\npresent 644 eA==\n"));
        let looks = read(&node, &["/etc/x"]).await.unwrap();
        assert_eq!(looks.into_iter().next().unwrap().known().unwrap().unwrap().bytes, b"x");
    }
}
