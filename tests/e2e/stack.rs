//! The full stack on three nodes, from a dry run to nothing left.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::edits::what_others_change_is_put_back;
use crate::world::{World, eventually, get, inventory, sh};
use crate::{keep_something, kind::kind};

/// `hearth up` of the quick profile as cluster `e2e`.
fn up(more: &[&'static str]) -> Vec<&'static str> {
    [&["up", "-f", "profiles/quick.yaml", "--name", "e2e", "--yes"], more].concat()
}

#[test]
fn the_full_stack_comes_up_proves_itself_and_goes() {
    let world = World::new();
    // a dry run changes nothing
    world.hearth(&up(&["--dry-run"])).expect(0);
    assert_eq!(inventory(), world.before);

    let first = world.hearth(&up(&["--kubeconfig"])).expect(0).seen("e2e_up");
    let vip = first.out.lines().find_map(|line| line.trim().strip_prefix("gateway     http://")).unwrap().trim_end_matches('/');
    let (code, body) = get(&format!("http://{vip}/api/whoami"));
    assert_eq!(code, 200, "{body}");
    assert!(body.contains("\"pod\":\"was-"), "{body}");
    assert_eq!(get(&format!("http://{vip}/")).0, 200, "the web page");

    // again: nothing changes, and it is quick
    let started = Instant::now();
    let again = world.hearth(&up(&["-o", "json"])).expect(0).json();
    assert_eq!(again["changed"], false, "{again}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    world.hearth(&up(&[])).expect(0).seen("e2e_up_again");
    world.hearth(&["plan", "-f", "profiles/quick.yaml", "--name", "e2e", "--detailed-exitcode"]).expect(0);

    kind_works_on_it();
    assert!(std::fs::read_to_string(world.kubeconfig()).unwrap().contains("kind-e2e"), "merged on request");

    // MySQL's data survives its pod
    keep_something(vip);
    sh("docker exec e2e-control-plane kubectl -n blog-system delete pod mysql-0 --wait=true");
    eventually("MySQL answers again with its data", Duration::from_secs(90), || {
        get(&format!("http://{vip}/api/items")).1.contains("kept")
    });

    // the scenario with its negative control; WAS is ready again only some time after its database
    eventually("all is well", Duration::from_secs(60), || world.hearth(&["status", "--name", "e2e"]).code == Some(0));
    let reports = world.folder.path().join("reports").to_str().unwrap().to_owned();
    let test = world.hearth(&["test", "scenarios/pod-kill-retry.yaml", "--name", "e2e", "--report-dir", &reports]);
    eprintln!("{}{}", test.err, test.out);
    assert!(test.expect(0).seen("e2e_test").out.contains("PASS pod-kill-retry"), "passed, not skipped");
    assert!(sh(&format!("find {reports} -name '*.json' | wc -l")).parse::<u32>().unwrap() >= 1);
    assert!(sh(&format!("find {reports} -name '*.md' | wc -l")).parse::<u32>().unwrap() >= 1);

    world.hearth(&["status", "--name", "e2e"]).expect(0).seen("e2e_status");

    // requests that go through the API server to a kubelet
    let kubectl = |args: &str| sh(&format!("docker exec e2e-control-plane kubectl {args} 2>&1"));
    assert!(kubectl("-n istio-system logs deployment/istiod --tail=1").contains("info"), "logs of a pod");
    assert!(kubectl("-n blog-system exec mysql-0 -- mysqld --version").contains("Ver"), "a program run in a pod");

    a_worker_that_stopped_is_named_and_repaired(&world);
    nodes_find_each_other_again(&world, vip);
    a_worker_more_and_one_less(&world, &kubectl);
    what_others_change_is_put_back(&world, &kubectl);

    world.hearth(&["down", "--name", "e2e", "--yes"]).expect(0).seen("e2e_down");
    world.nothing_is_left();
}

/// kind's own CLI works on our cluster.
fn kind_works_on_it() {
    assert!(kind("get clusters").lines().any(|line| line == "e2e"), "{}", kind("get clusters"));
    let mut nodes: Vec<String> = kind("get nodes --name e2e").lines().map(str::to_owned).collect();
    nodes.sort();
    assert_eq!(nodes, ["e2e-control-plane", "e2e-worker", "e2e-worker2"]);
    assert!(kind("get kubeconfig --name e2e").contains("kind-e2e"));
    let bundle = std::env::var("HEARTH_BUNDLE").unwrap_or_default();
    if Path::new(&bundle).join("images").is_dir() {
        let archive = sh(&format!("ls {bundle}/images/*metrics-server* | head -1"));
        kind(&format!("load image-archive --name e2e {archive}"));
        assert!(sh("docker exec e2e-worker ctr -n k8s.io images ls -q").contains("metrics-server"));
    }
}

/// Containers that start again, in any order, and a node's network that others cleared find together without Hearth; an `up` in
/// between does no harm.
fn nodes_find_each_other_again(world: &World, vip: &str) {
    sh("docker restart e2e-worker2");
    let started = Instant::now();
    world.hearth(&up(&[])).expect(0);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let on_worker = |script: &str| sh(&format!("docker exec e2e-worker sh -c '{script}' 2>&1"));
    assert_ne!(on_worker("ip route del 10.244.0.0/24; iptables -t nat -F; /usr/local/lib/hearth/routes.sh verify"), "");
    eventually("routes and rules are back", Duration::from_secs(60), || {
        on_worker("/usr/local/lib/hearth/routes.sh verify; echo rc=$?") == "rc=0"
    });
    all_start_again("e2e-worker2 e2e-worker e2e-control-plane", vip);
    eventually("all is well", Duration::from_secs(60), || world.hearth(&["status", "--name", "e2e"]).code == Some(0));
}

/// Stops all nodes of cluster `e2e` and starts them in the given order, as a machine that reboots may.
pub fn all_start_again(order: &str, vip: &str) {
    sh(&format!("docker stop {order}"));
    let started = Instant::now();
    sh(&format!("for node in {order}; do docker start $node; done"));
    eventually("the application answers", Duration::from_secs(60), || get(&format!("http://{vip}/api/whoami")).0 == 200);
    eprintln!("  {order}: 200 after {:.1} s", started.elapsed().as_secs_f64());
}

/// `status` names it, `up` repairs it.
fn a_worker_that_stopped_is_named_and_repaired(world: &World) {
    sh("docker stop e2e-worker2");
    let status = world.hearth(&["status", "--name", "e2e", "-o", "json"]);
    assert_eq!(status.code, Some(70), "{}", status.err);
    assert!(status.out.contains("e2e-worker2: its container is stopped"), "{}", status.out);
    world.hearth(&up(&[])).expect(0);
    world.hearth(&["status", "--name", "e2e"]).expect(0);
}

/// One more worker, then one fewer; the one with the database's volume stays.
fn a_worker_more_and_one_less(world: &World, kubectl: &dyn Fn(&str) -> String) {
    world.hearth(&up(&["--set", "spec.provider.docker.nodes.workers=3"])).expect(0);
    assert!(kubectl("get node e2e-worker3").contains(" Ready "), "{}", kubectl("get nodes"));

    // a pod that nothing recreates, and one that keeps data on the node, are not removed without asking
    apply(LOSABLE);
    eventually("they run on it", Duration::from_secs(60), || {
        kubectl("get pods -o wide --no-headers").lines().filter(|line| line.contains("e2e-worker3")).count() == 2
    });
    let refused = world.hearth(&up(&[])).expect(20).seen("e2e_20_would_lose");
    assert!(refused.err.contains("pod default/naked on e2e-worker3: nothing makes it again"), "{}", refused.err);
    assert!(refused.err.contains("emptyDir cache is lost"), "{}", refused.err);
    assert!(!kubectl("get node e2e-worker3").contains("SchedulingDisabled"), "nothing was changed");
    world.hearth(&up(&["--delete-data"])).expect(0);
    kubectl("delete deployment scratch");
    assert!(kubectl("get node e2e-worker3").contains("NotFound"), "{}", kubectl("get nodes"));
    assert_eq!(sh("docker ps -aq --filter name=e2e-worker3"), "");
    assert!(!sh("docker exec e2e-worker ip route").contains("10.244.3.0/24"), "the route to it is gone");
    let refused = world.hearth(&up(&["--set", "spec.provider.docker.nodes.workers=0"])).expect(20);
    assert!(refused.err.contains("hearth-mysql on e2e-worker"), "{}", refused.err);
    world.hearth(&["status", "--name", "e2e"]).expect(0);
}

/// What is lost with the third worker: a pod that nothing recreates, and data that a pod keeps on the node.
const LOSABLE: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: naked, namespace: default}
spec: {nodeName: e2e-worker3, terminationGracePeriodSeconds: 0, containers: [{name: a, image: "docker.io/library/nginx:1.26"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scratch, namespace: default}
spec:
  selector: {matchLabels: {app: scratch}}
  template:
    metadata: {labels: {app: scratch}}
    spec:
      nodeSelector: {kubernetes.io/hostname: e2e-worker3}
      terminationGracePeriodSeconds: 0
      volumes: [{name: cache, emptyDir: {}}]
      containers: [{name: a, image: "docker.io/library/nginx:1.26"}]
"#;

/// Applies objects to cluster `e2e` with kubectl.
fn apply(objects: &str) {
    sh(&format!("docker exec -i e2e-control-plane kubectl apply -f - <<'END'\n{objects}\nEND"));
}
