//! What others change or remove on a live cluster.

use std::time::{Duration, Instant};

use crate::world::{World, eventually, sh};

#[test]
fn metrics_are_served_while_they_are_asked_for() {
    let world = World::new();
    let up = ["up", "-f", "profiles/minimal.yaml", "--name", "e2e-top", "--yes", "-o", "json"];
    let asked = [&up[..], &["--set", "spec.components.metricsServer={}"]].concat();
    world.hearth(&up).expect(0);
    let kubectl = |args: &str| sh(&format!("docker exec e2e-top-control-plane kubectl {args} 2>&1"));

    // the API refuses a component's objects: the run fails at once, with the reason, and nothing else is harmed
    sh(&format!("docker exec -i e2e-top-control-plane kubectl apply -f - <<'END'\n{REFUSES}\nEND"));
    let try_it = "create deployment metrics-server -n kube-system --image=x --dry-run=server";
    eventually("the policy holds", Duration::from_secs(30), || kubectl(try_it).contains("not here"));
    world
        .hearth(&[&asked[..5], &["--yes", "--set", "spec.components.metricsServer={}"]].concat())
        .expect(80)
        .seen("e2e_80_refused");
    kubectl("delete validatingadmissionpolicy,validatingadmissionpolicybinding e2e-refuses");
    eventually("the policy is gone", Duration::from_secs(30), || !kubectl(try_it).contains("not here"));
    world.hearth(&asked).expect(0);
    let nodes = kubectl("top nodes --no-headers");
    assert!(nodes.lines().count() == 2 && nodes.lines().all(|line| line.contains("m ") && line.contains("Mi ")), "{nodes}");
    // a kubelet measures a pod only some time after it started
    eventually("every pod is measured", Duration::from_secs(60), || {
        let pods = kubectl("top pods --all-namespaces --no-headers");
        pods.contains("kube-apiserver-e2e-top-control-plane") && pods.contains("metrics-server-")
    });
    assert_eq!(world.hearth(&asked).expect(0).json()["changed"], false);
    world.hearth(&up).expect(0);
    assert!(kubectl("get apiservice v1beta1.metrics.k8s.io").contains("NotFound"));

    what_is_lost_is_put_back(&world, &up, &kubectl);

    // somebody else's container holds a node's volume
    let volume = sh("docker inspect e2e-top-worker --format '{{range .Mounts}}{{.Name}} {{end}}'");
    sh("docker run -d --name e2e-holds --volumes-from e2e-top-worker --entrypoint sleep kindest/node:v1.36.4 300");
    world.hearth(&["down", "--name", "e2e-top", "--yes"]).expect(90).seen("e2e_90_left");
    sh(&format!("docker rm -f e2e-holds; docker volume rm {volume}"));
    world.hearth(&["down", "--name", "e2e-top", "--yes"]).expect(0);
    world.nothing_is_left();
}

/// Refuses one Deployment.
const REFUSES: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: e2e-refuses}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  validations: [{expression: \"object.metadata.name != 'metrics-server'\", message: not here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: e2e-refuses}
spec: {policyName: e2e-refuses, validationActions: [Deny]}";

/// What steps promise, taken away piece by piece on a live cluster: one `up` restores it, except where a program on a node
/// refuses.
fn what_is_lost_is_put_back(world: &World, up: &[&str], kubectl: &dyn Fn(&str) -> String) {
    let on_node = |script: &str| sh(&format!("docker exec e2e-top-control-plane sh -c '{script}' 2>&1"));
    on_node("mv /etc/kubernetes/manifests/kube-scheduler.yaml /tmp; mv /usr/bin/kubeadm /usr/bin/kubeadm.away");
    on_node("printf \"#!/bin/sh\\necho told to fail\\nexit 3\\n\" >/usr/bin/kubeadm; chmod +x /usr/bin/kubeadm");
    let plain: Vec<&str> = up.iter().copied().take_while(|arg| *arg != "-o").collect();
    world.hearth(&plain).expect(60).seen("e2e_60_kubeadm");
    on_node("mv /usr/bin/kubeadm.away /usr/bin/kubeadm");

    kubectl("-n kube-system delete service/kube-dns configmap/kubeadm-config rolebinding/kubeadm:kubelet-config");
    kubectl("delete clusterrolebinding kubeadm:cluster-admins");
    kubectl("-n local-path-storage delete deployment local-path-provisioner");
    sh("docker exec e2e-top-worker systemctl stop kubelet");
    sh("docker exec e2e-top-worker systemctl disable --now hearth-routes");
    std::fs::remove_file(world.folder.path().join("hearth/e2e-top/kubeconfig")).unwrap();
    assert_eq!(world.hearth(up).expect(0).json()["changed"], true);
    for there in [
        "-n kube-system get service kube-dns",
        "-n kube-system get configmap kubeadm-config",
        "get clusterrolebinding kubeadm:cluster-admins",
        "-n local-path-storage get deployment local-path-provisioner",
        "-n kube-system get pod kube-scheduler-e2e-top-control-plane",
    ] {
        assert!(!kubectl(there).contains("NotFound"), "{there}: {}", kubectl(there));
    }
    assert_eq!(sh("docker exec e2e-top-worker systemctl is-active kubelet hearth-routes"), "active\nactive");
    assert_eq!(world.hearth(up).expect(0).json()["changed"], false);
    world.hearth(&["status", "--name", "e2e-top"]).expect(0);
}

/// An empty mapping has a meaning too: it excludes the other kind of volume, which is named. No pod starts with that, because the
/// rollout is paused.
fn a_volume_of_another_kind_is_noticed(world: &World, kubectl: &dyn Fn(&str) -> String) {
    let deployment = "deployment istio-ingressgateway -n istio-system";
    let volume = |kind: &str| {
        let volumes = format!(r#"{{"volumes": [{{"name": "istio-data", {kind}}}]}}"#);
        kubectl(&format!(r#"patch {deployment} -p '{{"spec": {{"template": {{"spec": {volumes}}}}}}}'"#))
    };
    kubectl(&format!("rollout pause {deployment}"));
    volume(r#""emptyDir": null, "hostPath": {"path": "/tmp"}"#);
    let status = world.hearth(&["status", "--name", "e2e"]).expect(70).out;
    assert!(status.contains("istio-ingressgateway (spec.template.spec.volumes.emptyDir was changed)"), "{status}");
    let refused = world.hearth(&["up", "-f", "profiles/quick.yaml", "--name", "e2e", "--yes"]).expect(80).err;
    assert!(refused.contains("may not specify more than 1 volume type"), "{refused}");
    volume(r#""emptyDir": {}, "hostPath": null"#);
    kubectl(&format!("rollout resume {deployment}"));
}

/// Fields of ours that somebody edited are noticed and restored; fields of others are left alone.
pub fn what_others_change_is_put_back(world: &World, kubectl: &dyn Fn(&str) -> String) {
    let up = ["up", "-f", "profiles/quick.yaml", "--name", "e2e", "--yes", "-o", "json"];
    a_volume_of_another_kind_is_noticed(world, kubectl);
    kubectl("-n blog-system scale deployment was --replicas=1");
    kubectl("-n blog-system annotate deployment web theirs=kept");
    let route = r#"[{"op": "replace", "path": "/spec/http/0/timeout", "value": "1s"}]"#;
    kubectl(&format!("-n blog-system patch virtualservice blog-routes --type=json -p '{route}'"));
    let status = world.hearth(&["status", "--name", "e2e"]).expect(70).seen("e2e_status_70");
    for field in ["Deployment blog-system/was (spec.replicas was changed)", "VirtualService blog-system/blog-routes (spec.http"] {
        assert!(status.out.contains(field), "{field}: {}", status.out);
    }
    // a scenario that cannot run is no success
    eventually("one is left", Duration::from_secs(60), || kubectl("-n blog-system get deployment was").contains("1/1"));
    let reports = world.folder.path().join("skipped").to_str().unwrap().to_owned();
    let test = ["test", "scenarios/pod-kill-retry.yaml", "--name", "e2e", "--report-dir", &reports];
    assert!(world.hearth(&test).expect(20).err.contains("nothing was tested"));
    world.hearth(&[&test[..], &["--allow-skipped"]].concat()).expect(0);
    assert_eq!(world.hearth(&up).expect(0).json()["changed"], true);
    assert!(kubectl("-n blog-system get deployment was").contains("2/2"));
    assert_eq!(kubectl("-n blog-system get virtualservice blog-routes -o jsonpath={.spec.http[0].timeout}"), "15s");
    assert_eq!(kubectl("-n blog-system get deployment web -o jsonpath={.metadata.annotations.theirs}"), "kept");
    let started = Instant::now();
    assert_eq!(world.hearth(&up).expect(0).json()["changed"], false);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
