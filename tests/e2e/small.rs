//! Clusters of one or two nodes.

use crate::world::{World, get, sh};

/// One node is a cluster too; and the application has a host name, under which everything requests it.
#[test]
fn one_node_runs_the_whole_stack_under_a_name_of_its_own() {
    let world = World::new();
    let one = ["--name", "e2e-one", "--set", "spec.provider.docker.nodes.workers=0"];
    let domain = ["--set", "spec.components.workloads.domain=example.test"];
    let up =
        world.hearth(&[&["up", "-f", "profiles/quick.yaml", "--yes", "-o", "json"], &one[..], &domain].concat()).expect(0).json();
    let vip = up["vip"].as_str().unwrap();
    assert_eq!(get(&format!("-H 'Host: blog.example.test' http://{vip}/api/whoami")).0, 200);
    assert_eq!(get(&format!("--resolve blog.example.test:80:{vip} http://blog.example.test/")).0, 200);
    assert_eq!(get(&format!("http://{vip}/api/whoami")).0, 404, "no other name leads there");
    let kubectl = |args: &str| sh(&format!("docker exec e2e-one-control-plane kubectl {args} 2>&1"));
    assert_eq!(kubectl("get nodes -o jsonpath={.items[*].spec.taints}"), "");
    assert!(!kubectl("get nodes --show-labels").contains("exclude-from-external-load-balancers"));
    world.hearth(&["status", "--name", "e2e-one"]).expect(0);
    assert!(!sh("docker exec e2e-one-control-plane journalctl -u kubelet").contains("failed to ensure that the pod"));
    let test =
        world.hearth(&["test", "scenarios/pod-kill-retry.yaml", "--name", "e2e-one", "--report-dir", "/tmp/e2e-one-report"]);
    assert!(test.expect(0).out.contains("PASS pod-kill-retry"));
    sh("rm -r /tmp/e2e-one-report");

    // a container that others start from the image kept for the next start is not ours
    let image = sh("docker images --format '{{.Repository}}:{{.Tag}}' hearth.dev/node | head -1");
    assert!(!sh(&format!("docker inspect {image} --format '{{{{json .Config.Labels}}}}'")).contains("hearth.dev/profile"));
    world.hearth(&["down", "--name", "e2e-one", "--yes"]).expect(0);
    world.nothing_is_left();
    // it is named as an image that no cluster uses; what others keep on this engine is not ours to remove
    assert!(world.hearth(&["gc"]).expect(2).err.contains(&image));
}

#[test]
fn ten_times_up_and_down_leave_nothing() {
    let world = World::new();
    for _ in 0..10 {
        world.hearth(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-ten", "--yes", "--kubeconfig"]).expect(0);
        world.hearth(&["down", "--name", "e2e-ten", "--yes"]).expect(0);
        world.nothing_is_left();
    }
}
