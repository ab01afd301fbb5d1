//! The undo journal: how a change is taken back is on disk and in the cluster before the change is made.
//!
//! On disk it is one file of JSON lines, synced ([`file`]); in the cluster a labelled ConfigMap, for when the disk is gone
//! (a cancelled CI job; [`cluster`]). A run takes its changes back in reverse order whatever happens to it. What a killed
//! run left is [healed](heal) first by the next `up`, `test` or `recover`; a change of a node carries a
//! [lease](Change::lease) besides, which the node itself keeps. Taking back ([`back`]) is safe to repeat: it is a no-op
//! where nothing is left to take back.

mod back;
mod cluster;
mod file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ScenarioError;
use super::nodes::Nodes;
use super::schema::ObjectRef;

/// What changes are made and taken back with.
#[derive(Clone)]
pub struct Hands {
    /// The cluster's API.
    pub client: Client,
    /// Its nodes; none: changes of nodes can be neither made nor taken back.
    pub nodes: Option<Arc<dyn Nodes>>,
}

/// How to take one change back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// Fields of an object's `spec` become what they were.
    Spec {
        /// What was changed.
        object: ObjectRef,
        /// The very object.
        uid: String,
        /// The fields, in the order in which they were set.
        fields: Vec<Field>,
    },
    /// An object that was made is deleted; one that was deleted is made again.
    Object {
        /// Which.
        object: ObjectRef,
        /// The whole object before; none when there was none.
        was: Option<Box<Value>>,
    },
    /// A script runs on a node.
    OnNode {
        /// Which.
        node: String,
        /// Must be safe to repeat.
        script: String,
    },
    /// A node that stands still goes on.
    Standstill {
        /// The node.
        node: String,
    },
}

/// One field of a `spec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// JSON pointer below `spec`.
    pub path: String,
    /// Its value before; none when it was not there.
    pub before: Option<Value>,
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undo::Spec { object, .. } | Undo::Object { object, .. } => object.fmt(f),
            Undo::OnNode { node, .. } | Undo::Standstill { node } => write!(f, "node {node}"),
        }
    }
}

impl Undo {
    /// What taking it back does, in words.
    pub fn sentence(&self) -> String {
        match self {
            Undo::Spec { object, fields, .. } => {
                let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
                format!("give {object} its former {}", paths.join(", "))
            }
            Undo::Object { object, was: None } => format!("delete {object}"),
            Undo::Object { object, was: Some(_) } => format!("make {object} again"),
            Undo::OnNode { node, .. } => format!("end what was done to node {node}"),
            Undo::Standstill { node } => format!("let node {node} go on"),
        }
    }

    /// True for a change of a node.
    pub fn is_of_node(&self) -> bool {
        match self {
            Undo::OnNode { .. } | Undo::Standstill { .. } => true,
            Undo::Spec { .. } | Undo::Object { .. } => false,
        }
    }
}

/// A change and how to take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Unique among all runs; also the ConfigMap's name.
    pub id: String,
    /// The run that made it.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// How to take it back.
    pub undo: Undo,
    /// Time for the change back to reach the proxies, in milliseconds.
    pub settle_ms: u64,
    /// When the node takes a change back by itself, whatever has become of the run.
    pub lease: Option<Timestamp>,
    /// What the API server made of each field; none as long as that is not known. With it, a field that somebody else
    /// has changed since is left alone; without it, every field goes back.
    #[serde(default)]
    pub made: Option<Vec<Option<Value>>>,
}

/// The changes of one trial.
pub struct Changes {
    hands: Hands,
    file: file::File,
    run: String,
    prefix: String,
    /// Not taken back yet, oldest first.
    open: Vec<Change>,
    count: u32,
}

impl Changes {
    /// None yet. `path` is the file that all runs on the cluster share, `name` sets this trial apart from others of the run.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn new(hands: Hands, path: &Path, run: &str, name: &str) -> Result<Self, ScenarioError> {
        let prefix = format!("{}{run}-{name}", cluster::PREFIX);
        Ok(Changes { hands, file: file::File::open(path)?, run: run.to_owned(), prefix, open: Vec::new(), count: 0 })
    }

    /// Makes safe how a change will be taken back; the change itself comes after that. Its id.
    ///
    /// # Errors
    /// The file or the ConfigMap cannot be written: then the change must not be made.
    pub async fn open(&mut self, undo: Undo, settle: Duration, lease: Option<Duration>) -> Result<String, ScenarioError> {
        self.count += 1;
        let at = Timestamp::now();
        let change = Change {
            id: format!("{}-{}", self.prefix, self.count),
            run: self.run.clone(),
            at,
            undo,
            settle_ms: settle.as_millis() as u64,
            lease: lease.and_then(|lease| at.checked_add(lease).ok()),
            made: None,
        };
        self.file.opened(&change).await?;
        self.open.push(change.clone());
        cluster::note(&self.hands.client, &change).await?;
        Ok(change.id)
    }

    /// What the API server made of the fields of a change.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn made(&mut self, id: &str, values: Vec<Option<Value>>) -> Result<(), ScenarioError> {
        if let Some(change) = self.open.iter_mut().find(|change| change.id == id) {
            change.made = Some(values);
            self.file.opened(change).await?;
        }
        Ok(())
    }

    /// How many changes stand now, for [`Changes::take_back_to`].
    pub fn standing(&self) -> usize {
        self.open.len()
    }

    /// Takes back, latest first, what was changed since there were so many.
    ///
    /// # Errors
    /// The first change that could not be; it stays open.
    pub async fn take_back_to(&mut self, standing: usize) -> Result<(), ScenarioError> {
        while self.open.len() > standing
            && let Some(change) = self.open.last()
        {
            close(&self.hands, &self.file, change).await?;
            self.open.pop();
        }
        Ok(())
    }

    /// Takes all changes back, latest first; each one's description, or why it could not be.
    pub async fn undo_all(&mut self) -> Vec<Result<String, (String, ScenarioError)>> {
        let mut results = Vec::new();
        while let Some(change) = self.open.pop() {
            let what = change.undo.to_string();
            results.push(close(&self.hands, &self.file, &change).await.map_err(|error| (what, error)));
        }
        results
    }

    /// What changes are made with.
    pub fn hands(&self) -> &Hands {
        &self.hands
    }

    /// The run's name.
    pub fn run(&self) -> &str {
        &self.run
    }
}

/// Takes a change back, waits for it to reach the proxies, and strikes it off; its description.
async fn close(hands: &Hands, file: &file::File, change: &Change) -> Result<String, ScenarioError> {
    let back = back::take_back(hands, change).await?;
    if back == back::Back::Changed {
        tokio::time::sleep(Duration::from_millis(change.settle_ms)).await;
    }
    cluster::erase(&hands.client, &change.id).await?;
    file.closed(&change.id).await?;
    let overtaken = if back == back::Back::Overtaken { ": somebody else has changed it since, which stays" } else { "" };
    Ok(format!("{}{overtaken}", change.undo))
}

/// Changes that were made and not taken back, as the file and the cluster have them; oldest first. While a run is under
/// way its own are among them.
///
/// # Errors
/// The file or the cluster cannot be read.
pub async fn standing(client: &Client, path: &Path) -> Result<Vec<Change>, ScenarioError> {
    let mut all = file::standing(path)?;
    for change in cluster::noted(client).await? {
        if all.iter().all(|other| other.id != change.id) {
            all.push(change);
        }
    }
    all.sort_by_key(|change| change.at);
    Ok(all)
}

/// Takes back what killed runs have left; descriptions of the changes. Must not run beside another run on the same
/// cluster: its changes would be taken for left ones.
///
/// # Errors
/// The first change that could not be taken back, after all others were; it stays in the journal.
pub async fn heal(hands: &Hands, path: &Path) -> Result<Vec<String>, ScenarioError> {
    let changes = standing(&hands.client, path).await?;
    let mut healed = Vec::new();
    if changes.is_empty() {
        return Ok(healed);
    }
    let file = file::File::open(path)?;
    let mut failed = None;
    for change in changes.iter().rev() {
        match close(hands, &file, change).await {
            Ok(what) => healed.push(format!("{what} (changed by run {})", change.run)),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(healed), Err)
}

/// Changes that were made and not taken back, as the file alone has them; oldest first.
///
/// # Errors
/// The file cannot be read.
pub fn noted(path: &Path) -> Result<Vec<Change>, ScenarioError> {
    file::standing(path)
}

/// Takes back what was done to nodes, as the file has it, without asking the API: nodes that stand still may be why it does
/// not answer. The entries stay, for [`heal`].
///
/// # Errors
/// The file cannot be read, or the first change that could not be taken back, after all others were.
pub async fn wake_nodes(nodes: &dyn Nodes, path: &Path) -> Result<(), ScenarioError> {
    let mut woken = Ok(());
    for change in noted(path)?.iter().rev() {
        woken = woken.and(back::wake(nodes, &change.undo).await);
    }
    woken
}

#[cfg(test)]
mod tests;
