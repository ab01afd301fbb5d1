//! Tests that take long: `make soak`.

use std::time::{Duration, Instant};

use crate::keep_something;
use crate::stack::all_start_again;
use crate::world::{APPLIED, World, eventually, get, sh};

/// Waits that end once they are hopeless, the tools of others, data left by a shorter profile.
#[test]
#[ignore = "the long tail: make soak"]
fn hopeless_waits_tools_of_others_and_data_that_stays() {
    let world = World::new();
    let up = world.hearth(&["up", "-f", "profiles/quick.yaml", "--name", "e2e", "--yes", "-o", "json"]).expect(0).json();
    let kubectl = |args: &str| sh(&format!("docker exec e2e-control-plane kubectl {args} 2>&1"));

    waiting_says_why_and_ends_when_it_is_hopeless(&world, &kubectl);
    stock_tools_find_nothing_bad(&world);
    let vip = up["vip"].as_str().unwrap();
    nodes_start_again_in_any_order_and_one_stands_still(&world, vip);
    keep_something(vip);
    a_shorter_profile_keeps_data(&world, &kubectl, vip);

    world.hearth(&["down", "--name", "e2e", "--yes"]).expect(0);
    world.nothing_is_left();
}

/// All six orders, without Hearth in between. An API server that answers nothing is named, within the limits of requests.
fn nodes_start_again_in_any_order_and_one_stands_still(world: &World, vip: &str) {
    let nodes = ["e2e-control-plane", "e2e-worker", "e2e-worker2"];
    for (first, second, third) in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)] {
        all_start_again(&[nodes[first], nodes[second], nodes[third]].join(" "), vip);
    }
    let status = || world.hearth(&["status", "--name", "e2e"]);
    eventually("all is well", Duration::from_secs(60), || status().code == Some(0));
    sh("docker exec e2e-control-plane pkill -STOP kube-apiserver");
    let started = Instant::now();
    status().expect(70);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    sh("docker exec e2e-control-plane pkill -CONT kube-apiserver");
    eventually("all is well", Duration::from_secs(60), || status().code == Some(0));
}

/// Killed at the end of every step, a bring-up with all components still completes. A scenario that is killed whenever its list
/// of changes grows leaves nothing changed after the next `up`.
#[test]
#[ignore = "the long tail: make soak"]
fn killed_at_every_step_of_the_whole_stack_and_amid_a_scenario() {
    let world = World::new();
    let up = ["up", "-f", "profiles/quick.yaml", "--name", "e2e-kill", "--yes"];
    let killed_after = |steps: usize| world.killed_after(("e2e-kill/journal.jsonl", APPLIED), steps, &up);
    // addresses for load balancers are recorded with the control plane, and until then held by the run alone
    for steps in 1..=4 {
        assert_eq!(killed_after(steps), None);
    }
    let arrived = (0..150).find_map(|kills| Some((kills, killed_after(1)?)));
    eprintln!("  up: (kills, exit) {arrived:?}");
    assert!(arrived.is_some_and(|(kills, code)| kills > 12 && code == Some(0)), "{arrived:?}");
    world.hearth(&up).expect(0);
    world.hearth(&["status", "--name", "e2e-kill"]).expect(0);

    let reports = world.folder.path().join("reports").to_str().unwrap().to_owned();
    let test = ["test", "scenarios/pod-kill-retry.yaml", "--name", "e2e-kill", "--report-dir", &reports];
    let retries = "kubectl -n blog-system get virtualservice blog-routes -o jsonpath={.spec.http[0].retries.attempts}";
    let arrived = (0..10).find_map(|kills| {
        let code = world.killed_after(("e2e-kill/undo.jsonl", ""), kills + 1, &test);
        world.hearth(&up).expect(0);
        let left = world.hearth(&["recover", "--name", "e2e-kill", "--dry-run", "-o", "json"]).expect(0).json();
        assert_eq!(left["left"].as_array().map(Vec::len), Some(0), "{left}");
        assert_eq!(sh(&format!("docker exec e2e-kill-control-plane {retries}")), "3");
        Some((kills, code?))
    });
    eprintln!("  test: (kills, exit) {arrived:?}");
    assert!(arrived.is_some_and(|(kills, code)| kills > 1 && code == Some(0)), "{arrived:?}");
    world.hearth(&["down", "--name", "e2e-kill", "--yes"]).expect(0);
    world.nothing_is_left();
}

/// An image that does not exist, a pod that no node accepts, a container that ends again and again: each is named during the
/// wait, and ends it long before its deadline.
fn waiting_says_why_and_ends_when_it_is_hopeless(world: &World, kubectl: &dyn Fn(&str) -> String) {
    let up = ["up", "-f", "profiles/quick.yaml", "--name", "e2e", "--yes"];
    let hopeless = |says: &[&str], within: u64| {
        let started = Instant::now();
        let ran = world.hearth(&up).expect(70);
        for word in says {
            assert!(ran.err.contains(word), "{word}: {}", ran.err);
        }
        assert!(!ran.err.contains("Status {"), "{}", ran.err);
        assert!(started.elapsed() < Duration::from_secs(within), "{:?}", started.elapsed());
    };
    let pod = kubectl("-n blog-system get pods -l app=web -o jsonpath={.items[0].metadata.name}");
    kubectl(&format!("-n blog-system set image pod/{pod} nginx=127.0.0.1:1/nobody/none:1"));
    eventually("the pod's container is another", Duration::from_secs(60), || {
        kubectl(&format!("-n blog-system get pod {pod}")).contains("ImagePull")
    });
    // two minutes, for a connection may come back, after the kubelet's own pause before it restarts a container
    hopeless(&["image 127.0.0.1:1/nobody/none:1 cannot be pulled", "connection refused"], 420);
    // the right image again: warnings from before end no wait
    let image = kubectl("-n blog-system get deployment web -o jsonpath={.spec.template.spec.containers[0].image}");
    kubectl(&format!("-n blog-system set image pod/{pod} nginx={image}"));
    world.hearth(&up).expect(0);

    kubectl("taint node e2e-worker e2e-worker2 busy=yes:NoSchedule");
    kubectl("-n blog-system delete pods -l app=web --wait=false");
    hopeless(&["cannot be scheduled: 0/3 nodes are available", "taint"], 120);
    kubectl("taint node e2e-worker e2e-worker2 busy-");
    world.hearth(&up).expect(0);

    let data = "/var/local-path-provisioner/blog-system_data-mysql-0";
    sh(&format!("docker exec e2e-worker sh -c 'mv {data}/data/mysql.ibd {data}/saved'"));
    kubectl("-n blog-system delete pod mysql-0 --wait=true");
    hopeless(&["container mysql ended", "exit code 1"], 180);
    sh(&format!("docker exec e2e-worker sh -c 'mv {data}/saved {data}/data/mysql.ibd'"));
    kubectl("-n blog-system delete pod mysql-0 --wait=true");
    world.hearth(&up).expect(0);
}

/// The tools that people use today work on our cluster and report nothing bad: kubectl and istioctl.
fn stock_tools_find_nothing_bad(world: &World) {
    let bundle = std::env::var("HEARTH_BUNDLE").unwrap_or_default();
    let config = world.folder.path().join("hearth/e2e/kubeconfig");
    let run = |command: &str| {
        sh(&format!("export KUBECONFIG={} PATH=$PATH:{bundle}/bin; {command} 2>&1; echo rc=$?", config.display()))
    };
    let ready = run("kubectl get nodes --no-headers");
    assert!(ready.ends_with("rc=0") && ready.matches(" Ready ").count() == 3, "{ready}");
    assert!(run("kubectl -n blog-system rollout status deployment was").ends_with("rc=0"));
    assert!(run("command -v istioctl").ends_with("rc=0"), "istioctl is not there: scripts/lab tools");
    let version = run("istioctl version");
    assert!(version.ends_with("rc=0") && version.contains("control plane version"), "{version}");
    let status = run("istioctl proxy-status");
    assert!(status.ends_with("rc=0") && status.contains("istio-ingressgateway") && !status.contains("STALE"), "{status}");
    let analysis = run("istioctl analyze --all-namespaces");
    assert!(analysis.ends_with("rc=0") && !analysis.contains("panic"), "{analysis}");
    assert!(!analysis.contains("Error [") && !analysis.contains("Warning ["), "{analysis}");
    let routes = run("istioctl proxy-config routes deployment/istio-ingressgateway -n istio-system");
    assert!(routes.ends_with("rc=0") && routes.contains("/api*"), "{routes}");
}

/// The workloads of cluster `e2e` are no longer asked for: what holds data, or what others put beside it, is named and stays,
/// and works again once they are asked for again; it is removed when that is asked for.
fn a_shorter_profile_keeps_data(world: &World, kubectl: &dyn Fn(&str) -> String, vip: &str) {
    let less = world.folder.path().join("less.yaml");
    let whole = std::fs::read_to_string("profiles/quick.yaml").unwrap();
    std::fs::write(&less, whole.split_once("    workloads:").unwrap().0).unwrap();
    let less = ["-f", less.to_str().unwrap(), "--name", "e2e"];
    kubectl("-n blog-system create configmap mine --from-literal=a=b");
    kubectl("-n blog-system create service externalname copied --external-name=a.b");
    // any program may be called as MetalLB's is
    kubectl("-n blog-system create configmap controlled --from-literal=a=b --field-manager=controller");
    // a label alone does not make an object ours
    kubectl("-n blog-system label service copied hearth.dev/profile=e2e app.kubernetes.io/managed-by=hearth");
    let held = "Namespace blog-system (";
    let plan = world.hearth(&[&["plan"], &less[..]].concat()).expect(0).out;
    for named in [
        held,
        "ConfigMap controlled",
        "ConfigMap mine",
        "Service copied",
        "PersistentVolume hearth-mysql (data)",
        "Deployment blog-system/was",
    ] {
        assert!(plan.contains(named), "{named}: {plan}");
    }
    let up = world.hearth(&[&["up", "--yes"], &less[..]].concat()).expect(0);
    assert!(up.out.contains(held), "{}", up.out);
    assert!(kubectl("-n blog-system get deployment was").contains("NotFound"));
    assert!(kubectl("-n blog-system get configmap mine").contains("mine"));
    assert!(kubectl("-n blog-system get service copied").contains("a.b"));
    assert!(kubectl("-n istio-system get deployment istiod").contains("1/1"));
    assert_eq!(world.hearth(&[&["up", "--yes", "-o", "json"], &less[..]].concat()).expect(0).json()["changed"], false);
    world.hearth(&["status", "--name", "e2e"]).expect(0);

    world.hearth(&["up", "-f", "profiles/quick.yaml", "--name", "e2e", "--yes"]).expect(0);
    eventually("the application has its data again", Duration::from_secs(60), || {
        get(&format!("http://{vip}/api/items")).1.contains("kept")
    });

    world.hearth(&[&["up", "--yes", "--delete-data"], &less[..]].concat()).expect(0);
    assert!(kubectl("get namespace blog-system").contains("NotFound"));
    assert!(kubectl("get persistentvolume hearth-mysql").contains("NotFound"));
}
