//! Nodes for tests: this machine itself, and one whose files and answers are in memory; and a provider of such nodes.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{
    Choose, Command, FileSpec, Fixed, Holder, Holdings, Leases, Machine, Network, Node, NodeError, NodeView, Output, Provider,
    ProviderError, Quirks, files, runtime,
};
use crate::artifact::Store;
use crate::decision::Decision;
use crate::error::Result as Outcome;
use crate::profile::{AddressRange, Host, NodeSpec, Role};
use crate::progress::Progress;

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

/// A file on a node in memory.
#[derive(Clone)]
pub enum Kept {
    /// Its content.
    Text(String),
    /// It cannot be read, for this reason.
    Broken(&'static str),
}

/// A phrase in a command, with the status and output that answer it.
type Answer = (&'static str, i64, String);

/// What a command that contains a phrase changes on a node.
type Effect = (&'static str, Arc<dyn Fn(&InMemory) + Send + Sync>);

/// A node in memory: files, and answers to the commands that contain a phrase.
#[derive(Clone)]
pub struct InMemory {
    /// As in the profile.
    pub name: &'static str,
    /// Control plane or worker.
    pub role: Role,
    /// True while every command fails.
    pub silent: Arc<AtomicBool>,
    /// What commands change.
    effects: Arc<Mutex<Vec<Effect>>>,
    /// Its files, with their modes.
    pub files: Arc<Mutex<BTreeMap<String, (Kept, u32)>>>,
    /// Commands without an answer succeed and print nothing.
    pub answers: Arc<Mutex<Vec<Answer>>>,
    /// Every command that was run, one line each.
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl InMemory {
    /// A node without files.
    pub fn new(name: &'static str) -> Self {
        InMemory {
            name,
            role: Role::ControlPlane,
            silent: Arc::default(),
            effects: Arc::default(),
            files: Arc::default(),
            answers: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// Commands that contain `phrase` run `effect`.
    pub fn does(self, phrase: &'static str, effect: impl Fn(&InMemory) + Send + Sync + 'static) -> Self {
        self.effects.lock().unwrap().push((phrase, Arc::new(effect)));
        self
    }

    /// From now on, commands that contain `phrase` get this answer.
    pub fn answer(&self, phrase: &'static str, status: i64, output: &str) {
        self.answers.lock().unwrap().insert(0, (phrase, status, output.to_owned()));
    }

    /// Removes a file.
    pub fn lose(&self, path: &str) {
        self.files.lock().unwrap().remove(path);
    }

    /// Adds a file with mode 0644.
    pub fn with(self, path: &str, text: impl Into<String>) -> Self {
        self.files.lock().unwrap().insert(path.to_owned(), (Kept::Text(text.into()), 0o644));
        self
    }

    /// Adds a file that cannot be read.
    pub fn broken(self, path: &str, reason: &'static str) -> Self {
        self.files.lock().unwrap().insert(path.to_owned(), (Kept::Broken(reason), 0o644));
        self
    }

    /// Commands that contain `phrase` get this answer.
    pub fn answers(self, phrase: &'static str, status: i64, output: &str) -> Self {
        self.answers.lock().unwrap().push((phrase, status, output.to_owned()));
        self
    }

    /// The text of a file; none where there is no file.
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
        self.role
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(172, 18, 0, 2)
    }

    async fn exec(&self, command: Command) -> Result<Output, NodeError> {
        if self.silent.load(Ordering::Relaxed) {
            let limit = Duration::from_secs(1);
            return Err(NodeError::Timeout { node: self.name.to_owned(), command: command.argv.join(" "), limit });
        }
        let line =
            format!("{} {}", command.argv.join(" "), String::from_utf8_lossy(command.stdin.as_deref().unwrap_or_default()));
        let answers = self.answers.lock().unwrap();
        let answer = answers.iter().find(|(phrase, ..)| line.contains(phrase)).cloned();
        if answer.is_none() && command.stdin.as_deref() == Some(files::SCRIPT.as_bytes()) {
            let looks: String = command.argv[3..].iter().map(|path| self.look(path)).collect();
            return Ok(Output { stdout: format!("{}\n{looks}", files::MARK).into_bytes(), ..Output::default() });
        }
        let answer = answer.unwrap_or(("", 0, String::new()));
        drop(answers);
        let effects: Vec<Effect> = self.effects.lock().unwrap().clone();
        effects.iter().filter(|(phrase, _)| line.contains(phrase)).for_each(|(_, effect)| effect(self));
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

/// A provider whose nodes are in memory.
#[derive(Clone, Default)]
pub struct Fakes {
    /// In the order of the profile.
    pub nodes: Arc<Mutex<Vec<InMemory>>>,
    /// The recorded address pool.
    pub pool: Arc<Mutex<Option<AddressRange>>>,
    /// True while every call fails.
    pub silent: Arc<AtomicBool>,
    /// Nodes that do not answer.
    pub away: Arc<Mutex<Vec<&'static str>>>,
}

impl Fakes {
    /// The node with that name.
    pub fn get(&self, name: &str) -> InMemory {
        self.nodes.lock().unwrap().iter().find(|node| node.name == name).unwrap().clone()
    }

    fn ask(&self) -> Outcome<Vec<InMemory>> {
        match self.silent.load(Ordering::Relaxed) {
            true => {
                let (node, what, reason) = ("engine".to_owned(), "nodes".to_owned(), "it is silent".to_owned());
                Err(NodeError::Unreadable { node, what, reason }.into())
            }
            false => Ok(self.nodes.lock().unwrap().clone()),
        }
    }

    fn find(&self, name: &str) -> Outcome<InMemory> {
        let absent = || NodeError::Unreadable { node: name.to_owned(), what: "it".into(), reason: "there is none".into() };
        Ok(self.ask()?.into_iter().find(|node| node.name == name).ok_or_else(absent)?)
    }
}

impl Provider for Fakes {
    type Node = InMemory;

    async fn reachable(&self) -> Outcome<()> {
        self.ask().map(drop)
    }

    async fn existing(&self) -> Outcome<Vec<NodeView>> {
        let away = self.away.lock().unwrap().clone();
        let view = |node: InMemory| NodeView {
            name: node.name.to_owned(),
            role: node.role,
            running: !away.contains(&node.name),
            away: away.contains(&node.name),
            status: "running".into(),
            problem: String::new(),
            address: (!away.contains(&node.name)).then(|| node.address()),
            api: None,
        };
        Ok(self.ask()?.into_iter().map(view).collect())
    }

    async fn node(&self, name: &str) -> Outcome<InMemory> {
        self.find(name)
    }

    async fn running(&self, name: &str) -> Outcome<Option<InMemory>> {
        Ok(self.ask()?.into_iter().find(|node| node.name == name))
    }

    async fn nodes(&self, wanted: &[NodeSpec]) -> Outcome<Vec<InMemory>> {
        wanted.iter().map(|spec| self.find(&spec.name)).collect()
    }

    fn hosts(&self) -> Vec<Host> {
        Vec::new()
    }

    async fn leaving(&self) -> Vec<Host> {
        Vec::new()
    }

    async fn machine(&self, node: &str) -> Outcome<Machine> {
        let quirks = Quirks { in_container: true, ..Quirks::default() };
        Ok(Machine { cpus: 2, memory: 4 << 30, provider_id: format!("fake://{}", self.find(node)?.name), quirks })
    }

    async fn fixed(&self, _: &str) -> Outcome<Vec<Fixed>> {
        Ok(Vec::new())
    }

    async fn network(&self) -> Outcome<Option<Network>> {
        self.ask()?;
        let subnet = "172.18.0.0/16".parse().unwrap();
        Ok(Some(Network { subnet, used: Vec::new(), taken: Vec::new(), own: *self.pool.lock().unwrap() }))
    }

    async fn has_pool(&self, _: Option<AddressRange>) -> Outcome<bool> {
        self.ask()?;
        Ok(self.pool.lock().unwrap().is_some())
    }

    async fn reserve_pool(&self, choose: &Choose<'_>) -> Outcome<AddressRange> {
        let network = self.network().await?.unwrap();
        let range = choose(&network)?;
        Ok(*self.pool.lock().unwrap().insert(range))
    }

    async fn node_image(&self, _: &[String]) -> Outcome<Option<Decision<String>>> {
        Ok(None)
    }

    async fn to_fetch(&self, _: &[String]) -> Outcome<Option<Vec<String>>> {
        Ok(None)
    }

    async fn nowhere(&self, _: &[String], _: &Store) -> Outcome<Vec<String>> {
        Ok(Vec::new())
    }

    async fn load_image(&self, reference: &str, nodes: &[InMemory], _: &Store, _: &Progress) -> Outcome<()> {
        for node in nodes {
            let has = runtime::images(node).await?.into_iter().chain([reference.to_owned()]);
            node.answer("images list", 0, &has.collect::<Vec<_>>().join("\n"));
        }
        Ok(())
    }

    async fn take_leases(&self, _: &str, _: &str) -> Outcome<Leases> {
        Ok(Leases::default())
    }

    async fn leases(&self) -> Outcome<Vec<(InMemory, Holder)>> {
        Ok(Vec::new())
    }

    async fn end_lease(&self, _: &InMemory) -> Outcome<()> {
        Ok(())
    }

    async fn terminal(&self, _: &str, _: Option<Vec<String>>) -> Outcome<i32> {
        Err(ProviderError::Other { wants: "nodes with terminals" }.into())
    }

    async fn release(&self, node: &str) -> Outcome<()> {
        self.nodes.lock().unwrap().retain(|one| one.name != node);
        Ok(())
    }

    async fn kept(&self) -> Vec<String> {
        Vec::new()
    }

    async fn holdings(&self) -> Outcome<Holdings> {
        Ok(Holdings::default())
    }

    async fn leftovers(&self, _: &Holdings) -> Outcome<Vec<String>> {
        Ok(Vec::new())
    }
}
