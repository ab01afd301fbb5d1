//! The undo journal: what an object was like is on disk and in the cluster before the object is changed.
//!
//! On disk it is one file of JSON lines, synced; in the cluster a labelled ConfigMap beside the object, for when the disk
//! is gone (a cancelled CI job). A run takes its changes back in reverse order whatever happens to it; what a killed run
//! left is [healed](heal) before the next one. Taking back is safe to repeat: it is a no-op for an object that is gone, is
//! another one by the same name, or is as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ScenarioError;
use super::objects;
use super::schema::{ObjectRef, Patch};
use crate::journal::{Entry, Journal, standing};

/// Label of the ConfigMaps; its value is the run's name.
pub const LABEL: &str = "hearth.dev/undo";
/// Their only key.
const KEY: &str = "change";

/// How to take one change back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Unique among all runs; also the ConfigMap's name.
    pub id: String,
    /// The run that changed it.
    pub run: String,
    /// What was changed.
    pub object: ObjectRef,
    /// The very object.
    pub uid: String,
    /// Its `spec` before.
    pub spec: Value,
    /// Time for the change back to reach the proxies, in milliseconds.
    pub settle_ms: u64,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// About to change.
    Open(Box<Change>),
    /// Taken back.
    Closed(String),
}

impl Entry for Line {
    fn subject(&self) -> &str {
        match self {
            Line::Open(change) => &change.id,
            Line::Closed(id) => id,
        }
    }

    fn stands(&self) -> bool {
        matches!(self, Line::Open(_))
    }
}

/// The changes of one trial.
pub struct Changes {
    client: Client,
    journal: Journal<Line>,
    run: String,
    /// Not taken back yet, oldest first.
    open: Vec<Change>,
    count: u32,
}

impl Changes {
    /// Changes for `run`, noted in the file at `path`.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(client: Client, path: &Path, run: &str) -> Result<Self, ScenarioError> {
        let (journal, _) = Journal::open(path)?;
        Ok(Changes { client, journal, run: run.to_owned(), open: Vec::new(), count: 0 })
    }

    /// Changes an object; how to take it back is safe before that. The object's description.
    ///
    /// # Errors
    /// The object or one of the fields is not there, the journal cannot be written, or the API server refuses.
    pub async fn apply(&mut self, patch: &Patch) -> Result<String, ScenarioError> {
        let object = &patch.object;
        let found = objects::get(&self.client, object).await?;
        let found = found.ok_or_else(|| ScenarioError::NoField { object: object.to_string(), path: "/".into() })?;
        let spec = found.data.get("spec").cloned().unwrap_or_default();
        // a path that is not there must not leave half a change
        let mut trial = spec.clone();
        patch.set.iter().try_for_each(|set| objects::set(&mut trial, object, set))?;
        self.count += 1;
        let change = Change {
            id: format!("hearth-undo-{}-{}", self.run, self.count),
            run: self.run.clone(),
            object: object.clone(),
            uid: found.uid().unwrap_or_default(),
            spec,
            settle_ms: patch.settle.0.as_millis() as u64,
        };
        self.journal.append(&Line::Open(Box::new(change.clone()))).await?;
        self.open.push(change.clone());
        note(&self.client, &change).await?;
        objects::replace_spec(&self.client, object, &change.uid, |spec| {
            patch.set.iter().try_for_each(|set| objects::set(spec, object, set))
        })
        .await?;
        tokio::time::sleep(patch.settle.0).await;
        Ok(object.to_string())
    }

    /// Takes all changes back, latest first; each object's description, or why it could not be.
    pub async fn undo_all(&mut self) -> Vec<Result<String, (String, ScenarioError)>> {
        let mut results = Vec::new();
        while let Some(change) = self.open.pop() {
            let object = change.object.to_string();
            let undone = take_back(&self.client, &self.journal, &change).await;
            results.push(undone.map(|()| object.clone()).map_err(|error| (object, error)));
        }
        results
    }
}

/// Takes back what killed runs have left, as the file and the cluster's ConfigMaps tell; descriptions of the objects.
/// Must not run beside another run on the same cluster: its changes would be taken for left ones.
///
/// # Errors
/// The first change that could not be taken back; what is left stays in the journal.
pub async fn heal(client: &Client, path: &Path) -> Result<Vec<String>, ScenarioError> {
    let (journal, lines) = Journal::open(path)?;
    let mut open = opened(lines);
    let api: Api<ConfigMap> = Api::all(client.clone());
    let list = api.list(&ListParams::default().labels(LABEL)).await.map_err(ScenarioError::kube("look for undo entries"))?;
    for map in list.items {
        let text = map.data.as_ref().and_then(|data| data.get(KEY));
        // one that cannot be read is not ours
        let change: Option<Change> = text.and_then(|text| serde_json::from_str(text).ok());
        open.extend(change.filter(|change| !open.iter().any(|other| other.id == change.id)));
    }
    let mut healed = Vec::new();
    for change in open.iter().rev() {
        take_back(client, &journal, change).await?;
        healed.push(format!("{} (changed by run {})", change.object, change.run));
    }
    Ok(healed)
}

async fn take_back(client: &Client, journal: &Journal<Line>, change: &Change) -> Result<(), ScenarioError> {
    let original = |spec: &mut Value| {
        *spec = change.spec.clone();
        Ok(())
    };
    let changed = objects::replace_spec(client, &change.object, &change.uid, original).await?;
    if changed {
        let now = objects::get(client, &change.object).await?;
        if now.is_some_and(|now| now.data.get("spec") != Some(&change.spec)) {
            return Err(ScenarioError::NotRestored { object: change.object.to_string() });
        }
        tokio::time::sleep(Duration::from_millis(change.settle_ms)).await;
    }
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &change.object.namespace);
    match api.delete(&change.id, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => return Err(ScenarioError::kube(format!("delete undo entry {}", change.id))(error)),
    }
    Ok(journal.append(&Line::Closed(change.id.clone())).await?)
}

/// Writes the change into the cluster.
async fn note(client: &Client, change: &Change) -> Result<(), ScenarioError> {
    let text = serde_json::to_string(change).map_err(kube::Error::SerdeError);
    let action = || ScenarioError::kube(format!("write undo entry {}", change.id));
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(change.id.clone()),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), change.run.clone())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), text.map_err(action())?)])),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &change.object.namespace);
    api.create(&PostParams::default(), &map).await.map_err(action())?;
    Ok(())
}

/// Changes that were made and not taken back, oldest first.
fn opened(lines: Vec<Line>) -> Vec<Change> {
    let open = standing(lines).into_iter().filter_map(|line| match line {
        Line::Open(change) => Some(*change),
        Line::Closed(_) => None,
    });
    open.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str) -> Change {
        let object =
            ObjectRef { api_version: "v1".into(), kind: "X".into(), namespace: "n".into(), name: format!("object-{id}") };
        Change { id: id.into(), run: "r".into(), object, uid: "u".into(), spec: Value::Null, settle_ms: 0 }
    }

    #[tokio::test]
    async fn what_was_opened_and_not_closed_stands() {
        let scratch = tempfile::tempdir().expect("scratch");
        let path = scratch.path().join("undo.jsonl");
        let (journal, _) = Journal::open(&path).expect("new");
        for line in [Line::Open(change("a").into()), Line::Open(change("b").into()), Line::Closed("a".into())] {
            journal.append(&line).await.expect("written");
        }
        assert_eq!(opened(Journal::read(&path).expect("readable")), [change("b")]);
    }
}
