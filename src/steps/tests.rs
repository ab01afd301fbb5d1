//! The promises of every step, checked for every step: applied once it is satisfied, each thing that it leaves behind is missed
//! when it is gone, and a failed look is no reason for a change.

mod leave;
mod renewal;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Session, StepKind, Steps};
use crate::artifact::Store;
use crate::cluster::fake::FakeCluster;
use crate::cluster::pki::Pki;
use crate::components::{Decided, catalogue, testing};
use crate::engine::Actor;
use crate::graph::{Check, Kind};
use crate::profile::{Profile, Role};
use crate::progress::Progress;
use crate::provider::AnyProvider;
use crate::provider::fake::{Fakes, InMemory, Kept};
use crate::state::State;

/// Steps whose promises can only be seen on a live engine, a live host or a running application, and the test that checks them.
const LIVE: &[(&str, &str)] = &[
    ("WasImage", "tests/e2e: the application that comes up is this very program"),
    ("Images", "tests/e2e: node images come from a registry"),
    ("Network", "tests/e2e: ten times up and down"),
    ("Node", "tests/e2e: a worker that stopped"),
    ("NodeImage", "tests/e2e: the full stack, whose second up has nothing to do"),
    ("Gateway", "tests/e2e: the full stack"),
    ("Settled", "tests/e2e: a worker that stopped"),
    ("Stock", "tests/hosts"),
    ("Install", "tests/hosts"),
    ("HostImages", "tests/hosts"),
    ("Tools", "tests/hosts"),
];

const CONTROL_PLANE: &str = "quick-control-plane";
const WORKER: &str = "quick-worker";
/// A node that the profile does not have.
const FOREIGN: &str = "quick-worker3";

/// A cluster, its nodes and this machine's files.
struct World {
    profile: Profile,
    decided: Decided,
    fakes: Fakes,
    api: FakeCluster,
    folder: tempfile::TempDir,
}

/// Everything that steps can change.
#[derive(Debug, PartialEq)]
struct Picture {
    objects: BTreeMap<String, Value>,
    files: BTreeMap<(&'static str, String), String>,
}

impl World {
    async fn new() -> World {
        World::of(include_str!("../../profiles/quick.yaml")).await
    }

    async fn of(profile: &str) -> World {
        let profile = testing::profile(&profile.replace("name: minimal", "name: quick"));
        let api = FakeCluster::default();
        let nodes = vec![control_plane(&api), worker(WORKER), worker("quick-worker2"), worker(FOREIGN)];
        let fakes = Fakes::default();
        *fakes.nodes.lock().unwrap() = nodes;
        Pki::generate().unwrap().install(&fakes.get(CONTROL_PLANE)).await.unwrap();
        World { decided: testing::decided(&profile), profile, fakes, api, folder: tempfile::tempdir().unwrap() }
    }

    /// The steps of a new run.
    fn run(&self) -> Steps {
        self.run_merging(None)
    }

    /// The same for a run that merges the kubeconfig into a file of the user's.
    fn run_merging(&self, file: Option<PathBuf>) -> Steps {
        let state = State::under(self.folder.path(), "quick").unwrap();
        std::fs::create_dir_all(state.root()).unwrap();
        let provider = AnyProvider::Fake(self.fakes.clone());
        let session = Session::new(self.profile.clone(), provider, Store::new(None), state, file);
        Steps(session.knowing(self.api.client(), self.decided.clone()).into())
    }

    /// The result of a new run's check of a step, which must not change anything.
    async fn look(&self, step: &StepKind) -> Result<Check, String> {
        let before = self.picture();
        let check = self.run().check(step).await.map_err(|error| error.to_string());
        assert_eq!(self.picture(), before, "a look at {} changed something", step.name());
        check
    }

    async fn apply(&self, step: &StepKind) {
        if let Err(error) = self.run().apply(step, &Progress::silent()).await {
            panic!("{}: {}", step.sentence(), crate::error::chain(&*error));
        }
    }

    fn picture(&self) -> Picture {
        let nodes = self.fakes.nodes.lock().unwrap().clone();
        let of = |node: &InMemory| {
            let files = node.files.lock().unwrap();
            let text = |kept: &Kept| match kept {
                Kept::Text(text) => text.clone(),
                Kept::Broken(why) => format!("broken: {why}"),
            };
            files.iter().map(|(path, (kept, _))| ((node.name, path.clone()), text(kept))).collect::<Vec<_>>()
        };
        Picture { objects: self.api.objects(), files: nodes.iter().flat_map(of).collect() }
    }
}

fn worker(name: &'static str) -> InMemory {
    let mut node = InMemory::new(name);
    node.role = Role::Worker;
    node
}

/// A node on which `kubeadm` has its usual effects.
fn control_plane(api: &FakeCluster) -> InMemory {
    let (services, configuration) = (api.clone(), api.clone());
    let kube_system = |kind: &str, name: &str| format!("/api/v1/namespaces/kube-system/{kind}/{name}");
    InMemory::new(CONTROL_PLANE)
        .does("mv -T pki.part pki", |node| {
            let mut files = node.files.lock().unwrap();
            let parts: Vec<String> = files.keys().filter(|path| path.starts_with("/etc/kubernetes/pki.part/")).cloned().collect();
            for part in parts {
                let file = files.remove(&part).unwrap();
                files.insert(part.replace("pki.part", "pki"), file);
            }
        })
        .does("kubeadm init", |node| assert!(node.text("/kind/kubeadm.conf").is_some(), "kubeadm has its configuration"))
        .does("addon,upload-config", |node| {
            for path in ["etcd.yaml", "kube-apiserver.yaml"] {
                let _kept = node.clone().with(&format!("/etc/kubernetes/manifests/{path}"), "pod");
            }
            let flags = "KUBELET_KUBEADM_ARGS=\"--node-ip=172.18.0.2 --provider-id=fake://quick-control-plane\"\n";
            let _kept =
                node.clone().with("/var/lib/kubelet/kubeadm-flags.env", flags).with("/var/lib/kubelet/config.yaml", "a: b");
        })
        .does("addon,upload-config", renewal::signed)
        .does("certs renew all", renewal::signed)
        .does("kubelet-start,upload-config", move |node| {
            for path in ["kube-controller-manager.yaml", "kube-scheduler.yaml"] {
                let _kept = node.clone().with(&format!("/etc/kubernetes/manifests/{path}"), "pod");
            }
            services.put("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", json!({"spec": {}}));
            services.put("/apis/apps/v1/namespaces/kube-system/deployments/coredns", json!({"spec": {"replicas": 2}}));
            services.put(&kube_system("services", "kube-dns"), json!({"spec": {}}));
            services.put(&kube_system("configmaps", "kube-proxy"), json!({"data": {}}));
            services.put(&kube_system("configmaps", "coredns"), json!({"data": {}}));
        })
        .does("kubelet-start,control-plane/controller-manager", move |_| {
            let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings";
            configuration.put(&format!("{roles}/kubeadm:kubelet-config"), json!({}));
            configuration.put("/api/v1/namespaces/kube-system/configmaps/kubeadm-config", json!({}));
            configuration.put("/api/v1/namespaces/kube-system/configmaps/kubelet-config", json!({}));
        })
        .answers("cat /kind/manifests/default-storage.yaml", 0, STORAGE)
}

const STORAGE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: local-path-storage}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: local-path-provisioner, namespace: local-path-storage}
spec: {replicas: 1}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard}
";

fn step(name: &str, mut values: Value) -> StepKind {
    values["step"] = json!(name);
    serde_json::from_value(values).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Damage done to a cluster after a step was applied.
type Damage = (&'static str, Box<dyn Fn(&World)>);

/// A step with what must exist before it.
struct Case {
    step: StepKind,
    given: Vec<StepKind>,
    /// Damages other than a missing object.
    damages: Vec<Damage>,
    /// The step only waits: if it cannot look, it may go on waiting.
    waits: bool,
}

impl Case {
    fn new(name: &str, values: Value) -> Case {
        Case { step: step(name, values), given: Vec::new(), damages: Vec::new(), waits: false }
    }

    fn given(mut self, steps: impl IntoIterator<Item = StepKind>) -> Case {
        self.given.extend(steps);
        self
    }

    fn damage(mut self, what: &'static str, damage: impl Fn(&World) + 'static) -> Case {
        self.damages.push((what, Box::new(damage)));
        self
    }

    fn waits(self) -> Case {
        Case { waits: true, ..self }
    }

    /// A world in which the step is applied.
    async fn applied(&self) -> World {
        let world = World::new().await;
        for step in self.given.iter().chain([&self.step]) {
            world.apply(step).await;
        }
        world
    }
}

fn registered() -> Vec<StepKind> {
    [CONTROL_PLANE, WORKER, "quick-worker2"].map(|node| step("register", json!({"node": node}))).to_vec()
}

fn up_to_services() -> Vec<StepKind> {
    let control_plane = step("control-plane", json!({"node": CONTROL_PLANE}));
    registered().into_iter().chain([control_plane, step("cluster-services", json!({}))]).collect()
}

/// Edits a file on a node.
fn edits(node: &'static str, path: &'static str) -> impl Fn(&World) {
    move |world| drop(world.fakes.get(node).with(path, "edited"))
}

fn answers(node: &'static str, phrase: &'static str, status: i64, output: &'static str) -> impl Fn(&World) {
    move |world| world.fakes.get(node).answer(phrase, status, output)
}

fn on_nodes() -> Vec<Case> {
    let profile = testing::profile(include_str!("../../profiles/quick.yaml"));
    let runs =
        |image: &String| profile.nodes().iter().any(|node| node.name == WORKER && catalogue::may_run(&profile, node, image));
    let image = catalogue::images(&profile).into_iter().map(|image| image.reference.into_owned()).find(runs).unwrap();
    vec![
        Case::new("reserve-pool", json!({"range": null}))
            .damage("its record is gone", |world| *world.fakes.pool.lock().unwrap() = None),
        Case::new("load-image", json!({"image": image})).damage("a node lacks it", answers(WORKER, "images list", 0, "")),
        Case::new("control-plane", json!({"node": CONTROL_PLANE}))
            .damage("its kubelet is stopped", answers(CONTROL_PLANE, "is-active", 3, ""))
            .damage("its kubelet has other arguments", edits(CONTROL_PLANE, "/var/lib/kubelet/kubeadm-flags.env"))
            .damage(
                "its kubelet has another certificate",
                edits(CONTROL_PLANE, "/var/lib/kubelet/pki/kubelet-client-current.pem"),
            )
            .damage("a certificate ends soon", |world| {
                drop(world.fakes.get(CONTROL_PLANE).with("/etc/kubernetes/pki/etcd/peer.crt", renewal::ending_in(20)))
            })
            .damage("a manifest is empty", |world| {
                drop(world.fakes.get(CONTROL_PLANE).with("/etc/kubernetes/manifests/etcd.yaml", ""))
            }),
        Case::new("kubelet", json!({"node": WORKER}))
            .damage("it is stopped", answers(WORKER, "is-active", 3, ""))
            .damage("its configuration is another", edits(WORKER, "/var/lib/kubelet/config.yaml"))
            .damage("its certificate is another", edits(WORKER, "/var/lib/kubelet/pki/kubelet-client-current.pem"))
            .damage("it trusts another authority", edits(WORKER, "/etc/kubernetes/pki/ca.crt")),
        Case::new("pod-network", json!({"node": WORKER}))
            .damage("a file is another", edits(WORKER, "/usr/local/lib/hearth/routes.conf"))
            .damage("its unit is stopped", answers(WORKER, "routes.sh verify", 0, "unit hearth-routes"))
            .damage("a route is gone", answers(WORKER, "routes.sh verify", 0, "route 10.244.0.0/24")),
        Case::new("leave", json!({"node": FOREIGN, "role": "worker", "deleteData": false}))
            .given([step("register", json!({"node": FOREIGN}))])
            .damage("it is there again", |world| world.fakes.nodes.lock().unwrap().push(worker(FOREIGN)))
            .damage("its Node object is there again", |world| world.api.put(&format!("/api/v1/nodes/{FOREIGN}"), json!({}))),
        Case::new("kubeconfig", json!({}))
            .damage("it is gone", |world| std::fs::remove_file(world.folder.path().join("quick/kubeconfig")).unwrap())
            .damage("it is empty", |world| edit_kubeconfig(world, |text| text.clear()))
            .damage("it leads elsewhere", |world| edit_kubeconfig(world, |text| *text = text.replace("172.18.0.2", "172.18.0.9")))
            .damage("its user is another", |world| {
                edit_kubeconfig(world, |text| *text = text.replace("client-certificate-data: ", "client-certificate-data: x"))
            })
            .damage("it is none", |world| edit_kubeconfig(world, |text| *text = "{[".into())),
    ]
}

fn edit_kubeconfig(world: &World, edit: impl FnOnce(&mut String)) {
    let path = world.folder.path().join("quick/kubeconfig");
    let mut text = std::fs::read_to_string(&path).unwrap();
    edit(&mut text);
    std::fs::write(path, text).unwrap();
}

fn in_the_cluster() -> Vec<Case> {
    let node = |path: &str| format!("/api/v1/nodes/{path}");
    let mut cases = vec![
        Case::new("api-server", json!({})).waits().damage("it is silent", |world| world.api.silence(true)),
        Case::new("register", json!({"node": CONTROL_PLANE}))
            .damage("a label is gone", move |world| {
                world.api.edit(&node(CONTROL_PLANE), |object| drop(object["metadata"]["labels"].take()));
            })
            .damage("its taint is gone", move |world| {
                world.api.edit(&node(CONTROL_PLANE), |object| drop(object["spec"]["taints"].take()))
            })
            .damage("it has no pod subnet", move |world| {
                world.api.edit(&node(CONTROL_PLANE), |object| drop(object["spec"]["podCIDR"].take()))
            }),
        Case::new("cluster-services", json!({})).given([step("control-plane", json!({"node": CONTROL_PLANE}))]),
        Case::new("cluster-configuration", json!({})).given(up_to_services()).damage("a token lets anybody join", |world| {
            world.api.put("/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef", json!({"type": "Opaque"}));
        }),
        Case::new("service-network", json!({})).given(up_to_services()).waits().damage("it does not run everywhere", |world| {
            let proxy = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";
            world.api.edit(proxy, |object| object["status"]["numberAvailable"] = json!(1));
        }),
        Case::new("nodes-ready", json!({"nodes": [CONTROL_PLANE, WORKER]}))
            .given(registered())
            .waits()
            .damage("one is gone", move |world| drop(world.api.lose(&node(WORKER))))
            .damage("one is not Ready", move |world| {
                world.api.edit(&node(WORKER), |object| object["status"]["conditions"][0]["status"] = json!("False"));
            }),
        Case::new("storage", json!({})),
        Case::new("connectivity", json!({})).given(up_to_services()).damage("it was proven of other nodes", move |world| {
            world.api.edit(&node(WORKER), |object| object["metadata"]["uid"] = json!("another"));
        }),
    ];
    let profile = testing::profile(include_str!("../../profiles/quick.yaml"));
    for part in catalogue::parts(&profile).into_iter().filter(|part| part.file().is_none()) {
        let apply = step("apply", json!({"part": part.id}));
        cases.push(Case::new("apply", json!({"part": part.id})));
        if !part.ready.is_empty() {
            let unwell = |world: &World| {
                for path in world.api.objects().keys() {
                    world.api.edit(path, |object| drop(object["status"].take()));
                }
                for path in world.api.objects().into_keys().filter(|path| path.contains("/mutatingwebhook")) {
                    world.api.lose(&path);
                }
            };
            cases.push(
                Case::new("healthy", json!({"part": part.id}))
                    .given(registered())
                    .given([apply])
                    .waits()
                    .damage("nothing works", unwell),
            );
        }
    }
    cases
}

fn cases() -> Vec<Case> {
    on_nodes().into_iter().chain(in_the_cluster()).collect()
}

#[test]
fn every_step_is_held_to_its_promise_somewhere() {
    let cases = cases();
    let mut held: Vec<&str> = cases.iter().map(|case| case.step.name()).chain(LIVE.iter().map(|(name, _)| *name)).collect();
    held.push("Prune");
    let forgotten: Vec<&&str> = StepKind::NAMES.iter().filter(|name| !held.contains(name)).collect();
    assert!(forgotten.is_empty(), "no test holds {forgotten:?} to what it promises");
    let unknown: Vec<&(&str, &str)> = LIVE.iter().filter(|(name, _)| !StepKind::NAMES.contains(name)).collect();
    assert!(unknown.is_empty(), "there are no such steps: {unknown:?}");
}

#[tokio::test]
async fn a_second_time_there_is_nothing_to_do() {
    for case in cases() {
        let world = case.applied().await;
        assert_eq!(world.look(&case.step).await, Ok(Check::Satisfied), "{}", case.step.sentence());
    }
}

#[tokio::test]
async fn what_a_step_left_is_missed_when_it_is_gone() {
    for case in cases().into_iter().filter(|case| !case.waits) {
        let before = World::new().await;
        for step in &case.given {
            before.apply(step).await;
        }
        let (world, before) = (case.applied().await, before.picture());
        let made = world.picture();
        for (path, object) in made.objects.iter().filter(|(path, _)| !before.objects.contains_key(*path)) {
            world.api.lose(path);
            let found = world.look(&case.step).await;
            assert!(matches!(found, Ok(Check::Needed(_))), "{} does not miss {path}: {found:?}", case.step.sentence());
            world.api.restore(path, object.clone());
        }
        for (node, path) in made.files.keys().filter(|file| !before.files.contains_key(*file)) {
            let node = world.fakes.get(node);
            let kept = node.files.lock().unwrap().remove(path).unwrap();
            let found = world.look(&case.step).await;
            assert!(matches!(found, Ok(Check::Needed(_))), "{} does not miss {path}: {found:?}", case.step.sentence());
            node.files.lock().unwrap().insert(path.clone(), kept);
        }
        assert_eq!(world.look(&case.step).await, Ok(Check::Satisfied), "{}", case.step.sentence());
    }
}

#[tokio::test]
async fn what_is_damaged_is_seen() {
    for case in cases() {
        for (what, damage) in &case.damages {
            let world = case.applied().await;
            damage(&world);
            let found = world.look(&case.step).await;
            assert!(matches!(found, Ok(Check::Needed(_))), "{}, {what}: {found:?}", case.step.sentence());
        }
    }
}

#[tokio::test]
async fn a_look_that_fails_is_no_reason_for_a_change() {
    type Blind = fn(&World);
    let blinds: [(&str, Blind); 3] = [
        ("nodes cannot be listed", |world| world.fakes.silent.store(true, Ordering::Relaxed)),
        ("nodes do not answer", |world| {
            world.fakes.nodes.lock().unwrap().iter().for_each(|node| node.silent.store(true, Ordering::Relaxed));
        }),
        ("the API server does not answer", |world| world.api.silence(true)),
    ];
    for case in cases().into_iter().filter(|case| !case.waits) {
        let mut told = 0;
        for (what, blind) in blinds {
            let world = case.applied().await;
            blind(&world);
            let found = world.look(&case.step).await;
            assert!(!matches!(found, Ok(Check::Needed(_))), "{}, {what}: {found:?}", case.step.sentence());
            told += usize::from(found.is_err());
        }
        assert!(told > 0, "{} looks at nothing", case.step.sentence());
    }
}

/// Without the components whose definitions are upstream's, as those are downloaded.
#[tokio::test]
async fn what_is_no_longer_asked_for_is_seen_and_only_that() {
    let world = World::of(include_str!("../../profiles/minimal.yaml")).await;
    let prune = step("prune", json!({}));
    world.apply(&step("storage", json!({}))).await;
    assert_eq!(world.look(&prune).await, Ok(Check::Satisfied), "what the storage step wrote is asked for");
    let path = "/api/v1/namespaces/default/configmaps/old";
    let mark = json!({"name": "old", "labels": {"hearth.dev/profile": "quick"}, "managedFields": [{"manager": "hearth"}]});
    world.api.put(path, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": mark}));
    let claim = "/api/v1/namespaces/default/persistentvolumeclaims/data";
    world.api.put(claim, json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": mark}));
    // a copy that somebody made, label and all
    let others = "/api/v1/namespaces/default/configmaps/others";
    let copy = json!({"labels": mark["labels"], "managedFields": [{"manager": "kubectl"}]});
    world.api.put(others, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": copy}));
    assert!(matches!(world.look(&prune).await, Ok(Check::Needed(_))));
    world.api.silence(true);
    assert!(world.look(&prune).await.is_err());
    world.api.silence(false);
    world.apply(&prune).await;
    assert_eq!(world.look(&prune).await, Ok(Check::Satisfied));
    let there = |path: &str| world.api.objects().contains_key(path);
    assert!(!there(path) && there(claim) && there(others));
    let prune = step("prune", json!({"deleteData": true}));
    assert!(matches!(world.look(&prune).await, Ok(Check::Needed(_))));
    world.apply(&prune).await;
    assert!(!there(claim) && there(others));
}

/// Nobody answers, so nothing is known to work; that is no reason to give up.
#[tokio::test]
async fn a_cluster_that_does_not_answer_is_not_settled_and_is_waited_for() {
    let settled = step("settled", json!({}));
    let world = World::new().await;
    world.api.silence(true);
    assert!(matches!(world.look(&settled).await, Ok(Check::Needed(_))));
    world.api.silence(false);
    world.fakes.silent.store(true, Ordering::Relaxed);
    assert!(matches!(world.look(&settled).await, Ok(Check::Needed(_))));
}

/// A file that cannot be read may be as it should be.
#[tokio::test]
async fn a_kubeconfig_that_cannot_be_read_is_not_written_over() {
    let world = World::new().await;
    std::fs::create_dir_all(world.folder.path().join("quick/kubeconfig")).unwrap();
    assert!(world.look(&step("kubeconfig", json!({}))).await.is_err());
}
