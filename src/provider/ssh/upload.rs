//! Large files: streamed, verified on the host, resumed after an interruption, skipped if already there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::node::SshNode;
use crate::artifact::hex;
use crate::error::Family;
use crate::provider::{Command, Node, NodeError, Output, SHA256};

/// Bytes read and handed over at once: eight SSH packets.
const CHUNK: usize = 256 * 1024;
/// How long the host may take to hash the bytes it has.
const HASH: Duration = Duration::from_secs(600);
/// Exit status of the script below if the checksum of the received file differs.
const MISMATCH: i64 = 65;

/// Prints what the host has: `same`, or the size and checksum of the part left by an earlier upload. Arguments: target, mode,
/// checksum.
const PROBE: &str = r#"
if [ -f "$1" ] && [ "$(stat -c %a "$1")" = "$2" ] && [ "$(sha256 < "$1" | cut -c1-64)" = "$3" ]; then echo same
else
  part="${1%/*}/.${1##*/}.hearth-part"
  if [ -s "$part" ]; then echo "part $(stat -c %s "$part") $(sha256 < "$part" | cut -c1-64)"; else echo none; fi
fi
"#;

/// Receives the rest and moves the file into place if its checksum matches. Arguments: target, mode, checksum, offset, size.
const RECEIVE: &str = r#"
umask 022; mkdir -p "${1%/*}"; umask 077; part="${1%/*}/.${1##*/}.hearth-part"
if [ "$4" = 0 ]; then : > "$part"; fi
cat >> "$part"
got=$(stat -c %s "$part")
if [ "$got" != "$5" ]; then echo "$got of $5 bytes were written" >&2; exit 1; fi
if [ "$(sha256 < "$part" | cut -c1-64)" != "$3" ]; then rm -f "$part"; exit 65; fi
chmod "$2" "$part"; mv -f "$part" "$1"
"#;

/// The result of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// The host already had the file.
    Skipped,
    /// Bytes were sent, after the part left by an earlier attempt.
    Sent {
        /// Bytes sent now.
        bytes: u64,
        /// Bytes that were there already.
        resumed: u64,
    },
}

/// A file could not be sent.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("{path} cannot be read")]
    Local {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("what arrived does not have checksum sha256:{sha256}; {path} is another file, or was damaged")]
    Checksum { path: String, sha256: String },
}

/// What a host has of a file so far.
#[derive(Debug, PartialEq, Eq)]
enum Present {
    Same,
    Part { size: u64, sha256: String },
    Nothing,
}

/// Parses the answer of [`PROBE`]; anything unexpected counts as nothing.
fn present(answer: &str) -> Present {
    let words: Vec<&str> = answer.split_whitespace().collect();
    match words.as_slice() {
        ["same"] => Present::Same,
        ["part", size, sha256] if sha256.len() == 64 => {
            size.parse().map_or(Present::Nothing, |size| Present::Part { size, sha256: (*sha256).to_owned() })
        }
        _ => Present::Nothing,
    }
}

/// Where to resume: after the part if the file starts with it, else from the start.
fn offset(present: &Present, source: &Path, length: u64) -> io::Result<u64> {
    let Present::Part { size, sha256 } = present else { return Ok(0) };
    if *size > length {
        return Ok(0);
    }
    let mut hash = Sha256::new();
    let mut prefix = File::open(source)?.take(*size);
    let mut buffer = vec![0; CHUNK];
    loop {
        match prefix.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let same = hex(&hash.finalize()) == *sha256;
    Ok(if same { *size } else { 0 })
}

impl SshNode {
    /// Brings a local file to `target` (absolute) with `mode` and owner root, unless it is there already; `progress` gets the
    /// number of bytes sent. An interrupted attempt leaves `.<target>.hearth-part`, and the next one resumes there. At most
    /// three run at once over all hosts.
    ///
    /// # Errors
    /// [`NodeError::Transport`], also if the local file cannot be read or the checksum differs.
    pub async fn upload(
        &self,
        source: &Path,
        target: &str,
        mode: u32,
        sha256: &str,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Uploaded, NodeError> {
        // the semaphore is never closed
        let _turn = self.uploads.acquire().await;
        let path = source.display().to_string();
        let failed = |source: UploadError| NodeError::Transport {
            node: self.name.clone(),
            action: format!("uploading {target}"),
            family: Family::Ssh,
            source: Box::new(source),
        };
        let local = |source| failed(UploadError::Local { path: path.clone(), source });
        let length = source.metadata().map_err(local)?.len();
        let mode = format!("{mode:o}");
        let probe = [SHA256, PROBE].concat();
        let probe = Command::new(["sh", "-c", &probe, "probe", target, &mode, sha256]).timeout(HASH);
        let present = present(&self.run(probe).await?.text());
        if present == Present::Same {
            progress(length);
            return Ok(Uploaded::Skipped);
        }
        let from = {
            let source = source.to_owned();
            tokio::task::spawn_blocking(move || offset(&present, &source, length)).await
        };
        let from = from.map_err(io::Error::other).and_then(|from| from).map_err(local)?;
        progress(from);

        let (start, size) = (from.to_string(), length.to_string());
        let receive = [SHA256, RECEIVE].concat();
        let argv = ["sh", "-ec", &receive, "receive", target, &mode, sha256, &start, &size];
        let (bytes, output) = self.stream(source, from, &argv, progress).await?;
        let bytes = bytes.map_err(local)?;
        match output.status {
            MISMATCH => Err(failed(UploadError::Checksum { path, sha256: sha256.to_owned() })),
            _ => self.expect_success(&["upload", target], output).map(|_| Uploaded::Sent { bytes, resumed: from }),
        }
    }

    /// Runs a program as root with a local file as its standard input; counts as one of the three uploads that run at once.
    ///
    /// # Errors
    /// As [`SshNode::upload`], and [`NodeError::Failed`] for a program that fails.
    pub async fn feed_file(&self, source: &Path, argv: &[&str]) -> Result<(), NodeError> {
        let _turn = self.uploads.acquire().await;
        let (read, output) = self.stream(source, 0, argv, &|_| {}).await?;
        // reported first: a program that gets half a file fails too, and cannot know why
        read.map_err(|error| {
            let path = source.display().to_string();
            let (node, action) = (self.name.clone(), format!("sending {path}"));
            NodeError::Transport {
                node,
                action,
                family: Family::Ssh,
                source: Box::new(UploadError::Local { path, source: error }),
            }
        })?;
        self.expect_success(argv, output).map(drop)
    }

    /// Streams a local file from `from` on into a program; returns how many bytes could be read, and the program's output.
    async fn stream(
        &self,
        source: &Path,
        from: u64,
        argv: &[&str],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(io::Result<u64>, Output), NodeError> {
        let (sender, receiver) = mpsc::channel(2);
        let (chunks, mut read) = mpsc::channel(2);
        let source = source.to_owned();
        let task = tokio::task::spawn_blocking(move || read_chunks(&source, from, &chunks));
        let count = async move {
            let mut sent = from;
            while let Some(chunk) = read.recv().await {
                let bytes = Bytes::len(&chunk) as u64;
                if sender.send(chunk).await.is_err() {
                    break;
                }
                sent += bytes;
                progress(sent);
            }
            sent - from
        };
        let (bytes, output) = tokio::join!(count, self.feed(argv, receiver));
        let read = task.await.map_err(io::Error::other).and_then(|read| read);
        Ok((read.map(|()| bytes), output?))
    }
}

/// Reads a file from `offset` to its end, chunk by chunk, until nobody receives them.
fn read_chunks(source: &Path, offset: u64, chunks: &mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut file = File::open(source)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    loop {
        let mut buffer = BytesMut::zeroed(CHUNK);
        let count = file.read(&mut buffer)?;
        buffer.truncate(count);
        if count == 0 || chunks.blocking_send(buffer.freeze()).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_host_are_understood() {
        let sum = "a".repeat(64);
        assert_eq!(present("same\n"), Present::Same);
        assert_eq!(present(&format!("part 17 {sum}\n")), Present::Part { size: 17, sha256: sum });
        for odd in ["none", "", "part", "part 17 ", "part x abc", "sh: sha256sum: not found"] {
            assert_eq!(present(odd), Present::Nothing, "{odd}");
        }
    }

    #[test]
    fn a_part_is_continued_only_where_it_is_the_files_beginning() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"hello world").expect("written");
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let part = |size, sha256: &str| Present::Part { size, sha256: sha256.to_owned() };
        let from = |present| offset(&present, file.path(), 11).expect("readable");
        assert_eq!(from(part(5, hello)), 5);
        assert_eq!(from(part(6, hello)), 0, "damaged");
        assert_eq!(from(part(12, hello)), 0, "longer than the file");
        assert_eq!(from(Present::Nothing), 0);
    }
}
