//! Undoing a change. Safe to repeat, and safe if somebody else was faster.

use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, PostParams};
use kube::{Client, ResourceExt};
use serde_json::Value;
use tokio::time::sleep;

use super::super::error::ScenarioError;
use super::super::nodes::Nodes;
use super::super::objects::{self, MANAGER, RUN_LABEL};
use super::super::schema::ObjectRef;
use super::{Change, Field, Hands, Undo};

/// The result of undoing a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// Something was changed.
    Changed,
    /// Nothing was left to undo.
    Nothing,
    /// Somebody else has changed it since, and their change stays.
    Overtaken,
}

/// Waits until the cluster has followed an undone change: pods are replaced, a deleted object is gone, proxies know.
///
/// # Errors
/// A deleted object does not go.
pub(super) async fn settle(client: &Client, change: &Change) -> Result<(), ScenarioError> {
    match &change.undo {
        Undo::Spec { object, .. } => {
            // the object is as it was; if pods take longer to follow, that is up to the cluster
            let _soon = objects::wait_rolled_out(client, object).await;
        }
        Undo::Object { object, was: None } => objects::wait_gone(client, object).await?,
        Undo::Object { .. } | Undo::OnNode { .. } | Undo::Standstill { .. } => {}
    }
    sleep(Duration::from_millis(change.settle_ms)).await;
    Ok(())
}

/// Undoes a change; does not wait for the cluster to follow.
///
/// # Errors
/// It could not be undone, or this could not be verified.
pub(super) async fn take_back(hands: &Hands, change: &Change) -> Result<Back, ScenarioError> {
    let client = &hands.client;
    match &change.undo {
        Undo::Spec { object, uid, fields } => spec(client, object, uid, fields, change.made.as_deref()).await,
        Undo::Object { object, was: None } => delete(client, object, &change.run).await,
        Undo::Object { object, was: Some(was) } => create(client, object, was).await,
        undo @ (Undo::OnNode { .. } | Undo::Standstill { .. }) => {
            let nodes = hands.nodes.as_deref().ok_or(ScenarioError::NoNodes)?;
            wake(nodes, undo).await.map(|()| Back::Changed)
        }
    }
}

/// Undoes what was done to a node; does nothing for other changes.
///
/// # Errors
/// The node or its container cannot be reached.
pub(super) async fn wake(nodes: &dyn Nodes, undo: &Undo) -> Result<(), ScenarioError> {
    let result = match undo {
        Undo::OnNode { node, script } => nodes.run(node, script.clone()).await.map(drop),
        Undo::Standstill { node } => nodes.resume(node).await,
        Undo::Spec { .. } | Undo::Object { .. } => Ok(()),
    };
    result.map_err(|source| ScenarioError::Node { action: format!("take back what was done to {undo}"), source })
}

async fn spec(
    client: &Client,
    object: &ObjectRef,
    uid: &str,
    fields: &[Field],
    made: Option<&[Option<Value>]>,
) -> Result<Back, ScenarioError> {
    let ours: Vec<&Field> = {
        let now = objects::get(client, object).await?;
        let Some(now) = now.filter(|now| now.uid().as_deref() == Some(uid)) else { return Ok(Back::Nothing) };
        let spec = now.data.get("spec").cloned().unwrap_or_default();
        let unchanged = |(index, field): &(usize, &Field)| {
            made.and_then(|made| made.get(*index)).is_none_or(|made| spec.pointer(&field.path) == made.as_ref())
        };
        fields.iter().enumerate().filter(unchanged).map(|(_, field)| field).collect()
    };
    let overtaken = if ours.len() < fields.len() { Back::Overtaken } else { Back::Nothing };
    let restore =
        |spec: &mut Value| ours.iter().rev().try_for_each(|field| objects::put(spec, object, &field.path, field.before.clone()));
    if objects::replace_spec(client, object, uid, restore).await?.is_none() {
        return Ok(overtaken);
    }
    let now = objects::get(client, object).await?;
    let restored = |now: &DynamicObject| {
        let spec = now.data.get("spec").cloned().unwrap_or_default();
        ours.iter().all(|field| spec.pointer(&field.path) == field.before.as_ref())
    };
    match now.as_ref().is_none_or(restored) {
        true => Ok(if overtaken == Back::Overtaken { overtaken } else { Back::Changed }),
        false => Err(ScenarioError::NotRestored { object: object.to_string() }),
    }
}

/// Deletes an object that the run created; another object with the same name stays.
async fn delete(client: &Client, object: &ObjectRef, run: &str) -> Result<Back, ScenarioError> {
    let Some(found) = objects::get(client, object).await? else { return Ok(Back::Nothing) };
    if found.labels().get(RUN_LABEL).map(String::as_str) != Some(run) {
        return Ok(Back::Overtaken);
    }
    let parameters = DeleteParams {
        preconditions: Some(kube::api::Preconditions { uid: found.uid(), resource_version: None }),
        ..DeleteParams::foreground()
    };
    match objects::api(client, object).await?.delete(&object.name, &parameters).await {
        Ok(_) => Ok(Back::Changed),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Back::Nothing),
        Err(error) => Err(ScenarioError::kube(format!("delete {object}"))(error)),
    }
}

/// Creates an object again that the run deleted; one that exists by now stays.
async fn create(client: &Client, object: &ObjectRef, was: &Value) -> Result<Back, ScenarioError> {
    if objects::get(client, object).await?.is_some() {
        return Ok(Back::Nothing);
    }
    let action = || ScenarioError::kube(format!("make {object} again"));
    let again: DynamicObject =
        serde_json::from_value(objects::portable(was)).map_err(kube::Error::SerdeError).map_err(action())?;
    let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match objects::api(client, object).await?.create(&parameters, &again).await {
        Ok(_) => Ok(Back::Changed),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Back::Nothing),
        Err(error) => Err(action()(error)),
    }
}
