//! A host as a [`Node`]: commands through the login shell, files as one tar stream.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::connection::{Connection, Live, Waker};
use super::error::SshError;
use super::event_loop::input_of;
use super::job::{Failure, Request, Sink};
use super::quote::{Line, privileged};
use crate::error::Family;
use crate::profile::Role;
use crate::provider::archive::archive;
use crate::provider::{Command, FileSpec, Node, NodeError, Output};

/// How long unpacking files may take.
const UNPACK: Duration = Duration::from_secs(120);

/// A node reached over SSH. Clones share the connection.
#[derive(Clone)]
pub struct SshNode {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) connection: Arc<Connection>,
    pub(super) uploads: Arc<Semaphore>,
}

/// Wakes the thread when the caller goes away, so that it looks at the command again.
struct WakeOnDrop(Waker);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl SshNode {
    /// Runs a program as root to its end, with whatever arrives on `input` as its standard input. There is no time limit: it
    /// ends with its input, or when the connection breaks.
    pub async fn feed(&self, argv: &[&str], mut input: mpsc::Receiver<Bytes>) -> Result<Output, NodeError> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let run = async {
            let Line { command, preamble } = privileged(&self.connection.privilege, &argv)?;
            let live = self.connection.live().await?;
            let waker = live.waker();
            let (sender, receiver) = mpsc::channel(4);
            let pump = async move {
                if let Some(preamble) = preamble {
                    let _ended = sender.send(Bytes::from(preamble)).await;
                    waker.wake();
                }
                while let Some(chunk) = input.recv().await {
                    // the program may end early: its output explains why, so the rest is only drained
                    let _ended = sender.send(chunk).await;
                    waker.wake();
                }
                drop(sender);
                waker.wake();
            };
            let (_fed, output) = tokio::join!(pump, self.reply(live, command, receiver));
            output
        };
        run.await.map_err(|error| self.transport(&argv, error))
    }

    /// Submits a command as root and waits for its end.
    async fn reply(&self, live: Arc<Live>, command: String, input: mpsc::Receiver<Bytes>) -> Result<Output, SshError> {
        // declared before `outcome`, so dropped after it: the thread then sees that nobody waits
        let _wake = WakeOnDrop(live.waker());
        let (reply, outcome) = oneshot::channel();
        live.submit(Request {
            command: Some(command),
            input,
            sink: Sink::Collect,
            terminal: None,
            ends: true,
            reply: Some(reply),
        });
        self.outcome(outcome.await)
    }

    /// The outcome of a request.
    pub(super) fn outcome(
        &self,
        outcome: Result<Result<Output, Failure>, oneshot::error::RecvError>,
    ) -> Result<Output, SshError> {
        let at = self.connection.target.at.clone();
        match outcome {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(Failure::Refused(source))) => Err(SshError::Refused { at, source }),
            Ok(Err(Failure::Lost(reason))) => Err(SshError::Lost { at, reason }),
            Ok(Err(Failure::NotRun(output))) => Err(SshError::NotRun { at, output }),
            Err(_dropped) => Err(SshError::Lost { at, reason: "it ended".to_owned() }),
        }
    }

    async fn attempt(&self, command: &Command) -> Result<Output, SshError> {
        let Line { command: line, preamble } = privileged(&self.connection.privilege, &command.argv)?;
        let input = match (preamble, &command.stdin) {
            (Some(preamble), Some(stdin)) => Some([preamble.as_slice(), stdin].concat()),
            (preamble, stdin) => preamble.or_else(|| stdin.clone()),
        };
        let live = self.connection.live().await?;
        self.reply(live, line, input_of(input)).await
    }

    pub(super) fn transport(&self, argv: &[String], source: impl std::error::Error + Send + Sync + 'static) -> NodeError {
        let action = format!("running `{}`", argv.join(" "));
        NodeError::Transport { node: self.name.clone(), action, family: Family::Ssh, source: Box::new(source) }
    }
}

impl Node for SshNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn role(&self) -> Role {
        self.role
    }

    fn address(&self) -> Ipv4Addr {
        self.connection.target.host
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        match tokio::time::timeout(command.timeout, self.attempt(&command)).await {
            Ok(outcome) => outcome.map_err(|error| self.transport(&command.argv, error)),
            Err(_elapsed) => {
                Err(NodeError::Timeout { node: self.name.clone(), command: command.argv.join(" "), limit: command.timeout })
            }
        }
    }

    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        let archive = archive(&files).map_err(|source| NodeError::Transport {
            node: self.name.clone(),
            action: "packing files".to_owned(),
            family: Family::Ssh,
            source: Box::new(source),
        })?;
        // folders get their mode from the umask; -m: the archive has no times
        let unpack = Command::shell("umask 022; exec tar -x -p -m -f - -C /").stdin(archive).timeout(UNPACK);
        self.run(unpack).await.map(drop)
    }
}
