use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::cluster::fake::FakeCluster;
use crate::provider::fake::{Fakes, InMemory};

fn change(id: &str, undo: Undo) -> Change {
    let at = "2026-11-26T00:00:00Z".parse().expect("a time");
    Change { id: id.into(), run: "r".into(), at, undo, settle_ms: 0, lease: None, made: None }
}

fn standstill(id: &str) -> Change {
    change(id, Undo::Standstill { node: "w".into() })
}

#[tokio::test]
async fn what_was_opened_and_not_closed_stands_with_what_the_server_made_of_it() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("undo.jsonl");
    assert_eq!(file::standing(&path).expect("absent is empty"), []);
    let file = file::File::open(&path).expect("made");
    file.opened(&standstill("a")).await.expect("written");
    file.opened(&standstill("b")).await.expect("written");
    file.closed("a").await.expect("written");
    assert_eq!(file::standing(&path).expect("readable"), [standstill("b")]);
    let made = Change { made: Some(vec![Some(Value::from(3)), None]), ..standstill("b") };
    file.opened(&made).await.expect("written");
    assert_eq!(file::standing(&path).expect("readable"), [made]);
}

#[tokio::test]
async fn nodes_are_woken_by_the_file_alone_latest_change_first() {
    struct Noted(std::sync::Mutex<Vec<String>>);
    impl Nodes for Noted {
        fn run<'a>(&'a self, node: &'a str, script: String) -> super::super::nodes::Pending<'a, String> {
            self.0.lock().expect("unpoisoned").push(format!("{node}: {script}"));
            Box::pin(async { Ok(String::new()) })
        }
        fn pause<'a>(&'a self, _: &'a str, _: Duration) -> super::super::nodes::Pending<'a, ()> {
            unreachable!("nothing pauses here")
        }
        fn resume<'a>(&'a self, node: &'a str) -> super::super::nodes::Pending<'a, ()> {
            self.0.lock().expect("unpoisoned").push(format!("{node} goes on"));
            Box::pin(async { Ok(()) })
        }
    }
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("undo.jsonl");
    let file = file::File::open(&path).expect("made");
    file.opened(&standstill("a")).await.expect("written");
    let script = Undo::OnNode { node: "n2".into(), script: "kill -CONT 1".into() };
    file.opened(&change("b", script)).await.expect("written");
    let nodes = Noted(std::sync::Mutex::default());
    wake_nodes(&nodes, &path).await.expect("woken");
    assert_eq!(*nodes.0.lock().expect("unpoisoned"), ["n2: kill -CONT 1", "w goes on"]);
    assert_eq!(file::standing(&path).expect("readable").len(), 2, "entries stay for heal");
}

/// Nodes of a provider, resumed as `recover`, `up` and `test` do.
#[tokio::test]
async fn a_node_is_woken_where_it_runs_and_one_that_is_gone_holds_nobody_up() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("undo.jsonl");
    let file = file::File::open(&path).expect("made");
    file.opened(&standstill("a")).await.expect("written");
    let provider = Fakes::default();
    let nodes = super::super::nodes(provider.clone());
    wake_nodes(&*nodes, &path).await.expect("a node that is gone does not stand still");
    let node = InMemory::new("w");
    provider.nodes.lock().expect("unpoisoned").push(node.clone());
    wake_nodes(&*nodes, &path).await.expect("woken");
    assert!(node.asked.lock().expect("unpoisoned").iter().any(|line| line.trim_end().ends_with(" sh resume")));
    provider.silent.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(wake_nodes(&*nodes, &path).await.is_err(), "what cannot be asked is not awake");
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/n/deployments/d";

/// A cluster with a deployment that a run has scaled from two replicas to none.
fn scaled() -> (FakeCluster, Undo) {
    let api = FakeCluster::default();
    let names = json!({"plural": "deployments", "kind": "Deployment"});
    let served = json!({"spec": {"group": "apps", "names": names, "versions": [{"name": "v1"}]}});
    api.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/deployments", served);
    api.put(
        DEPLOYMENT,
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"uid": "u"}, "spec": {"replicas": 0}}),
    );
    let object = ObjectRef { api_version: "apps/v1".into(), kind: "Deployment".into(), namespace: "n".into(), name: "d".into() };
    let fields = vec![Field { path: "/replicas".into(), before: Some(json!(2)) }];
    (api, Undo::Spec { object, uid: "u".into(), fields })
}

/// The deployment's pods never become ready: its cluster needs the repair first.
#[tokio::test]
async fn rollouts_are_waited_for_on_request_and_an_interrupted_undo_stays_open() {
    let ((api, undo), scratch) = (scaled(), tempfile::tempdir().expect("scratch"));
    let path = scratch.path().join("undo.jsonl");
    file::File::open(&path).expect("made").opened(&change("a", undo)).await.expect("written");
    let hands = Hands { client: api.client(), nodes: None };
    let waited = timeout(Duration::from_millis(500), heal(&hands, &path, Until::Settled)).await;
    assert!(waited.is_err() && noted(&path).expect("readable").len() == 1, "{waited:?}");
    api.edit(DEPLOYMENT, |object| object["spec"]["replicas"] = json!(0));
    let healed = timeout(Duration::from_secs(20), heal(&hands, &path, Until::Written)).await.expect("it does not wait");
    assert_eq!(healed.expect("healed"), ["Deployment n/d (changed by run r)"]);
    assert_eq!(api.objects()[DEPLOYMENT]["spec"]["replicas"], 2);
    assert_eq!(noted(&path).expect("readable"), []);
}

#[tokio::test]
async fn what_somebody_else_has_changed_since_stays() {
    let ((api, undo), scratch) = (scaled(), tempfile::tempdir().expect("scratch"));
    let path = scratch.path().join("undo.jsonl");
    let made = Change { made: Some(vec![Some(json!(0))]), ..change("a", undo) };
    file::File::open(&path).expect("made").opened(&made).await.expect("written");
    api.edit(DEPLOYMENT, |object| object["spec"]["replicas"] = json!(5));
    let hands = Hands { client: api.client(), nodes: None };
    let healed = heal(&hands, &path, Until::Settled).await.expect("healed");
    assert!(healed.len() == 1 && healed[0].contains("somebody else has changed it since"), "{healed:?}");
    assert_eq!(api.objects()[DEPLOYMENT]["spec"]["replicas"], 5);
    assert_eq!(noted(&path).expect("readable"), [], "it is not tried again");
}

/// Kubernetes' limits: 63 characters in a label, 253 in a name.
#[tokio::test]
async fn a_trial_with_the_longest_name_can_be_recorded() {
    let ((api, undo), scratch) = (scaled(), tempfile::tempdir().expect("scratch"));
    let (hands, path) = (Hands { client: api.client(), nodes: None }, scratch.path().join("undo.jsonl"));
    let mut changes = Changes::new(hands, &path, "20261128-001500-abcd", &"n".repeat(63)).expect("made");
    let id = changes.open(undo, Duration::ZERO, None).await.expect("recorded");
    let entry = &api.objects()[&format!("/api/v1/namespaces/kube-system/configmaps/{id}")];
    let labels = entry["metadata"]["labels"].as_object().expect("labels");
    assert!(id.len() <= 253 && labels.values().all(|label| label.as_str().expect("text").len() <= 63), "{entry}");
}

#[test]
fn what_taking_back_does_is_said_of_every_kind() {
    let object = || ObjectRef { api_version: "v1".into(), kind: "X".into(), namespace: "n".into(), name: "x".into() };
    let field = Field { path: "/http/0/retries".into(), before: None };
    let said = [
        Undo::Spec { object: object(), uid: "u".into(), fields: vec![field] },
        Undo::Object { object: object(), was: None },
        Undo::Object { object: object(), was: Some(Box::default()) },
        Undo::OnNode { node: "w".into(), script: "true".into() },
        Undo::Standstill { node: "w".into() },
    ]
    .map(|undo| (undo.sentence(), undo.is_of_node()));
    let sentences = [
        ("give X n/x its former /http/0/retries", false),
        ("delete X n/x", false),
        ("make X n/x again", false),
        ("end what was done to node w", true),
        ("let node w go on", true),
    ];
    assert_eq!(said, sentences.map(|(text, of_node)| (text.to_owned(), of_node)));
}
