//! The undo journal: before a change is made, how to undo it is recorded on disk and in the cluster.
//!
//! On disk it is one file of JSON lines, synced ([`file`]); in the cluster a labelled ConfigMap, in case the disk is gone (a
//! cancelled CI job; [`cluster`]). A run undoes its changes in reverse order, whatever happens to it. What a killed run left is
//! [healed](heal) first by the next `up`, `test` or `recover`; a change of a node also has a [lease](Change::lease), which the
//! node itself enforces. Undoing ([`back`]) is safe to repeat: it is a no-op if nothing is left to undo.

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

/// What changes are made and undone with.
#[derive(Clone)]
pub struct Hands {
    /// The cluster's API.
    pub client: Client,
    /// Its nodes; without them, changes of nodes can be neither made nor undone.
    pub nodes: Option<Arc<dyn Nodes>>,
}

/// How to undo one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// Fields of an object's `spec` become what they were.
    Spec {
        /// What was changed.
        object: ObjectRef,
        /// The uid of the changed object: another one with its name is left alone.
        uid: String,
        /// The fields, in the order in which they were set.
        fields: Vec<Field>,
    },
    /// A created object is deleted, or a deleted one is created again.
    Object {
        /// Which object.
        object: ObjectRef,
        /// The whole object before; none if it did not exist.
        was: Option<Box<Value>>,
    },
    /// A script runs on a node.
    OnNode {
        /// Name of the node.
        node: String,
        /// The script, which must be safe to repeat.
        script: String,
    },
    /// A paused node is resumed.
    Standstill {
        /// Name of the node.
        node: String,
    },
}

/// One field of a `spec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// JSON pointer below `spec`.
    pub path: String,
    /// Its value before; none if it did not exist.
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
    /// What undoing it does, in words.
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

    /// True for a change made to a node.
    pub fn is_of_node(&self) -> bool {
        match self {
            Undo::OnNode { .. } | Undo::Standstill { .. } => true,
            Undo::Spec { .. } | Undo::Object { .. } => false,
        }
    }
}

/// A change and how to undo it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Unique among all runs; also the ConfigMap's name.
    pub id: String,
    /// The run that made it.
    pub run: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// How to undo it.
    pub undo: Undo,
    /// Time for the undone change to reach the proxies, in milliseconds.
    pub settle_ms: u64,
    /// When the node undoes the change by itself, whatever has happened to the run.
    pub lease: Option<Timestamp>,
    /// The value of each field as stored by the API server; none while that is not known. If it is known, a field that somebody
    /// else has changed since is left alone; otherwise every field is reset.
    #[serde(default)]
    pub made: Option<Vec<Option<Value>>>,
}

/// The changes of one trial.
pub struct Changes {
    hands: Hands,
    file: file::File,
    run: String,
    prefix: String,
    /// Not undone yet, oldest first.
    open: Vec<Change>,
    count: u32,
}

impl Changes {
    /// No changes yet. `path` is the file shared by all runs on the cluster; `name` distinguishes this trial from others of the
    /// run.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn new(hands: Hands, path: &Path, run: &str, name: &str) -> Result<Self, ScenarioError> {
        let prefix = format!("{}{run}-{name}", cluster::PREFIX);
        Ok(Changes { hands, file: file::File::open(path)?, run: run.to_owned(), prefix, open: Vec::new(), count: 0 })
    }

    /// Records how to undo a change, which may be made only after that. Returns the change's id.
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

    /// Records the fields of a change as stored by the API server.
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

    /// The number of changes that stand now, for [`Changes::take_back_to`].
    pub fn standing(&self) -> usize {
        self.open.len()
    }

    /// Undoes the latest changes, newest first, until only `standing` of them are left.
    ///
    /// # Errors
    /// The first change that could not be undone; it stays open.
    pub async fn take_back_to(&mut self, standing: usize) -> Result<(), ScenarioError> {
        while self.open.len() > standing
            && let Some(change) = self.open.last()
        {
            close(&self.hands, &self.file, change, Until::Settled).await?;
            self.open.pop();
        }
        Ok(())
    }

    /// Undoes all changes, newest first; returns the description of each, with the error if it failed.
    pub async fn undo_all(&mut self) -> Vec<Result<String, (String, ScenarioError)>> {
        let mut results = Vec::new();
        while let Some(change) = self.open.pop() {
            let what = change.undo.to_string();
            results.push(close(&self.hands, &self.file, &change, Until::Settled).await.map_err(|error| (what, error)));
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

/// How far undoing is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until everything is written as it was.
    Written,
    /// Until the cluster has followed.
    Settled,
}

/// Undoes a change and removes its entries; returns its description.
async fn close(hands: &Hands, file: &file::File, change: &Change, until: Until) -> Result<String, ScenarioError> {
    let back = back::take_back(hands, change).await?;
    if back == back::Back::Changed && until == Until::Settled {
        back::settle(&hands.client, change).await?;
    }
    cluster::erase(&hands.client, &change.id).await?;
    file.closed(&change.id).await?;
    let overtaken = if back == back::Back::Overtaken { ": somebody else has changed it since, which stays" } else { "" };
    Ok(format!("{}{overtaken}", change.undo))
}

/// Changes that were made and not undone, according to the file and the cluster; oldest first. While a run is in progress, its
/// own changes are among them.
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

/// Undoes what killed runs have left; returns descriptions of the changes. Must not run at the same time as another run on the
/// same cluster, whose changes would be taken for leftovers. May be interrupted anywhere: unfinished entries stay.
///
/// # Errors
/// The first change that could not be undone, after all others were; it stays in the journal.
pub async fn heal(hands: &Hands, path: &Path, until: Until) -> Result<Vec<String>, ScenarioError> {
    let changes = standing(&hands.client, path).await?;
    let mut healed = Vec::new();
    if changes.is_empty() {
        return Ok(healed);
    }
    let file = file::File::open(path)?;
    let mut failed = None;
    for change in changes.iter().rev() {
        match close(hands, &file, change, until).await {
            Ok(what) => healed.push(format!("{what} (changed by run {})", change.run)),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(healed), Err)
}

/// Changes that were made and not undone, according to the file alone; oldest first.
///
/// # Errors
/// The file cannot be read.
pub fn noted(path: &Path) -> Result<Vec<Change>, ScenarioError> {
    file::standing(path)
}

/// Undoes what was done to nodes, according to the file, without asking the API: paused nodes may be the reason why it does not
/// answer. The entries stay, for [`heal`].
///
/// # Errors
/// The file cannot be read, or the first change that could not be undone, after all others were.
pub async fn wake_nodes(nodes: &dyn Nodes, path: &Path) -> Result<(), ScenarioError> {
    let mut woken = Ok(());
    for change in noted(path)?.iter().rev() {
        woken = woken.and(back::wake(nodes, &change.undo).await);
    }
    woken
}

#[cfg(test)]
mod tests;
