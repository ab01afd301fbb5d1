//! Who owns the fields of an object, by the API server's own record (`metadata.managedFields`): whoever changes a field that
//! Hearth applied takes it over, and whoever removes one removes it from the record. So an object is as Hearth wrote it for as
//! long as Hearth owns every field that it would write.
//! (Format: FieldsV1 in the Kubernetes API reference; sigs.k8s.io/structured-merge-diff `fieldpath/serialize`.)

use kube::core::ObjectMeta;
use serde_json::{Map, Value};

use super::apply::FIELD_MANAGER;

/// Fields that identify an object, which the record leaves out.
const NAMES: &[&str] = &["apiVersion", "kind", "metadata.name", "metadata.namespace"];

/// The first field of `object` that Hearth does not own in the cluster, as a path; none if it owns them all.
pub fn first_lost(object: &Value, live: &ObjectMeta) -> Option<String> {
    let own = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let entry = live.managed_fields.iter().flatten().find(own).and_then(|entry| entry.fields_v1.clone());
    let Some(owned) = entry.map(|fields| fields.0) else { return Some("the whole object".to_owned()) };
    lost(object, &owned, &mut Vec::new())
}

fn lost(value: &Value, owned: &Value, path: &mut Vec<String>) -> Option<String> {
    let node = owned.as_object()?;
    // an empty node is owned as a whole
    let whole = node.is_empty();
    match value {
        Value::Object(map) if !whole || path.is_empty() => map.iter().find_map(|(key, value)| {
            path.push(key.clone());
            let found = match node.get(&format!("f:{key}")) {
                _ if NAMES.contains(&path.join(".").as_str()) || is_nothing(value) => None,
                Some(owned) => lost(value, owned, path),
                None => Some(path.join(".")),
            };
            path.pop();
            found
        }),
        Value::Array(items) if !whole => items.iter().find_map(|item| lost_item(item, node, path)),
        _ => None,
    }
}

/// Looks at one element of a list whose elements have keys, or are values of a set.
fn lost_item(item: &Value, node: &Map<String, Value>, path: &mut Vec<String>) -> Option<String> {
    let found = node.iter().find(|(entry, _)| {
        let key = entry.strip_prefix("k:").and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        let value = entry.strip_prefix("v:").and_then(|text| serde_json::from_str::<Value>(text).ok());
        match (key, value) {
            // a key may have a default value, which is not written
            (Some(key), _) => key.iter().all(|(name, value)| item.get(name).is_none_or(|own| own == value)),
            (None, Some(value)) => value == *item,
            (None, None) => false,
        }
    });
    match found {
        Some((_, owned)) => lost(item, owned, path),
        None => Some(format!("{}[{}]", path.join("."), name(item))),
    }
}

fn name(item: &Value) -> String {
    match item {
        Value::Object(map) => map.get("name").or_else(|| map.values().next()).map(name).unwrap_or_default(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Values that the API server may leave out of its record, because they are empty. It records empty mappings: `emptyDir: {}` has a
/// meaning.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(manager: &str, fields: &Value) -> ObjectMeta {
        let entry = json!({"manager": manager, "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
        serde_json::from_value(json!({"name": "a", "managedFields": [entry]})).expect("metadata")
    }

    fn object() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"l": "1"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [
                {"name": "c", "image": "i", "args": ["x"], "ports": [{"containerPort": 80}], "volumeMounts": []}]}}}})
    }

    fn owned() -> Value {
        json!({"f:metadata": {"f:labels": {"f:l": {}}}, "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {
            "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}})
    }

    #[test]
    fn an_object_is_ours_while_every_field_is() {
        assert_eq!(first_lost(&object(), &live("hearth", &owned())), None);
        assert_eq!(first_lost(&object(), &live("kubectl", &owned())).as_deref(), Some("the whole object"));
        assert_eq!(first_lost(&object(), &ObjectMeta::default()).as_deref(), Some("the whole object"));
    }

    /// Every field in turn is taken over by somebody else.
    #[test]
    fn a_field_that_somebody_else_took_over_is_named() {
        let without = |pointer: &str, key: &str| {
            let mut fields = owned();
            fields.pointer_mut(pointer).expect("there").as_object_mut().expect("a map").remove(key).expect("there");
            first_lost(&object(), &live("hearth", &fields)).unwrap_or_default()
        };
        let container = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"c\"}";
        for (pointer, key, path) in [
            // the record has no empty maps: the last field of a map takes the map with it
            ("", "f:metadata", "metadata.labels.l"),
            ("/f:spec", "f:replicas", "spec.replicas"),
            ("/f:spec", "f:selector", "spec.selector"),
            ("/f:spec", "f:template", "spec.template.spec.containers[c]"),
            (container, "f:image", "spec.template.spec.containers.image"),
            (container, "f:args", "spec.template.spec.containers.args"),
            (container, "f:ports", "spec.template.spec.containers.ports"),
        ] {
            let found = without(pointer, key);
            assert!(path.starts_with(&found) && !found.is_empty(), "{path}: {found}");
        }
        let mut other = owned();
        *other.pointer_mut(container).expect("there") = json!({".": {}});
        let found = first_lost(&object(), &live("hearth", &other));
        assert_eq!(found.as_deref(), Some("spec.template.spec.containers.name"), "only that it is in the list is ours");
    }

    #[test]
    fn a_removed_empty_mapping_is_named() {
        let object = json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}});
        let owned = |volume: Value| json!({"f:spec": {"f:volumes": {"k:{\"name\":\"v\"}": volume}}});
        let found = |volume: Value| first_lost(&object, &live("hearth", &owned(volume)));
        assert_eq!(found(json!({".": {}, "f:name": {}, "f:emptyDir": {}})), None);
        assert_eq!(
            found(json!({".": {}, "f:name": {}})).as_deref(),
            Some("spec.volumes.emptyDir"),
            "the volume may be a hostPath now"
        );
    }

    #[test]
    fn what_others_add_is_left_alone() {
        let mut fields = owned();
        fields["f:metadata"]["f:annotations"] = json!({"f:theirs": {}});
        assert_eq!(first_lost(&object(), &live("hearth", &fields)), None);
    }
}
