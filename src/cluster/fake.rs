//! A cluster for tests: an API server in memory, with controllers that finish at once.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::pending;
use kube::Client;
use serde_json::{Value, json};

/// The cluster; clones share its state.
#[derive(Clone, Default)]
pub struct FakeCluster(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    objects: BTreeMap<Place, Value>,
    changes: u64,
    silent: bool,
}

/// The identity of an object: group and version, namespace, plural, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    group: String,
    namespace: Option<String>,
    plural: String,
    name: String,
}

impl Place {
    /// From an API path, for example `/api/v1/namespaces/a/pods/b`; without a name it is a list. What follows the name is
    /// returned beside it.
    fn of(path: &str) -> (Place, Vec<&str>) {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = parts.split_at(if parts[0] == "api" { 2 } else { 3 }.min(parts.len()));
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let text = |at: usize| rest.get(at).copied().unwrap_or_default().to_owned();
        let place = Place { group: group[1..].join("/"), namespace, plural: text(0), name: text(1) };
        (place, rest.get(2..).unwrap_or_default().to_vec())
    }
}

impl FakeCluster {
    /// A client whose every request this cluster answers.
    pub fn client(&self) -> Client {
        Client::new(Router::new().fallback(answer).with_state(self.clone()), "default")
    }

    /// Creates or changes an object, and lets its controllers react.
    pub fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().write(Place::of(path).0, object);
    }

    /// Removes an object and returns it.
    pub fn lose(&self, path: &str) -> Value {
        let found = self.0.lock().unwrap().objects.remove(&Place::of(path).0);
        found.unwrap_or_else(|| panic!("there is no {path}"))
    }

    /// Puts an object back as it was, without its controllers.
    pub fn restore(&self, path: &str, object: Value) {
        self.0.lock().unwrap().objects.insert(Place::of(path).0, object);
    }

    /// Edits an object in place, without its controllers.
    pub fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        edit(self.0.lock().unwrap().objects.get_mut(&Place::of(path).0).unwrap_or_else(|| panic!("there is no {path}")));
    }

    /// Every object by its path, except those that controllers make.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        let kept = self.0.lock().unwrap();
        let path = |place: &Place| {
            let root = if place.group.contains('/') { "apis" } else { "api" };
            let namespace = place.namespace.as_ref().map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
            format!("/{root}/{}{namespace}/{}/{}", place.group, place.plural, place.name)
        };
        let written = kept.objects.iter().filter(|(place, _)| !["pods", "endpointslices"].contains(&place.plural.as_str()));
        written.map(|(place, object)| (path(place), object.clone())).collect()
    }

    /// How many changes were made.
    pub fn changes(&self) -> u64 {
        self.0.lock().unwrap().changes
    }

    /// Whether it answers every request with an error.
    pub fn silence(&self, silent: bool) {
        self.0.lock().unwrap().silent = silent;
    }
}

async fn answer(State(FakeCluster(kept)): State<FakeCluster>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let query: BTreeMap<String, String> = parts.uri.query().unwrap_or_default().split('&').map(decode).collect();
    if query.get("watch").is_some_and(|watch| watch == "true") {
        // nothing ever changes after the first list
        return Body::from_stream(pending::<Result<Bytes, Infallible>>()).into_response();
    }
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer) = kept.lock().unwrap().answer(&parts.method, parts.uri.path(), &query, body);
    match answer {
        Value::String(text) => (status, text).into_response(),
        answer => (status, axum::Json(answer)).into_response(),
    }
}

/// Decodes a parameter of a query.
fn decode(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let mut text = value.replace('+', " ");
    for (code, letter) in [("%3D", "="), ("%2F", "/"), ("%2C", ","), ("%3A", ":"), ("%21", "!")] {
        text = text.replace(code, letter);
    }
    (name.to_owned(), text)
}

fn refusal(code: StatusCode, reason: &str) -> (StatusCode, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason,
        "code": code.as_u16()});
    (code, status)
}

impl Kept {
    fn answer(&mut self, method: &Method, path: &str, query: &BTreeMap<String, String>, mut body: Value) -> (StatusCode, Value) {
        if self.silent {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
        }
        if path == "/readyz" {
            return (StatusCode::OK, json!("ok"));
        }
        let (mut place, rest) = Place::of(path);
        let absent = || refusal(StatusCode::NOT_FOUND, "NotFound");
        match (method.as_str(), place.name.is_empty()) {
            _ if rest.contains(&"proxy") => (StatusCode::OK, self.probe(rest.last().copied().unwrap_or_default())),
            _ if rest == ["eviction"] => {
                self.remove(&place);
                (StatusCode::OK, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            ("GET", true) if place.plural.is_empty() => {
                self.resources(&place.group).map_or_else(absent, |list| (StatusCode::OK, list))
            }
            ("GET", true) => (StatusCode::OK, self.list(&place, query)),
            ("GET", false) => self.objects.get(&place).map_or_else(absent, |found| (StatusCode::OK, found.clone())),
            ("POST", _) if query.contains_key("dryRun") => (StatusCode::OK, self.injected(body)),
            ("POST", _) => {
                place.name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                match self.objects.contains_key(&place) {
                    true => refusal(StatusCode::CONFLICT, "AlreadyExists"),
                    false => (StatusCode::CREATED, self.write(place, body)),
                }
            }
            ("PATCH", _) => {
                if let Some(manager) = query.get("fieldManager") {
                    let fields = fields(&body);
                    body["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply", "fieldsV1": fields}]);
                    if query.contains_key("dryRun") {
                        let mut trial = self.objects.get(&place).cloned().unwrap_or_default();
                        merge(&mut trial, body);
                        return (StatusCode::OK, trial);
                    }
                } else if !self.objects.contains_key(&place) {
                    return absent();
                }
                (StatusCode::OK, self.write(place, body))
            }
            ("PUT", _) if self.objects.contains_key(&place) => (StatusCode::OK, self.write(place, body)),
            ("DELETE", _) => match self.remove(&place) {
                true => (StatusCode::OK, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})),
                false => absent(),
            },
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn list(&self, of: &Place, query: &BTreeMap<String, String>) -> Value {
        let labels: Vec<(&str, &str)> =
            query.get("labelSelector").iter().flat_map(|text| text.split(',')).filter_map(|one| one.split_once('=')).collect();
        let fields: Vec<(&str, &str)> =
            query.get("fieldSelector").iter().flat_map(|text| text.split(',')).filter_map(|one| one.split_once('=')).collect();
        let fits = |object: &Value| {
            let labelled = labels.iter().all(|(name, value)| object["metadata"]["labels"][*name] == *value);
            let field = |path: &str| object.pointer(&format!("/{}", path.replace('.', "/"))).cloned().unwrap_or_default();
            labelled && fields.iter().all(|(path, value)| field(path) == *value)
        };
        let there = |place: &Place| {
            place.group == of.group && place.plural == of.plural && (of.namespace.is_none() || place.namespace == of.namespace)
        };
        let items: Vec<&Value> =
            self.objects.iter().filter(|(place, object)| there(place) && fits(object)).map(|(_, object)| object).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
    }

    /// The resources of a group that the present definitions make the API serve.
    fn resources(&self, group: &str) -> Option<Value> {
        let serves = |definition: &Value| {
            let (name, versions) = (definition["spec"]["group"].as_str()?, definition["spec"]["versions"].as_array()?);
            versions.iter().any(|version| group == format!("{name}/{}", version["name"].as_str().unwrap_or_default())).then(
                || {
                    json!({"name": definition["spec"]["names"]["plural"], "singularName": "", "namespaced": true,
                    "kind": definition["spec"]["names"]["kind"], "verbs": []})
                },
            )
        };
        let resources: Vec<Value> = self.objects.values().filter_map(serves).collect();
        let list = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": resources});
        (!resources.is_empty()).then_some(list)
    }

    /// A pod as it becomes if a webhook injects a sidecar.
    fn injected(&self, mut pod: Value) -> Value {
        if self.objects.keys().any(|place| place.plural == "mutatingwebhookconfigurations")
            && let Some(containers) = pod["spec"]["containers"].as_array_mut()
        {
            containers.push(json!({"name": "istio-proxy", "image": "proxy"}));
        }
        pod
    }

    /// The answer of a probe pod.
    fn probe(&self, question: &str) -> Value {
        let pods = self.objects.iter().filter(|(place, _)| place.plural == "pods");
        match question {
            "reach" => pods.map(|_| json!({"url": "http://pod", "status": 200})).collect(),
            _ => json!({"addresses": ["10.96.0.1"]}),
        }
    }

    fn remove(&mut self, place: &Place) -> bool {
        let found = self.objects.remove(place).is_some();
        self.changes += u64::from(found);
        if place.plural == "daemonsets" {
            self.objects.retain(|one, object| one.plural != "pods" || object["metadata"]["ownedBy"] != place.name.as_str());
        }
        found
    }

    /// Merges `change` into what is there, then lets the controllers work.
    fn write(&mut self, place: Place, change: Value) -> Value {
        let before = self.objects.get(&place).cloned();
        let mut object =
            before.clone().unwrap_or_else(|| json!({"metadata": {"uid": format!("uid-{}", self.changes), "generation": 1}}));
        merge(&mut object, change);
        object["metadata"]["name"] = json!(place.name);
        if let Some(namespace) = &place.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if before.as_ref() == Some(&object) {
            return object;
        }
        self.changes += 1;
        object["metadata"]["resourceVersion"] = json!(self.changes.to_string());
        if before.is_some_and(|before| before["spec"] != object["spec"]) {
            object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(1) + 1);
        }
        self.control(&place, &mut object);
        self.objects.insert(place, object.clone());
        object
    }

    /// What the controllers of an object's kind do with it.
    fn control(&mut self, place: &Place, object: &mut Value) {
        let generation = object["metadata"]["generation"].clone();
        match place.plural.as_str() {
            "deployments" | "statefulsets" => {
                let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
                object["status"] = json!({"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
                    "availableReplicas": replicas});
            }
            "daemonsets" => {
                let nodes: Vec<String> =
                    self.objects.keys().filter(|place| place.plural == "nodes").map(|place| place.name.clone()).collect();
                object["status"] = json!({"observedGeneration": generation, "desiredNumberScheduled": nodes.len(),
                    "updatedNumberScheduled": nodes.len(), "numberAvailable": nodes.len()});
                for (at, node) in nodes.iter().enumerate() {
                    let pod = Place {
                        group: "v1".into(),
                        plural: "pods".into(),
                        name: format!("{}-{node}", place.name),
                        ..place.clone()
                    };
                    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
                    self.objects.insert(
                        pod.clone(),
                        json!({"apiVersion": "v1", "kind": "Pod",
                        "metadata": {"name": pod.name, "namespace": pod.namespace, "labels": labels, "ownedBy": place.name,
                            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": place.name, "uid": "x"}]},
                        "spec": {"nodeName": node, "containers": []}, "status": {"podIP": format!("10.244.{at}.9")}}),
                    );
                }
            }
            "nodes" => object["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]),
            "services" => {
                if object["spec"]["type"] == "LoadBalancer" {
                    object["status"] = json!({"loadBalancer": {"ingress": [{"ip": "172.18.255.200"}]}});
                }
                self.answers_at(place.namespace.clone(), &place.name);
            }
            "mutatingwebhookconfigurations" => {
                for webhook in object["webhooks"].as_array().into_iter().flatten() {
                    let service = &webhook["clientConfig"]["service"];
                    let namespace = service["namespace"].as_str().map(str::to_owned);
                    self.answers_at(namespace, service["name"].as_str().unwrap_or_default());
                }
            }
            "apiservices" => object["status"] = json!({"conditions": [{"type": "Available", "status": "True"}]}),
            _ => {}
        }
    }
}

impl Kept {
    /// Puts a pod behind a service.
    fn answers_at(&mut self, namespace: Option<String>, service: &str) {
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": service, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": ["10.244.0.7"]}], "ports": []});
        let (group, plural) = ("discovery.k8s.io/v1".to_owned(), "endpointslices".to_owned());
        self.objects.insert(Place { group, namespace, plural, name: service.to_owned() }, slice);
    }
}

/// The fields that an applied object sets, as the API server records them; here a list counts as one field.
fn fields(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (format!("f:{key}"), fields(value))).collect(),
        _ => json!({}),
    }
}

/// Merges as RFC 7396 defines.
fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                match value {
                    Value::Null => drop(into.remove(&key)),
                    value => merge(into.entry(key).or_insert(Value::Null), value),
                }
            }
        }
        (into, change) => *into = change,
    }
}
