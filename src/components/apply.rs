//! Writing objects: server-side apply in turns, in parallel within a turn, retrying what may work later.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::manifest::{self, CONTENT, PROFILE, Turn, kinds};
use super::{ComponentError, ObjectRef, Owner, fields};

/// The field manager of everything Hearth writes.
pub const FIELD_MANAGER: &str = "hearth";

/// Requests in flight at once.
const PARALLEL: usize = 8;

/// Writes objects, whatever was there before: namespaces, then definitions, configuration, workloads and custom objects.
/// Temporary refusals (a webhook that is not up yet, a kind not yet served, an overloaded API) are retried until `deadline`.
///
/// # Errors
/// [`ComponentError::Api`] for an answer that will not change, [`ComponentError::Refused`] with the last answer at the
/// deadline, [`ComponentError::UnknownKind`].
pub async fn apply(client: &Client, owner: &Owner, objects: &[Value], deadline: Instant) -> Result<(), ComponentError> {
    for turn in turns(objects)? {
        let write_one = async |object: &Value, reference: ObjectRef| {
            let api = reference.api(client)?;
            let object = manifest::marked(object, owner);
            retry("apply", &reference, deadline, || write(&api, &reference, &object)).await
        };
        // boxed, or the compiler cannot see that the stream can move between threads
        let writes: Vec<_> = turn.into_iter().map(|(object, reference)| write_one(object, reference).boxed()).collect();
        iter(writes).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    }
    Ok(())
}

async fn write(api: &Api<DynamicObject>, reference: &ObjectRef, object: &Value) -> kube::Result<()> {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&reference.name, &params, &Patch::Apply(object)).await.map(drop)
}

/// A difference between the cluster and what would be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which object differs.
    pub object: ObjectRef,
    /// What writing would do to it.
    pub change: Change,
}

/// What a write would do to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The object does not exist yet.
    Create,
    /// It was written from other inputs.
    Update,
    /// Somebody else changed it; the first field that they changed.
    PutBack(String),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.change {
            Change::PutBack(field) => write!(f, "{} ({field} was changed)", self.object),
            Change::Create | Change::Update => write!(f, "{}", self.object),
        }
    }
}

/// Compares objects with the cluster: whether they were written from the same inputs, and whether every field is still as it
/// was written (see [`fields`]). Reads only metadata, unless somebody else has taken over a field: a dry-run write then finds
/// out whether its value differs. An empty list means that nothing would change.
///
/// # Errors
/// [`ComponentError::Api`] if the cluster does not answer, [`ComponentError::UnknownKind`].
pub async fn check(client: &Client, owner: &Owner, objects: &[Value]) -> Result<Vec<Difference>, ComponentError> {
    let look_at = async |object: &Value| {
        let reference = ObjectRef::of(object);
        let api = reference.api(client)?;
        let live = match api.get_metadata_opt(&reference.name).await {
            Err(error) if not_found(&error) => None,
            live => live.map_err(api_error("read", &reference))?,
        };
        let object = manifest::marked(object, owner);
        let change = match live {
            None => Some(Change::Create),
            Some(live)
                if live.annotations().get(CONTENT).map(String::as_str) != object["metadata"]["annotations"][CONTENT].as_str() =>
            {
                Some(Change::Update)
            }
            Some(live) => match fields::first_lost(&object, &live.metadata) {
                Some(field) if differs(&api, &reference, &object).await? => Some(Change::PutBack(field)),
                _ => None,
            },
        };
        Ok(change.map(|change| Difference { object: reference, change }))
    };
    let looks: Vec<_> = objects.iter().map(|object| look_at(object).boxed()).collect();
    let differences: Vec<Option<Difference>> = iter(looks).buffered(PARALLEL).try_collect().await?;
    Ok(differences.into_iter().flatten().collect())
}

/// True when a write would change the object: it is written as a dry run, which stores nothing. If the API server refuses that
/// beside what somebody else wrote, the two differ.
async fn differs(api: &Api<DynamicObject>, reference: &ObjectRef, object: &Value) -> Result<bool, ComponentError> {
    let params = PatchParams::apply(FIELD_MANAGER).force().dry_run();
    let patch = Patch::Apply(object);
    match tokio::try_join!(api.get(&reference.name), api.patch(&reference.name, &params, &patch)) {
        Ok((live, written)) => Ok(content(live) != content(written)),
        // a volume of two kinds, for example
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(true),
        Err(error) => Err(api_error("compare", reference)(error)),
    }
}

/// An object without the fields that every write changes, and without its status, which controllers change at any time.
fn content(mut object: DynamicObject) -> DynamicObject {
    if let Some(data) = object.data.as_object_mut() {
        data.remove("status");
    }
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object.metadata.generation = None;
    object
}

/// Deletes objects in the reverse of the order they were written in, and waits until they are gone. Objects that do not exist
/// are skipped.
///
/// # Errors
/// [`ComponentError::Api`], [`ComponentError::Refused`], [`ComponentError::UnknownKind`].
pub async fn delete(client: &Client, objects: &[ObjectRef], deadline: Instant) -> Result<(), ComponentError> {
    let mut order: Vec<(Turn, &ObjectRef)> =
        objects.iter().map(|object| Ok((object.turn()?, object))).collect::<Result<_, ComponentError>>()?;
    order.sort_by_key(|(turn, _)| std::cmp::Reverse(*turn));
    for turn in order.chunk_by(|one, other| one.0 == other.0) {
        let delete_one = async |object: &ObjectRef| {
            let api = object.api(client)?;
            retry("delete", object, deadline, || remove(&api, &object.name)).await
        };
        let deletions: Vec<_> = turn.iter().map(|(_, object)| delete_one(object).boxed()).collect();
        iter(deletions).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    }
    Ok(())
}

async fn remove(api: &Api<DynamicObject>, name: &str) -> kube::Result<()> {
    match api.delete(name, &DeleteParams::background()).await {
        Err(error) if not_found(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(response) => match response.left().and_then(|object| object.uid()) {
            Some(uid) => {
                // if a watch breaks, the next attempt finds out whether the object is gone
                let gone = await_condition(api.clone(), name, conditions::is_deleted(&uid)).await;
                gone.map(drop).map_err(|error| kube::Error::Service(Box::new(error)))
            }
            None => Ok(()),
        },
    }
}

/// Everything that carries the profile's label and that Hearth wrote, in no particular order. Objects with an owner are left
/// out, as their owners take care of them. So are copies that somebody made with the label on them.
///
/// # Errors
/// [`ComponentError::Api`] if the cluster does not answer.
pub async fn written(client: &Client, profile: &str) -> Result<Vec<ObjectRef>, ComponentError> {
    let params = ListParams::default().labels(&format!("{PROFILE}={profile}"));
    let list_kind = async |kind: &'static manifest::Kind| {
        let api = Api::<DynamicObject>::all_with(client.clone(), &kind.resource());
        let list = match api.list_metadata(&params).await {
            Err(error) if not_found(&error) => return Ok(Vec::new()),
            list => list.map_err(api_error("list", &ObjectRef::new(kind.api_version, kind.kind, None, "*")))?,
        };
        let ours = list.items.into_iter().filter(|object| object.owner_references().is_empty() && is_written_by_us(object));
        let refer = |object: kube::core::PartialObjectMeta<DynamicObject>| {
            ObjectRef::new(kind.api_version, kind.kind, object.namespace().as_deref(), &object.name_any())
        };
        Ok(ours.map(refer).collect())
    };
    let lists: Vec<_> = kinds().map(|kind| list_kind(kind).boxed()).collect();
    // the answers are small, most of them empty
    let found: Vec<Vec<ObjectRef>> = iter(lists).buffered(4 * PARALLEL).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn is_written_by_us(object: &impl ResourceExt) -> bool {
    object.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
}

/// The objects in `written` that are not in `keep`.
pub fn stale(mut written: Vec<ObjectRef>, keep: &[ObjectRef]) -> Vec<ObjectRef> {
    written.retain(|object| !keep.contains(object));
    written
}

/// Objects grouped by turn, in the order of turns.
fn turns(objects: &[Value]) -> Result<Vec<Vec<(&Value, ObjectRef)>>, ComponentError> {
    let mut order = Vec::with_capacity(objects.len());
    for object in objects {
        let reference = ObjectRef::of(object);
        order.push((reference.turn()?, object, reference));
    }
    order.sort_by_key(|(turn, ..)| *turn);
    let chunks = order.chunk_by(|one, other| one.0 == other.0);
    Ok(chunks.map(|chunk| chunk.iter().map(|(_, object, reference)| (*object, reference.clone())).collect()).collect())
}

/// Retries until it works, fails for good, or the deadline passes.
async fn retry<F: Future<Output = kube::Result<()>>>(
    action: &'static str,
    object: &ObjectRef,
    deadline: Instant,
    attempt: impl Fn() -> F,
) -> Result<(), ComponentError> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(50);
    for attempts in 1.. {
        let Err(error) = attempt().await else { return Ok(()) };
        if !passes_by_itself(&error) {
            return Err(api_error(action, object)(error));
        }
        if Instant::now() + pause >= deadline {
            let source = Box::new(error);
            return Err(ComponentError::Refused {
                action,
                object: Box::new(object.clone()),
                waited: start.elapsed(),
                attempts,
                source,
            });
        }
        tracing::debug!(%object, %error, "{action} will be tried again");
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    Ok(())
}

/// True for answers that another attempt may not get.
fn passes_by_itself(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => match status.code {
            // the kind is not served yet, or the namespace does not exist yet
            404 => true,
            // the namespace is being deleted
            403 | 409 => status.message.contains("being terminated") || status.message.contains("being deleted"),
            // 500 is what a webhook's refused connection arrives as
            429 | 500..=599 => true,
            _ => false,
        },
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => true,
        _ => false,
    }
}

fn not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn api_error(action: &'static str, object: &ObjectRef) -> impl FnOnce(kube::Error) -> ComponentError {
    let object = Box::new(object.clone());
    move |source| ComponentError::Api { action, object, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(kube::core::Status { code, message: message.into(), ..Default::default() }))
    }

    #[test]
    fn what_passes_by_itself_is_tried_again() {
        assert!(passes_by_itself(&status(500, "failed calling webhook: connect: connection refused")));
        assert!(passes_by_itself(&status(404, "the server could not find the requested resource")));
        assert!(passes_by_itself(&status(403, "unable to create: namespace is being terminated")));
        assert!(!passes_by_itself(&status(403, "forbidden")));
        assert!(!passes_by_itself(&status(422, "spec.replicas: Invalid value")));
    }

    #[test]
    fn a_changed_status_is_no_difference() {
        let object = |replicas: u32, ready: u32| -> DynamicObject {
            let metadata = json!({"name": "a", "resourceVersion": ready.to_string()});
            let object = json!({"metadata": metadata, "spec": {"replicas": replicas}, "status": {"readyReplicas": ready}});
            serde_json::from_value(object).expect("an object")
        };
        assert_eq!(content(object(2, 1)), content(object(2, 2)), "a pod became ready between the two requests");
        assert_ne!(content(object(2, 2)), content(object(3, 2)));
    }

    #[test]
    fn objects_go_in_turns() {
        let object = |api_version: &str, kind: &str| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
        let objects =
            [object("apps/v1", "Deployment"), object("v1", "ConfigMap"), object("v1", "Namespace"), object("v1", "Secret")];
        let order = turns(&objects).expect("kinds are known");
        let kinds: Vec<Vec<&str>> =
            order.iter().map(|turn| turn.iter().map(|(_, reference)| reference.kind.as_str()).collect()).collect();
        assert_eq!(kinds, [vec!["Namespace"], vec!["ConfigMap", "Secret"], vec!["Deployment"]]);
    }
}
