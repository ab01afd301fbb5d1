//! A node: runs commands and accepts files, whether it is a container or a machine.

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::files;
use crate::error::{Explain, Family};
use crate::look::Look;
use crate::profile::Role;

/// A function `sha256` for scripts on nodes, with the output of `sha256sum`. OpenSSL, if installed, takes a third of the time.
pub const SHA256: &str =
    "sha256() { if command -v openssl >/dev/null; then openssl dgst -sha256 -r \"$@\"; else sha256sum \"$@\"; fi; }\n";

/// A program to run on a node. Arguments are passed as they are: no shell is involved.
#[derive(Debug, Clone)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Bytes for its standard input.
    pub stdin: Option<Vec<u8>>,
    /// The command is killed after this time, which is an error.
    pub timeout: Duration,
}

impl Command {
    /// A command with a one-minute limit.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Command { argv: argv.into_iter().map(Into::into).collect(), stdin: None, timeout: Duration::from_secs(60) }
    }

    /// A shell script, run by `sh -ec` on the node.
    pub fn shell(script: impl Into<String>) -> Self {
        Command::new(["sh".to_owned(), "-ec".to_owned(), script.into()])
    }

    /// Sets standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Sets the time limit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }
}

/// What a program printed and returned.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Exit status.
    pub status: i64,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, trimmed.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// True for exit status 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

/// A file of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Absolute path; missing folders are made with mode 0755.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
    /// Permission bits, for example `0o600`.
    pub mode: u32,
}

/// One machine of the cluster.
pub trait Node: Clone + Send + Sync + 'static {
    /// Node name, the same in Kubernetes.
    fn name(&self) -> &str;
    /// Its part in the cluster.
    fn role(&self) -> Role;
    /// Its address on the network that all nodes share.
    fn address(&self) -> Ipv4Addr;
    /// Runs a command; a non-zero status is not an error here, see [`Node::run`].
    fn exec(&self, command: Command) -> impl Future<Output = Result<Output, NodeError>> + Send;
    /// Writes files, all or an error.
    fn put(&self, files: Vec<FileSpec>) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Looks at files, in the order of `paths`, as [`files::read`] describes it.
    fn look_at(&self, paths: &[&str]) -> impl Future<Output = Result<Vec<Look<FileSpec>>, NodeError>> + Send {
        files::by_script(self, paths)
    }

    /// Runs a command and turns a non-zero status into an error with its last output lines.
    fn run(&self, command: Command) -> impl Future<Output = Result<Output, NodeError>> + Send {
        let argv = command.argv.clone();
        async move { self.expect_success(&argv, self.exec(command).await?) }
    }

    /// Turns a non-zero status into an error.
    fn expect_success<S: AsRef<str>>(&self, argv: &[S], output: Output) -> Result<Output, NodeError> {
        if output.success() {
            return Ok(output);
        }
        let command = argv.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
        Err(NodeError::Failed { node: self.name().to_owned(), command, status: output.status, output: tail(&output) })
    }
}

/// A node could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum NodeError {
    /// A program ended with a non-zero status.
    #[error("{node}: `{command}` exited with status {status}\n{output}")]
    Failed { node: String, command: String, status: i64, output: String },
    /// A program did not end in time.
    #[error("{node}: `{command}` did not finish within {limit:?}")]
    Timeout { node: String, command: String, limit: Duration },
    /// Something on a node could not be looked at, so that neither its presence nor its absence is certain.
    #[error("{node}: cannot look at {what}: {reason}")]
    Unreadable {
        node: String,
        /// What was looked at.
        what: String,
        /// The node's explanation.
        reason: String,
    },
    /// The connection to the node failed.
    #[error("{node}: {action} failed")]
    Transport {
        node: String,
        action: String,
        /// The family of the transport's error.
        family: Family,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Explain for NodeError {
    fn family(&self) -> Family {
        match self {
            NodeError::Failed { .. } | NodeError::Timeout { .. } | NodeError::Unreadable { .. } => Family::Kubeadm,
            NodeError::Transport { family, .. } => *family,
        }
    }
}

/// The last lines of what a program printed, standard error preferred.
fn tail(output: &Output) -> String {
    let bytes = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
