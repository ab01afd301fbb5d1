//! Nodes for tests: this machine itself, and one with files and answers in memory.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Command, FileSpec, Node, NodeError, Output, files};
use crate::profile::Role;

/// Runs commands on this machine.
#[derive(Clone)]
pub struct Here;

impl Node for Here {
    fn name(&self) -> &str {
        "here"
    }

    fn role(&self) -> Role {
        Role::Worker
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        let mut child = std::process::Command::new(&command.argv[0])
            .args(&command.argv[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(command.stdin.as_deref().unwrap_or_default()).unwrap();
        let done = child.wait_with_output().unwrap();
        Ok(Output { status: done.status.code().unwrap_or(-1).into(), stdout: done.stdout, stderr: done.stderr })
    }

    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        files.iter().for_each(|file| std::fs::write(&file.path, &file.bytes).unwrap());
        Ok(())
    }
}

/// A file of a node in memory.
#[derive(Clone)]
pub enum Kept {
    /// Its content.
    Text(String),
    /// Why it cannot be read.
    Broken(&'static str),
}

/// A phrase of a command, and the status and the output that answer it.
type Answer = (&'static str, i64, String);

/// A node in memory: files, and answers to the commands whose text contains a phrase.
#[derive(Clone)]
pub struct InMemory {
    /// Its name.
    pub name: &'static str,
    /// What it has.
    pub files: Arc<Mutex<BTreeMap<String, (Kept, u32)>>>,
    /// Commands without an answer succeed and print nothing.
    pub answers: Arc<Mutex<Vec<Answer>>>,
    /// Every command, as one line.
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl InMemory {
    /// A node with nothing.
    pub fn new(name: &'static str) -> Self {
        InMemory { name, files: Arc::default(), answers: Arc::default(), asked: Arc::default() }
    }

    /// Gives it a file, mode 0644.
    pub fn with(self, path: &str, text: impl Into<String>) -> Self {
        self.files.lock().unwrap().insert(path.to_owned(), (Kept::Text(text.into()), 0o644));
        self
    }

    /// Gives it a file that cannot be read.
    pub fn broken(self, path: &str, reason: &'static str) -> Self {
        self.files.lock().unwrap().insert(path.to_owned(), (Kept::Broken(reason), 0o644));
        self
    }

    /// Answers commands that contain `phrase`.
    pub fn answers(self, phrase: &'static str, status: i64, output: &str) -> Self {
        self.answers.lock().unwrap().push((phrase, status, output.to_owned()));
        self
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<String> {
        match self.files.lock().unwrap().get(path) {
            Some((Kept::Text(text), _)) => Some(text.clone()),
            _ => None,
        }
    }

    fn look(&self, path: &str) -> String {
        let files = self.files.lock().unwrap();
        let below = |folder: &str| files.keys().any(|path| path.starts_with(folder));
        match files.get(path) {
            Some((Kept::Text(text), mode)) => format!("present {mode:o} {}\n", BASE64.encode(text)),
            Some((Kept::Broken(reason), _)) => format!("unknown {reason}\n"),
            None if path.ends_with('/') && below(path) => "present 755\n".to_owned(),
            None => "absent\n".to_owned(),
        }
    }
}

impl Node for InMemory {
    fn name(&self) -> &str {
        self.name
    }

    fn role(&self) -> Role {
        Role::ControlPlane
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(172, 18, 0, 2)
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        let line =
            format!("{} {}", command.argv.join(" "), String::from_utf8_lossy(command.stdin.as_deref().unwrap_or_default()));
        let answers = self.answers.lock().unwrap();
        let answer = answers.iter().find(|(phrase, ..)| line.contains(phrase)).cloned();
        if answer.is_none() && command.stdin.as_deref() == Some(files::SCRIPT.as_bytes()) {
            let looks: String = command.argv[3..].iter().map(|path| self.look(path)).collect();
            return Ok(Output { stdout: format!("{}\n{looks}", files::MARK).into_bytes(), ..Output::default() });
        }
        let answer = answer.unwrap_or(("", 0, String::new()));
        self.asked.lock().unwrap().push(line);
        Ok(Output { status: answer.1, stdout: answer.2.clone().into_bytes(), stderr: Vec::new() })
    }

    async fn put(&self, files: Vec<FileSpec>) -> Result<(), NodeError> {
        let mut kept = self.files.lock().unwrap();
        for file in files {
            kept.insert(file.path, (Kept::Text(String::from_utf8_lossy(&file.bytes).into_owned()), file.mode));
        }
        Ok(())
    }
}
