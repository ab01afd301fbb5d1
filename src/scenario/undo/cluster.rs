//! The journal in the cluster: one ConfigMap per change.
//!
//! Undoing such an entry is done with an administrator's rights, so it must be certain that the entry is ours. All of them are
//! in `kube-system`, where only administrators write: a tenant who may create ConfigMaps in their own namespace cannot cause
//! other people's objects to be rewritten. Beyond that, an entry counts only if it carries our label, has the name that it
//! contains, and was written by our field manager.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};

use super::super::error::ScenarioError;
use super::super::objects::MANAGER;
use super::Change;

/// The namespace of all entries.
const NAMESPACE: &str = "kube-system";
/// The label of entries; its value is the run's name.
const LABEL: &str = "hearth.dev/undo";
/// The only key in their data.
const KEY: &str = "change";
/// Prefix of their names.
pub(super) const PREFIX: &str = "hearth-undo-";

fn api(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// Writes an entry for a change into the cluster.
pub(super) async fn note(client: &Client, change: &Change) -> Result<(), ScenarioError> {
    let action = || ScenarioError::kube(format!("write undo entry {}", change.id));
    let text = serde_json::to_string(change).map_err(kube::Error::SerdeError).map_err(action())?;
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(change.id.clone()),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), change.run.clone())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), text)])),
        ..ConfigMap::default()
    };
    let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    api(client).create(&parameters, &map).await.map_err(action())?;
    Ok(())
}

/// Removes the entry of a change; no error if it does not exist.
pub(super) async fn erase(client: &Client, id: &str) -> Result<(), ScenarioError> {
    match api(client).delete(id, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ScenarioError::kube(format!("delete undo entry {id}"))(error)),
    }
}

/// All changes recorded in the cluster.
pub(super) async fn noted(client: &Client) -> Result<Vec<Change>, ScenarioError> {
    let list = api(client).list(&ListParams::default().labels(LABEL)).await;
    let list = list.map_err(ScenarioError::kube("look for undo entries"))?;
    list.items.iter().filter(|map| is_ours(map)).map(read).filter_map(Result::transpose).collect()
}

/// True for a ConfigMap whose content was written by our field manager, and changed by nobody since.
fn is_ours(map: &ConfigMap) -> bool {
    let named = map.metadata.name.as_deref().is_some_and(|name| name.starts_with(PREFIX));
    let managers = map.metadata.managed_fields.iter().flatten();
    let mut writers = managers.filter(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields.get("f:data").is_some())
    });
    let only = |(first, rest): (Option<&str>, usize)| first == Some(MANAGER) && rest == 0;
    named && only((writers.next().and_then(|entry| entry.manager.as_deref()), writers.count()))
}

/// The change in an entry of ours; none if its content does not match its name and label.
///
/// # Errors
/// The entry is ours but cannot be read: what it would undo is unknown, which is not the same as nothing.
fn read(map: &ConfigMap) -> Result<Option<Change>, ScenarioError> {
    let name = map.metadata.name.clone().unwrap_or_default();
    let text = map.data.as_ref().and_then(|data| data.get(KEY)).map(String::as_str).unwrap_or_default();
    let change: Change = serde_json::from_str(text).map_err(|source| ScenarioError::Entry { name: name.clone(), source })?;
    let label = map.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL));
    Ok((change.id == name && Some(&change.run) == label).then_some(change))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str, manager: &str, data: serde_json::Value) -> ConfigMap {
        let fields = json!({"f:data": {".": {}, "f:change": {}}});
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {LABEL: "r"}, "managedFields": [{"manager": manager, "fieldsV1": fields}]},
            "data": {KEY: data.to_string()}
        }))
        .expect("a ConfigMap")
    }

    fn change(id: &str) -> serde_json::Value {
        json!({"id": id, "run": "r", "at": "2026-11-26T00:00:00Z", "undo": {"standstill": {"node": "w"}}, "settleMs": 0, "lease": null})
    }

    #[test]
    fn an_entry_counts_only_when_it_is_what_it_says_and_ours() {
        let good = entry("hearth-undo-r-1", MANAGER, change("hearth-undo-r-1"));
        assert!(is_ours(&good));
        assert_eq!(read(&good).expect("readable").map(|change| change.id).as_deref(), Some("hearth-undo-r-1"));
        assert!(!is_ours(&entry("hearth-undo-r-1", "kubectl-create", change("hearth-undo-r-1"))));
        assert!(!is_ours(&entry("mine", MANAGER, change("mine"))));
        let mut edited = good.clone();
        let other = entry("x", "kubectl-edit", change("x")).metadata.managed_fields;
        edited.metadata.managed_fields.as_mut().expect("set").extend(other.expect("set"));
        assert!(!is_ours(&edited), "somebody wrote into it after us");
        assert_eq!(read(&entry("hearth-undo-r-2", MANAGER, change("hearth-undo-r-1"))).expect("readable"), None);
        let mut relabelled = good;
        relabelled.metadata.labels = Some(BTreeMap::from([(LABEL.to_owned(), "other".to_owned())]));
        assert_eq!(read(&relabelled).expect("readable"), None);
        assert!(read(&entry("hearth-undo-r-1", MANAGER, json!({}))).is_err(), "ours, and nobody knows what it takes back");
    }
}
