//! A cluster on hosts, from bare to bare.

use std::time::Duration;

use crate::world::{World, eventually, get, sh};
use crate::{address, bare_hosts, containers, on, profile, stock, unchanged};

#[test]
fn bare_hosts_become_a_cluster_survive_a_reboot_and_are_bare_again() {
    let (world, before) = bare_hosts();
    // a login shell that greets
    on(2, "echo 'echo hi' >>/root/.bashrc");
    let all = profile(&world, "homelab", 3);

    world.hearth(&["up", "--dry-run", "-f", &all]).expect(0);
    unchanged(&stock(), &before);

    let up = world.hearth(&["up", "-f", &all, "--yes", "-o", "json"]);
    eprintln!("{}", up.err.lines().filter(|line| line.contains("first 200")).collect::<String>());
    let vip = up.expect(0).json()["vip"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("http://{vip}/api/whoami")).0, 200);
    let again = world.hearth(&["up", "-f", &all, "--yes", "-o", "json"]).expect(0).json();
    assert_eq!(again["changed"], false, "{again}");
    world.hearth(&["status", "--name", "e2e-hosts"]).expect(0);

    // a shell for users; the lease is free again
    let ran = world.hearth(&["ssh", "n2", "--name", "e2e-hosts", "--", "sh", "-c", "hostname; exit 7"]).expect(7);
    assert_eq!(ran.out.lines().last(), Some(&*containers()[1]), "whatever the login shell says first");
    assert!(world.hearth(&["unlock", "--name", "e2e-hosts"]).expect(0).out.contains("nobody"));

    // the same scenario as on containers
    let reports = world.folder.path().join("reports").to_str().unwrap().to_owned();
    let scenario = ["test", "scenarios/pod-kill-retry.yaml", "--name", "e2e-hosts", "--report-dir", &reports];
    assert!(world.hearth(&scenario).expect(0).out.contains("PASS pod-kill-retry"));

    killed_amid_a_scenario_nothing_stays_changed(&world, &all, &reports);

    // all hosts reboot: the cluster comes back by itself
    sh(&format!("docker restart -t 5 {}", containers().join(" ")));
    eventually("status sees the cluster again", Duration::from_secs(180), || {
        world.hearth(&["status", "--name", "e2e-hosts"]).code == Some(0)
    });
    assert_eq!(get(&format!("http://{vip}/api/whoami")).0, 200);
    let again = world.hearth(&["up", "-f", &all, "--yes", "-o", "json"]).expect(0).json();
    assert_eq!(again["changed"], false, "{again}");

    // routes, rules and an interface that others took down are restored without Hearth; somebody else's route stays
    on(
        2,
        "ip route add 10.244.99.0/24 via 172.30.0.1; ip route del $(ip route | awk '/^10.244.*via 172.30.0.13/ {print $1}')
         iptables -t nat -F; ip link set eth0 down; systemctl restart --no-block hearth-routes; ip link set eth0 up
         ip route add default via 172.30.0.1; ip route add 10.244.99.0/24 via 172.30.0.1",
    );
    eventually("the pod network mends itself", Duration::from_secs(90), || {
        on(2, "/usr/local/lib/hearth/routes.sh verify && systemctl is-active hearth-routes") == "active"
    });
    assert!(on(2, "ip route; ip route del 10.244.99.0/24").contains("10.244.99.0/24 via 172.30.0.1"), "not ours");
    world.hearth(&["status", "--name", "e2e-hosts"]).expect(0);

    // one worker fewer, which is a plain host again, and then the same one more
    world.hearth(&["up", "-f", &profile(&world, "homelab", 2), "--yes"]).expect(0);
    assert!(kubectl("get node n3").contains("NotFound"), "{}", kubectl("get nodes"));
    let gone = stock();
    unchanged(&gone[2..], &before[2..]);
    world.hearth(&["up", "-f", &all, "--yes"]).expect(0);
    assert!(kubectl("get node n3").contains(" Ready "), "{}", kubectl("get nodes"));

    what_somebody_removed_is_there_again(&world, &all);

    // a host that somebody reset joins again
    on(3, "systemctl stop kubelet; systemctl kill -s KILL kubepods.slice; rm -rf /etc/kubernetes /var/lib/kubelet/config.yaml");
    world.hearth(&["up", "-f", &all, "--yes"]).expect(0);
    world.hearth(&["status", "--name", "e2e-hosts"]).expect(0);

    // a connection of a pod whose other end fell silent outlives the pod, and would hold its network namespace for minutes
    let silent = format!(
        "every() {{ for ns in $(ip netns list | awk '/^cni-/ {{print $1}}'); do ip netns exec $ns \"$@\" 2>/dev/null; done; }}
         every timeout 5 bash -c 'exec 3<>/dev/tcp/{}/22; iptables -I INPUT -j DROP; echo lost >&3'
         every grep -c ' 04 ' /proc/net/tcp | awk '{{count += $1}} END {{print count + 0}}'",
        address(2)
    );
    assert!(on(2, &silent).parse::<u32>().is_ok_and(|waiting| waiting > 0), "a connection waits to be closed");
    world.hearth(&["down", "--name", "e2e-hosts", "--yes"]).expect(0);
    on(2, "sed -i '/^echo hi$/d' /root/.bashrc");
    unchanged(&stock(), &before);
    world.nothing_is_left();
}

fn kubectl(args: &str) -> String {
    on(1, &format!("KUBECONFIG=/etc/kubernetes/admin.conf /usr/local/bin/kubectl {args}"))
}

/// A run that is killed while it has the retries switched off leaves nothing changed after the next `up`.
fn killed_amid_a_scenario_nothing_stays_changed(world: &World, all: &str, reports: &str) {
    let file = world.folder.path().join("without-retries.yaml");
    std::fs::write(&file, WITHOUT_RETRIES).unwrap();
    let test = ["test", file.to_str().unwrap(), "--name", "e2e-hosts", "--report-dir", reports];
    assert_eq!(world.killed_after(("e2e-hosts/undo.jsonl", ""), 2, &test), None);
    let retries = || kubectl("-n blog-system get virtualservice blog-routes -o jsonpath={.spec.http[0].retries.attempts}");
    assert_eq!(retries(), "0");
    world.hearth(&["up", "-f", all, "--yes"]).expect(0);
    let left = world.hearth(&["recover", "--name", "e2e-hosts", "--dry-run", "-o", "json"]).expect(0).json();
    assert_eq!(left["left"].as_array().map(Vec::len), Some(0), "{left}");
    assert_eq!(retries(), "3");
}

/// Programs, settings and images.
fn what_somebody_removed_is_there_again(world: &World, all: &str) {
    let pause = "ctr -n k8s.io images ls -q 2>/dev/null | grep '/pause:'";
    on(1, &format!("rm /usr/local/bin/crictl; ctr -n k8s.io images rm $({pause})"));
    on(3, "echo '# x' >>/etc/containerd/config.toml; rm /opt/cni/bin/portmap");
    assert_eq!(on(1, pause), "");
    assert_eq!(world.hearth(&["up", "-f", all, "--yes", "-o", "json"]).expect(0).json()["changed"], true);
    assert_ne!(on(1, pause), "");
    assert!(on(1, "crictl --version").contains("crictl version"));
    assert_eq!(on(3, "grep -c '# x' /etc/containerd/config.toml; ls /opt/cni/bin/portmap"), "0\n/opt/cni/bin/portmap");
}

/// A small scenario without retries.
const WITHOUT_RETRIES: &str = "
apiVersion: hearth.dev/v1alpha1
kind: Scenario
metadata: {name: without-retries, title: A pod dies}
spec:
  setup:
    - id: without
      edit:
        patch:
          object: {apiVersion: networking.istio.io/v1, kind: VirtualService, namespace: blog-system, name: blog-routes}
          set: [{path: /http/0/retries, value: {attempts: 0}}]
  target: {path: /api/whoami}
  load: {rate: 20 req/s, connections: 64, timeout: 5s}
  steadyState: {conditions: [{failed: {atMost: 99 req}}], before: {hold: 5s}, after: {hold: 1s}}
  timeline: [{at: 0s, fault: {podKill: {namespace: blog-system, selector: app=was, how: sigkill, count: 1, every: 1s}}}]
  assertions: [{id: most, title: Most answers are right, expect: {failed: {atMost: 99 req}}}]
  validity: {releaseErrorP99: 500ms}
";
