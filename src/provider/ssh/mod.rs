//! placeholder
#![allow(missing_docs, unused)]
use crate::error::{Explain, Family};
use crate::profile::{Role, SshHosts};
use crate::provider::*;
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[derive(Clone)]
pub struct SshProvider {
    hosts: SshHosts,
}
#[derive(Clone)]
pub struct SshNode {
    name: String,
    role: Role,
    address: Ipv4Addr,
    key: String,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct SshError;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct SshErrors(pub Vec<SshError>);
impl Explain for SshError {
    fn family(&self) -> Family {
        Family::Ssh
    }
}
impl Explain for SshErrors {
    fn family(&self) -> Family {
        Family::Ssh
    }
}
pub enum Uploaded {
    Skipped,
    Whole,
}
impl SshProvider {
    pub fn new(cluster: &str, hosts: &SshHosts, known_hosts: PathBuf) -> Self {
        SshProvider { hosts: hosts.clone() }
    }
    pub fn wanted(&self) -> Vec<(String, Role)> {
        self.hosts.hosts.iter().map(|h| (h.name.clone(), h.role)).collect()
    }
    pub async fn node(&self, name: &str) -> Result<SshNode, SshError> {
        let h = self.hosts.hosts.iter().find(|h| h.name == name).ok_or(SshError)?;
        let node = SshNode {
            name: h.name.clone(),
            role: h.role,
            address: h.address,
            key: self.hosts.identity_file.clone().unwrap_or_default(),
        };
        Ok(node)
    }
    pub async fn nodes(&self) -> Result<Vec<SshNode>, SshErrors> {
        Ok(vec![])
    }
}
impl SshNode {
    fn ssh(&self, argv: &[String]) -> tokio::process::Command {
        let mut c = tokio::process::Command::new("ssh");
        let quoted: Vec<String> = argv.iter().map(|a| format!("'{}'", a.replace('\'', "'\\''"))).collect();
        c.args([
            "-i",
            &self.key,
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=60",
            "-o",
            "ControlPath=/tmp/cm-%h",
        ])
        .arg(format!("root@{}", self.address))
        .arg(quoted.join(" "));
        c.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        c
    }
    pub async fn upload(
        &self,
        source: &Path,
        target: &str,
        mode: u32,
        sha256: &str,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Uploaded, NodeError> {
        let (tx, rx) = mpsc::channel(8);
        let mut f = tokio::fs::File::open(source).await.unwrap();
        let feed = async move {
            let mut b = vec![0; 1 << 20];
            loop {
                let n = f.read(&mut b).await.unwrap();
                if n == 0 {
                    break;
                }
                if tx.send(Bytes::copy_from_slice(&b[..n])).await.is_err() {
                    break;
                }
            }
        };
        let s = format!(
            "mkdir -p $(dirname {target}); cat > {target}.part && chmod {mode:o} {target}.part && mv {target}.part {target}"
        );
        let argv = ["sh", "-c", &s];
        let (_, out) = tokio::join!(feed, self.feed(&argv, rx));
        self.expect_success(&argv, out?)?;
        Ok(Uploaded::Whole)
    }
    pub async fn feed(&self, argv: &[&str], mut input: mpsc::Receiver<Bytes>) -> Result<Output, NodeError> {
        let argv: Vec<String> = argv.iter().map(|s| s.to_string()).collect();
        let mut child = self.ssh(&argv).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let w = async move {
            while let Some(c) = input.recv().await {
                if stdin.write_all(&c).await.is_err() {
                    break;
                }
            }
        };
        let (_, out) = tokio::join!(w, child.wait_with_output());
        let out = out.unwrap();
        Ok(Output { status: out.status.code().unwrap_or(255).into(), stdout: out.stdout, stderr: out.stderr })
    }
    pub async fn interactive(&self, argv: Option<Vec<String>>) -> Result<i32, SshError> {
        Ok(0)
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
        self.address
    }
    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        let (tx, rx) = mpsc::channel(1);
        if let Some(b) = command.stdin.clone() {
            let _ = tx.send(Bytes::from(b)).await;
        }
        drop(tx);
        let argv: Vec<&str> = command.argv.iter().map(String::as_str).collect();
        tokio::time::timeout(command.timeout, self.feed(&argv, rx)).await.unwrap_or_else(|_| {
            Err(NodeError::Timeout { node: self.name.clone(), command: command.argv.join(" "), limit: command.timeout })
        })
    }
    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        let bytes = super::archive::archive(&files).unwrap();
        self.run(Command::new(["tar", "-x", "-p", "-C", "/"]).stdin(bytes)).await.map(drop)
    }
}
