//! What is lost with objects that the profile no longer asks for: a namespace takes with it what others put there, a definition
//! every object of its kind, a claim its data. What others would lose is listed by name, and stays unless its removal was asked
//! for.

use std::collections::BTreeSet;
use std::fmt;

use futures_util::FutureExt;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client};

use super::apply::FIELD_MANAGER;
use super::{ComponentError, ObjectRef};

/// Requests in flight at once.
const PARALLEL: usize = 8;
/// How many names of an object's contents are listed; the others are counted.
const NAMES: usize = 12;
/// Field managers of controllers: what only they wrote is nobody's work, and they make it again when needed.
const MACHINERY: &[&str] = &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "pilot-discovery"];
/// What every namespace contains from the start, as kind and name.
const IN_EVERY_NAMESPACE: &[(&str, &str)] = &[("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")];
/// Kinds that only describe other objects, as group and kind: a user's own kind may have the same name.
const NOTES: &[(&str, &str)] = &[
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("coordination.k8s.io", "Lease"),
    // MetalLB writes these as field managers `controller` and `speaker`; other programs may have these names too
    ("metallb.io", "ServiceL2Status"),
    ("metallb.io", "ServiceBGPStatus"),
    ("metallb.io", "ConfigurationState"),
];

/// What happens to objects that the profile no longer asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Objects with which nobody loses anything.
    pub goes: Vec<ObjectRef>,
    /// Objects that hold data or what others made.
    pub holds: Vec<Holding>,
}

/// An object, and what would be lost with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The object.
    pub object: ObjectRef,
    /// Its contents, by name.
    pub what: Vec<String>,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.what.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
        match self.what.len().saturating_sub(NAMES) {
            0 => write!(f, "{} ({named})", self.object),
            more => write!(f, "{} ({named}, and {more} more)", self.object),
        }
    }
}

impl Removal {
    /// Looks at the contents of each of `stale`, with as few requests as possible.
    ///
    /// # Errors
    /// [`ComponentError::Contents`]: contents that cannot be listed do not count as empty.
    pub async fn of(client: &Client, stale: Vec<ObjectRef>) -> Result<Removal, ComponentError> {
        let holds_others = |object: &ObjectRef| ["Namespace", "CustomResourceDefinition"].contains(&object.kind.as_str());
        let served = match stale.iter().any(holds_others) {
            true => served(client).await?,
            false => Vec::new(),
        };
        let looks = stale.into_iter().map(|object| {
            let served = &served;
            async move {
                let what = held(client, served, &object).await?;
                Ok::<_, ComponentError>(Holding { object, what })
            }
            .boxed()
        });
        let looks: Vec<_> = looks.collect();
        let found: Vec<Holding> = iter(looks).buffered(2).try_collect().await?;
        Ok(Removal::sorted(found))
    }

    /// Separates objects that hold something from those that do not. The key to a volume stays with it.
    fn sorted(found: Vec<Holding>) -> Removal {
        let (mut holds, goes): (Vec<_>, Vec<_>) = found.into_iter().partition(|holding| !holding.what.is_empty());
        let claims: Vec<Option<String>> = holds
            .iter()
            .filter(|holding| holding.object.kind == "PersistentVolumeClaim")
            .map(|claim| claim.object.namespace.clone())
            .collect();
        let (keys, goes): (Vec<_>, Vec<_>) =
            goes.into_iter().partition(|one| one.object.kind == "Secret" && claims.contains(&one.object.namespace));
        let keys = keys.into_iter().map(|key| Holding { what: vec!["opens what claims beside it hold".to_owned()], ..key });
        holds.extend(keys);
        holds.sort_by(|one, other| one.object.cmp(&other.object));
        Removal { goes: goes.into_iter().map(|one| one.object).collect(), holds }
    }
}

/// Kinds that can be listed, and whether they live in namespaces.
async fn served(client: &Client) -> Result<Vec<(ApiResource, Scope)>, ComponentError> {
    let failed = |source| ComponentError::Contents { of: "the cluster".to_owned(), source: Box::new(source) };
    // measurements are nobody's objects, and their server comes and goes
    let all = Discovery::new(client.clone()).exclude(&["metrics.k8s.io"]).run_aggregated().await.map_err(failed)?;
    // each kind in its best version: a group's preferred version need not have all kinds
    let resources = all.groups().flat_map(|group| group.resources_by_stability());
    let listed = resources.filter(|(_, can)| can.supports_operation(verbs::LIST));
    Ok(listed.map(|(resource, can)| (resource, can.scope)).collect())
}

fn is_note(resource: &ApiResource) -> bool {
    NOTES.contains(&(resource.group.as_str(), resource.kind.as_str()))
}

/// The contents of one object, by name.
async fn held(client: &Client, served: &[(ApiResource, Scope)], object: &ObjectRef) -> Result<Vec<String>, ComponentError> {
    match object.kind.as_str() {
        "PersistentVolume" | "PersistentVolumeClaim" => Ok(vec!["data".to_owned()]),
        "Namespace" => {
            let inside = served.iter().filter(|(resource, scope)| *scope == Scope::Namespaced && !is_note(resource));
            let looks: Vec<_> =
                inside.map(|(resource, _)| contents(client, resource, Some(&object.name), object).boxed()).collect();
            let found: Vec<Vec<Listed>> = iter(looks).buffered(PARALLEL).try_collect().await?;
            Ok(missed(found.into_iter().flatten().collect(), Some(&object.name)))
        }
        "CustomResourceDefinition" => {
            let (plural, group) = object.name.split_once('.').unwrap_or((&object.name, ""));
            match served.iter().find(|(resource, _)| resource.plural == plural && resource.group == group) {
                Some((resource, _)) if is_note(resource) => Ok(Vec::new()),
                Some((resource, _)) => Ok(missed(contents(client, resource, None, object).await?, None)),
                None => Ok(vec!["objects that the API server does not list".to_owned()]),
            }
        }
        _ => Ok(Vec::new()),
    }
}

/// An object as it is listed.
struct Listed {
    kind: String,
    meta: ObjectMeta,
}

/// Objects of a kind.
async fn contents(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    of: &ObjectRef,
) -> Result<Vec<Listed>, ComponentError> {
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let list = match api.list_metadata(&ListParams::default()).await {
        // some kinds are advertised but cannot be listed
        Err(kube::Error::Api(status)) if [404, 405].contains(&status.code) => return Ok(Vec::new()),
        list => list.map_err(|source| ComponentError::Contents { of: of.to_string(), source: Box::new(source) })?,
    };
    Ok(list.items.into_iter().map(|object| Listed { kind: resource.kind.clone(), meta: object.metadata }).collect())
}

/// Names of the objects that somebody would miss; without the namespace if all are in `namespace`. `listed` are all objects that
/// go.
fn missed(listed: Vec<Listed>, namespace: Option<&str>) -> Vec<String> {
    let goes: BTreeSet<String> = listed.iter().filter_map(|one| one.meta.uid.clone()).collect();
    let name = |Listed { kind, meta }: Listed| match (namespace, meta.namespace) {
        (None, Some(namespace)) => format!("{kind} {namespace}/{}", meta.name.unwrap_or_default()),
        _ => format!("{kind} {}", meta.name.unwrap_or_default()),
    };
    listed.into_iter().filter(|one| is_missed(one, &goes)).map(name).collect()
}

/// True when somebody loses something with the object: it is a claim, or neither Hearth nor a controller wrote it. `goes` are the
/// uids of all objects that go.
fn is_missed(Listed { kind, meta }: &Listed, goes: &BTreeSet<String>) -> bool {
    if kind == "PersistentVolumeClaim" {
        return true;
    }
    if IN_EVERY_NAMESPACE.contains(&(kind.as_str(), meta.name.as_deref().unwrap_or_default())) {
        return false;
    }
    let managers: Vec<&str> = meta.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref()).collect();
    let by_machinery = !managers.is_empty() && managers.iter().all(|manager| MACHINERY.contains(manager));
    // an owned object comes and goes with its owner, if the owner is listed itself
    let with_owner = meta.owner_references.iter().flatten().any(|owner| goes.contains(&owner.uid));
    !(by_machinery || managers.contains(&FIELD_MANAGER) || with_owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed(kind: &str, name: &str, managers: &[&str], owner: Option<&str>) -> Listed {
        let fields: Vec<_> = managers.iter().map(|manager| json!({"manager": manager})).collect();
        let owners: Vec<_> =
            owner.iter().map(|uid| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": uid})).collect();
        let meta = json!({"name": name, "uid": name, "managedFields": fields, "ownerReferences": owners});
        Listed { kind: kind.to_owned(), meta: serde_json::from_value(meta).expect("metadata") }
    }

    #[test]
    fn what_users_made_is_missed_and_what_runs_by_itself_is_not() {
        let is_missed = |kind: &str, managers: &[&str]| super::is_missed(&listed(kind, "a", managers, None), &BTreeSet::new());
        assert!(is_missed("ConfigMap", &["kubectl-create"]));
        assert!(is_missed("ConfigMap", &[]), "nobody knows whose it is");
        assert!(is_missed("Deployment", &["helm", "kube-controller-manager"]));
        assert!(is_missed("ConfigMap", &["controller"]) && is_missed("ConfigMap", &["speaker"]), "any program may be called so");
        assert!(!is_missed("ConfigMap", &["kube-controller-manager"]), "kube-root-ca.crt");
        assert!(!is_missed("Deployment", &["hearth", "kube-controller-manager"]));
        assert!(is_missed("PersistentVolumeClaim", &["hearth"]), "it holds data, whoever made it");
        let default = |kind: &str| super::is_missed(&listed(kind, "default", &[], None), &BTreeSet::new());
        assert!(!default("ServiceAccount") && default("ConfigMap"));
    }

    #[test]
    fn what_has_an_owner_is_missed_unless_its_owner_is_listed_too() {
        let all = vec![
            listed("ReplicaSet", "set", &["kubectl-create"], None),
            listed("Pod", "pod", &["kubectl-label"], Some("set")),
            listed("VirtualService", "way", &["flagger"], Some("a-canary-elsewhere")),
            listed("Secret", "memberlist", &["controller"], Some("ours")),
            listed("Deployment", "ours", &["hearth"], None),
        ];
        assert_eq!(missed(all, None), ["ReplicaSet set", "VirtualService way"]);
    }

    #[test]
    fn notes_are_known_by_their_group_too() {
        let note =
            |group: &str, kind: &str| is_note(&ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, "v1", kind)));
        assert!(note("", "Event") && note("coordination.k8s.io", "Lease") && note("metallb.io", "ServiceL2Status"));
        assert!(!note("cars.example.com", "Lease") && !note("metallb.io", "IPAddressPool"));
    }

    #[test]
    fn a_claims_secrets_stay_with_it() {
        let holding = |kind: &str, namespace: Option<&str>, what: &[&str]| Holding {
            object: ObjectRef::new("v1", kind, namespace, "a"),
            what: what.iter().map(|what| what.to_string()).collect(),
        };
        let removal = Removal::sorted(vec![
            holding("Namespace", None, &["ConfigMap mine"]),
            holding("PersistentVolumeClaim", Some("blog-system"), &["data"]),
            holding("Secret", Some("blog-system"), &[]),
            holding("Secret", Some("istio-system"), &[]),
            holding("Service", Some("blog-system"), &[]),
        ]);
        let goes: Vec<String> = removal.goes.iter().map(ToString::to_string).collect();
        assert_eq!(goes, ["Secret istio-system/a", "Service blog-system/a"]);
        let holds: Vec<String> = removal.holds.iter().map(ToString::to_string).collect();
        assert_eq!(
            holds,
            [
                "Namespace a (ConfigMap mine)",
                "PersistentVolumeClaim blog-system/a (data)",
                "Secret blog-system/a (opens what claims beside it hold)",
            ]
        );
    }
}
