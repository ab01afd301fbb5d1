//! Edits of the cluster that a scenario makes before its load starts. Each is recorded in the undo journal first.

use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::error::ScenarioError;
use super::objects::{self, MANAGER, RUN_LABEL};
use super::schema::ObjectRef;
use super::undo::{Changes, Field, Undo};
use crate::quantity::Span;

/// An edit of the cluster, undone afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Edit {
    /// Fields of an object get other values.
    Patch(Patch),
    /// An object is created that did not exist.
    Create(Create),
    /// An object is deleted.
    Remove(Remove),
}

/// Fields of an object get other values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    /// The object to change.
    pub object: ObjectRef,
    /// The fields to set, with their values.
    #[schemars(length(min = 1))]
    pub set: Vec<Set>,
    /// Time for the change to reach the proxies.
    #[serde(default = "settle")]
    pub settle: Span,
}

/// One field and its new value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Set {
    /// JSON pointer below `spec`, for example `/http/0/retries`; all but its last part must exist.
    #[schemars(regex(pattern = r"^(/[^/]+)+$"))]
    pub path: String,
    /// The new value.
    pub value: Value,
}

/// An object is created that did not exist.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// The object as `kubectl create` accepts it, with its namespace.
    #[schemars(with = "std::collections::BTreeMap<String, Value>")]
    pub object: Value,
    /// Time for it to reach the proxies.
    #[serde(default = "settle")]
    pub settle: Span,
}

/// An object is deleted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remove {
    /// The object to delete.
    pub object: ObjectRef,
    /// Time for its absence to reach the proxies.
    #[serde(default = "settle")]
    pub settle: Span,
}

fn settle() -> Span {
    Span::secs(3)
}

impl Create {
    /// The object to be created; none if its name or kind is missing.
    pub(super) fn target(&self) -> Option<ObjectRef> {
        let text = |pointer: &str| self.object.pointer(pointer)?.as_str().map(str::to_owned);
        Some(ObjectRef {
            api_version: text("/apiVersion")?,
            kind: text("/kind")?,
            namespace: text("/metadata/namespace")?,
            name: text("/metadata/name")?,
        })
    }
}

impl Edit {
    /// The edited object, in a form for people.
    pub(super) fn object(&self) -> String {
        match self {
            Edit::Patch(Patch { object, .. }) | Edit::Remove(Remove { object, .. }) => object.to_string(),
            Edit::Create(create) => create.target().map_or_else(|| "an object".to_owned(), |object| object.to_string()),
        }
    }

    /// Makes the edit, after recording how to undo it.
    ///
    /// # Errors
    /// The object or one of the fields does not exist, an object to be created does exist, the journal cannot be written, or
    /// the API server refuses.
    /// server refuses.
    pub(super) async fn make(&self, changes: &mut Changes) -> Result<(), ScenarioError> {
        match self {
            Edit::Patch(patch) => patch.make(changes).await,
            Edit::Create(create) => create.make(changes).await,
            Edit::Remove(remove) => remove.make(changes).await,
        }
    }
}

async fn existing(changes: &Changes, object: &ObjectRef) -> Result<DynamicObject, ScenarioError> {
    let found = objects::get(&changes.hands().client, object).await?;
    found.ok_or_else(|| ScenarioError::NoField { object: object.to_string(), path: "/".into() })
}

impl Patch {
    pub(super) async fn make(&self, changes: &mut Changes) -> Result<(), ScenarioError> {
        let object = &self.object;
        let found = existing(changes, object).await?;
        let spec = found.data.get("spec").cloned().unwrap_or_default();
        // a path that does not exist must not leave half a change
        let mut trial = spec.clone();
        let mut fields = Vec::new();
        for set in &self.set {
            fields.push(Field { path: set.path.clone(), before: trial.pointer(&set.path).cloned() });
            objects::put(&mut trial, object, &set.path, Some(set.value.clone()))?;
        }
        let uid = found.uid().unwrap_or_default();
        let undo = Undo::Spec { object: object.clone(), uid: uid.clone(), fields };
        let id = changes.open(undo, self.settle.0, None).await?;
        let all =
            |spec: &mut Value| self.set.iter().try_for_each(|set| objects::put(spec, object, &set.path, Some(set.value.clone())));
        if let Some(now) = objects::replace_spec(&changes.hands().client, object, &uid, all).await? {
            let value = |set: &Set| now.data.get("spec").and_then(|spec| spec.pointer(&set.path)).cloned();
            changes.made(&id, self.set.iter().map(value).collect()).await?;
        }
        objects::wait_rolled_out(&changes.hands().client, object).await?;
        sleep(self.settle.0).await;
        Ok(())
    }
}

impl Create {
    async fn make(&self, changes: &mut Changes) -> Result<(), ScenarioError> {
        let object =
            self.target().ok_or_else(|| ScenarioError::NoField { object: "an object".into(), path: "/metadata".into() })?;
        let client = changes.hands().client.clone();
        if objects::get(&client, &object).await?.is_some() {
            return Err(ScenarioError::Exists { object: object.to_string() });
        }
        let action = || ScenarioError::kube(format!("make {object}"));
        let made = serde_json::from_value(self.object.clone()).map_err(kube::Error::SerdeError);
        let mut made: DynamicObject = made.map_err(action())?;
        made.labels_mut().insert(RUN_LABEL.to_owned(), changes.run().to_owned());
        changes.open(Undo::Object { object: object.clone(), was: None }, self.settle.0, None).await?;
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        objects::api(&client, &object).await?.create(&parameters, &made).await.map_err(action())?;
        sleep(self.settle.0).await;
        Ok(())
    }
}

impl Remove {
    async fn make(&self, changes: &mut Changes) -> Result<(), ScenarioError> {
        let object = &self.object;
        let client = changes.hands().client.clone();
        let found = existing(changes, object).await?;
        let was = serde_json::to_value(&found).map_err(kube::Error::SerdeError);
        let was = was.map_err(ScenarioError::kube(format!("keep {object}")))?;
        let undo = Undo::Object { object: object.clone(), was: Some(Box::new(was)) };
        changes.open(undo, self.settle.0, None).await?;
        let deleted = objects::api(&client, object).await?.delete(&object.name, &DeleteParams::default()).await;
        deleted.map_err(ScenarioError::kube(format!("delete {object}")))?;
        objects::wait_gone(&client, object).await?;
        sleep(self.settle.0).await;
        Ok(())
    }
}
