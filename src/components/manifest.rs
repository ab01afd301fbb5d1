//! Objects as data: how to refer to them, where the API serves them, in which order they are written, and the labels by which
//! Hearth recognises its own.

use std::fmt;

use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{ALL, ComponentError};
use crate::artifact::sha256;

/// Label of everything Hearth writes.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "hearth");
/// Label with the profile's name.
pub const PROFILE: &str = "hearth.dev/profile";
/// Label with the component's name.
pub const COMPONENT: &str = "hearth.dev/component";
/// Annotation with the digest of what was written: comparing it takes only metadata.
pub const CONTENT: &str = "hearth.dev/content-sha256";

/// Who objects are written for.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The profile's name.
    pub profile: String,
    /// The component they belong to.
    pub component: &'static str,
}

/// Identifies an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `group/version`, or `v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// Namespace, for kinds that have one.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

impl ObjectRef {
    /// A reference from its parts. The namespace of a kind that has none is dropped, as the API server does (kind's storage
    /// class is written with one).
    pub fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let cluster_wide = Kind::find(api_version, kind).is_some_and(|known| !known.namespaced);
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.filter(|_| !cluster_wide).map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The reference of an object; missing fields are empty.
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        ObjectRef::new(text("/apiVersion"), text("/kind"), namespace, text("/metadata/name"))
    }

    /// Where the API serves the object.
    ///
    /// # Errors
    /// [`ComponentError::UnknownKind`] for kinds that are not among [`kinds`].
    pub fn api(&self, client: &Client) -> Result<Api<DynamicObject>, ComponentError> {
        let kind = self.known()?;
        let resource = kind.resource();
        Ok(match (&self.namespace, kind.namespaced) {
            (Some(namespace), true) => Api::namespaced_with(client.clone(), namespace, &resource),
            _ => Api::all_with(client.clone(), &resource),
        })
    }

    /// `namespace/name`, or the name alone if there is no namespace.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    fn known(&self) -> Result<&'static Kind, ComponentError> {
        let found = Kind::find(&self.api_version, &self.kind);
        found.ok_or_else(|| ComponentError::UnknownKind { api_version: self.api_version.clone(), kind: self.kind.clone() })
    }

    /// The turn in which it is written; objects of the same turn are written in parallel.
    ///
    /// # Errors
    /// [`ComponentError::UnknownKind`].
    pub fn turn(&self) -> Result<Turn, ComponentError> {
        Ok(self.known()?.turn)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}

/// Turns in which objects are written; deletion runs in reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// What everything else lives in, and volumes, which outlive the claims in a namespace.
    Namespaces,
    /// Kinds of later objects.
    Definitions,
    /// What pods refer to: accounts, rights, configuration, services.
    Configuration,
    /// What creates pods.
    Workloads,
    /// Objects of kinds from the definitions.
    Custom,
}

/// A kind that Hearth writes. The table avoids asking the API what it serves before every object.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// `group/version`, or `v1`.
    pub api_version: &'static str,
    /// For example `Deployment`.
    pub kind: &'static str,
    /// Its name in URLs.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// In which turn its objects are written.
    pub turn: Turn,
}

impl Kind {
    /// A kind without namespaces.
    pub const fn cluster(api_version: &'static str, kind: &'static str, plural: &'static str, turn: Turn) -> Self {
        Kind { api_version, kind, plural, namespaced: false, turn }
    }

    /// A kind that lives in namespaces.
    pub const fn namespaced(api_version: &'static str, kind: &'static str, plural: &'static str, turn: Turn) -> Self {
        Kind { api_version, kind, plural, namespaced: true, turn }
    }

    /// The kind with that name, if it is one of [`kinds`].
    fn find(api_version: &str, kind: &str) -> Option<&'static Kind> {
        kinds().find(|known| known.kind == kind && known.api_version == api_version)
    }

    /// The form that kube needs.
    pub fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", self.api_version));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version.to_owned(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// Kubernetes' own kinds; a kind that only one component uses is listed in that component.
const KINDS: &[Kind] = &[
    Kind::cluster("v1", "Namespace", "namespaces", Turn::Namespaces),
    Kind::cluster("v1", "PersistentVolume", "persistentvolumes", Turn::Namespaces),
    Kind::cluster("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", Turn::Definitions),
    Kind::namespaced("v1", "ServiceAccount", "serviceaccounts", Turn::Configuration),
    Kind::namespaced("v1", "Secret", "secrets", Turn::Configuration),
    Kind::namespaced("v1", "ConfigMap", "configmaps", Turn::Configuration),
    Kind::namespaced("v1", "Service", "services", Turn::Configuration),
    Kind::namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims", Turn::Configuration),
    Kind::cluster(RBAC, "ClusterRole", "clusterroles", Turn::Configuration),
    Kind::cluster(RBAC, "ClusterRoleBinding", "clusterrolebindings", Turn::Configuration),
    Kind::namespaced(RBAC, "Role", "roles", Turn::Configuration),
    Kind::namespaced(RBAC, "RoleBinding", "rolebindings", Turn::Configuration),
    Kind::cluster("storage.k8s.io/v1", "StorageClass", "storageclasses", Turn::Configuration),
    Kind::cluster(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", Turn::Configuration),
    Kind::cluster(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", Turn::Configuration),
    Kind::namespaced("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", Turn::Configuration),
    Kind::namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", Turn::Configuration),
    Kind::cluster("networking.k8s.io/v1", "IngressClass", "ingressclasses", Turn::Configuration),
    Kind::namespaced("apps/v1", "Deployment", "deployments", Turn::Workloads),
    Kind::namespaced("apps/v1", "StatefulSet", "statefulsets", Turn::Workloads),
    Kind::namespaced("apps/v1", "DaemonSet", "daemonsets", Turn::Workloads),
    Kind::namespaced("batch/v1", "Job", "jobs", Turn::Workloads),
    Kind::namespaced("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Turn::Workloads),
    Kind::namespaced("networking.k8s.io/v1", "Ingress", "ingresses", Turn::Custom),
];

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const ADMISSION: &str = "admissionregistration.k8s.io/v1";

/// Every kind that Hearth writes, for any profile.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain(ALL.iter().flat_map(|component| component.kinds))
}

/// The object with Hearth's labels and the digest of its content.
pub fn marked(object: &Value, owner: &Owner) -> Value {
    let mut object = object.clone();
    let digest = content_digest(&object);
    let labels = entry(&mut object, "labels");
    labels.insert(MANAGED_BY.0.to_owned(), json!(MANAGED_BY.1));
    labels.insert(PROFILE.to_owned(), json!(owner.profile));
    labels.insert(COMPONENT.to_owned(), json!(owner.component));
    entry(&mut object, "annotations").insert(CONTENT.to_owned(), json!(digest));
    object
}

/// SHA-256 of an object as rendered, hexadecimal.
pub fn content_digest(object: &Value) -> String {
    sha256(object.to_string().as_bytes())
}

/// `metadata.labels` or `metadata.annotations`, added if absent.
fn entry<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let map = &mut object["metadata"][key];
    if !map.is_object() {
        *map = Value::Object(Map::new());
    }
    map.as_object_mut().expect("made an object just above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_change_with_content_and_nothing_else() {
        let owner = |profile: &str| Owner { profile: profile.into(), component: "metallb" };
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "w"}});
        let digest = |object: &Value| object["metadata"]["annotations"][CONTENT].clone();
        assert_eq!(digest(&marked(&object, &owner("x"))), digest(&marked(&object, &owner("y"))));
        assert_ne!(digest(&marked(&object, &owner("x"))), digest(&marked(&other, &owner("x"))));
        assert_eq!(marked(&object, &owner("x"))["metadata"]["labels"][COMPONENT], "metallb");
    }

    #[test]
    fn a_namespace_is_part_of_a_reference_only_where_there_are_namespaces() {
        let object = |api_version: &str, kind: &str| {
            let metadata = json!({"name": "standard", "namespace": "kube-system"});
            ObjectRef::of(&json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).namespace
        };
        assert_eq!(object("storage.k8s.io/v1", "StorageClass"), None);
        assert_eq!(object("v1", "ConfigMap").as_deref(), Some("kube-system"));
    }

    #[test]
    fn objects_know_their_turn() {
        let turn = |api_version, kind| ObjectRef::new(api_version, kind, None, "a").turn();
        assert!(turn("v1", "Namespace").expect("known") < turn("apps/v1", "Deployment").expect("known"));
        assert!(turn("v1", "Nonsense").is_err());
    }
}
