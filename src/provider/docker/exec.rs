//! A container as a [`Node`]: commands through the engine's exec, files through its archives.

use std::io;
use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::Container;
use crate::error::Family;
use crate::look::Look;
use crate::profile::Role;
use crate::provider::archive::archive;
use crate::provider::{Command, FileSpec, Node, NodeError, Output, files};

/// A node that is a container.
#[derive(Clone)]
pub struct DockerNode {
    pub(super) docker: Docker,
    pub(super) name: String,
    role: Role,
    address: Ipv4Addr,
    api_port: Option<u16>,
}

impl DockerNode {
    pub(super) fn new(docker: Docker, container: &Container, address: Ipv4Addr) -> Self {
        DockerNode { docker, name: container.name.clone(), role: container.role, address, api_port: container.api_port }
    }

    /// The container in which a derived node image is built; it has no network.
    pub(super) fn builder(docker: Docker, name: &str) -> Self {
        DockerNode { docker, name: name.to_owned(), role: Role::Worker, address: Ipv4Addr::UNSPECIFIED, api_port: None }
    }

    /// Host port of the API server, on a control plane.
    pub fn api_port(&self) -> Option<u16> {
        self.api_port
    }

    /// Runs a program to its end, with whatever arrives on `input` as its standard input.
    pub async fn feed(&self, argv: &[&str], mut input: mpsc::Receiver<Bytes>) -> Result<Output, NodeError> {
        let command = Command::new(argv.iter().copied());
        let (id, results) = self.start(&command, true).await?;
        let StartExecResults::Attached { output, input: mut sink } = results else {
            return Err(self.transport("attach to a command", io::Error::other("the engine detached")));
        };
        let write = async {
            while let Some(chunk) = input.recv().await {
                sink.write_all(&chunk).await?;
            }
            sink.shutdown().await
        };
        // the program may end early and close its side: its output then explains more than a broken pipe
        let (_written, collected) = tokio::join!(write, collect(output));
        let collected = collected.map_err(|source| self.transport("read a command's output", source))?;
        self.finish(&id, collected).await
    }

    async fn start(&self, command: &Command, stdin: bool) -> Result<(String, StartExecResults), NodeError> {
        let action = || format!("running `{}`", command.argv.join(" "));
        let options = CreateExecOptions {
            cmd: Some(command.argv.clone()),
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            privileged: Some(true),
            ..Default::default()
        };
        let exec = self.docker.create_exec(&self.name, options).await.map_err(|error| self.transport(action(), error))?;
        let start = StartExecOptions { output_capacity: Some(64 * 1024), ..Default::default() };
        let started = self.docker.start_exec(&exec.id, Some(start)).await.map_err(|error| self.transport(action(), error))?;
        Ok((exec.id, started))
    }

    async fn finish(&self, id: &str, mut output: Output) -> Result<Output, NodeError> {
        let state = self.docker.inspect_exec(id).await.map_err(|error| self.transport("reading an exit status", error))?;
        output.status = state.exit_code.unwrap_or(-1);
        Ok(output)
    }

    fn transport(&self, action: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> NodeError {
        NodeError::Transport { node: self.name.clone(), action: action.into(), family: Family::Docker, source: Box::new(source) }
    }
}

impl Node for DockerNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn role(&self) -> Role {
        self.role
    }

    fn address(&self) -> Ipv4Addr {
        self.address
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        let run = async {
            let (id, results) = self.start(&command, command.stdin.is_some()).await?;
            let StartExecResults::Attached { output, mut input } = results else {
                return Err(self.transport("attach to a command", io::Error::other("the engine detached")));
            };
            if let Some(bytes) = &command.stdin {
                input.write_all(bytes).await.map_err(|error| self.transport("writing a command's input", error))?;
                input.shutdown().await.map_err(|error| self.transport("closing a command's input", error))?;
            }
            let collected = collect(output).await.map_err(|error| self.transport("reading a command's output", error))?;
            self.finish(&id, collected).await
        };
        tokio::time::timeout(command.timeout, run).await.unwrap_or_else(|_| {
            Err(NodeError::Timeout { node: self.name.clone(), command: command.argv.join(" "), limit: command.timeout })
        })
    }

    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        let archive = archive(&files).map_err(|error| self.transport("packing files", error))?;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        self.docker
            .upload_to_container(&self.name, Some(options), bollard::body_full(archive.into()))
            .await
            .map_err(|error| self.transport("writing files", error))
    }

    async fn look_at(&self, paths: &[&str]) -> Result<Vec<Look<FileSpec>>, NodeError> {
        let mut looks = join_all(paths.iter().map(|path| self.look(path))).await;
        let open: Vec<&str> = paths.iter().zip(&looks).filter(|(_, look)| look.is_none()).map(|(path, _)| *path).collect();
        if !open.is_empty() {
            let mut answers = files::by_script(self, &open).await?.into_iter();
            looks.iter_mut().filter(|look| look.is_none()).for_each(|look| *look = answers.next());
        }
        Ok(looks.into_iter().flatten().collect())
    }
}

/// Gathers a command's output until its end.
async fn collect(
    mut stream: impl futures_util::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Unpin,
) -> Result<Output, bollard::errors::Error> {
    let mut output = Output::default();
    while let Some(chunk) = stream.next().await {
        match chunk? {
            LogOutput::StdErr { message } => output.stderr.extend_from_slice(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => output.stdout.extend_from_slice(&message),
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok(output)
}
