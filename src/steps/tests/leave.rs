//! Nodes that leave with volumes that exist nowhere else, and profiles that no `up` can bring about.

use serde_json::json;

use super::super::leave::refuse_volumes;
use super::{CONTROL_PLANE, FOREIGN, WORKER, World, step};
use crate::cluster::leaving::Volume;
use crate::graph::{Check, Kind};
use crate::provider::Provider;

/// Volumes of a dead host block `up` only until the user says that the host is gone for good. Then they are listed and deleted.
#[tokio::test]
async fn a_host_that_is_gone_for_good_takes_its_volumes_with_it_and_only_them() {
    let world = World::new().await;
    world.apply(&step("register", json!({"node": FOREIGN}))).await;
    let volume = |node: &str, claim: &str| {
        let terms = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]);
        json!({"metadata": {"name": format!("of-{claim}")}, "spec": {"claimRef": {"namespace": "a", "name": claim},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}})
    };
    for (node, claim) in [(FOREIGN, "lost"), (FOREIGN, "again"), (WORKER, "kept")] {
        world.api.put(&format!("/api/v1/persistentvolumes/of-{claim}"), volume(node, claim));
        let has = if claim == "again" { "another".to_owned() } else { format!("of-{claim}") };
        world.api.put(&format!("/api/v1/namespaces/a/persistentvolumeclaims/{claim}"), json!({"spec": {"volumeName": has}}));
    }
    let session = world.run().0;
    let refusal = async |forgotten: &[String]| {
        let error = session.leaving(false, forgotten).await.expect_err("its volumes would be lost");
        (error.to_string(), error.hint().unwrap_or_default())
    };
    let forgotten = [FOREIGN.to_owned()];
    let volume = Volume { name: "of-lost".into(), node: FOREIGN.into(), claim: None };
    let answering = session.provider.existing().await.unwrap();
    assert!(refuse_volumes(&[volume], &answering, &forgotten).is_err(), "it answers: its data can be saved");
    world.fakes.away.lock().unwrap().push(FOREIGN);
    let (refused, hint) = refusal(&[]).await;
    assert!(refused.contains("of-lost on quick-worker3 (claim a/lost)") && !refused.contains("kept"), "{refused}");
    assert!(hint.contains("`hearth up --forget quick-worker3`"), "{hint}");
    let leaving = session.leaving(false, &forgotten).await.expect("it is gone for good");
    let leave = step("leave", json!({"node": FOREIGN, "role": "worker", "lost": leaving[0].lost}));
    assert!(leave.sentence().contains("(claim a/lost)"), "{}", leave.sentence());
    world.api.edit(&format!("/api/v1/nodes/{FOREIGN}"), |node| node["status"]["conditions"][0]["status"] = json!("Unknown"));
    let node = world.api.lose(&format!("/api/v1/nodes/{FOREIGN}"));
    assert!(matches!(world.look(&leave).await, Ok(Check::Needed(_))), "somebody else removed the Node object");
    world.api.restore(&format!("/api/v1/nodes/{FOREIGN}"), node);
    world.apply(&leave).await;
    assert_eq!(world.look(&leave).await, Ok(Check::Satisfied));
    let left = world.api.objects();
    let is_there = |path: &str| left.contains_key(path);
    assert!(!is_there("/api/v1/persistentvolumes/of-lost") && !is_there("/api/v1/namespaces/a/persistentvolumeclaims/lost"));
    assert!(is_there("/api/v1/namespaces/a/persistentvolumeclaims/again"), "it has another volume by now");
    assert!(is_there("/api/v1/persistentvolumes/of-kept") && is_there("/api/v1/namespaces/a/persistentvolumeclaims/kept"));
}

/// New authorities would make strangers of the workers that are left, and of what is on them.
#[tokio::test]
async fn a_control_plane_that_is_gone_is_not_made_anew() {
    let refusal = async |world: &World| world.run().0.leaving(false, &[]).await.err().map(|error| error.to_string());
    let joined = async || {
        let world = World::new().await;
        world.fakes.nodes.lock().unwrap().retain(|node| node.name != FOREIGN);
        let _joined = world.fakes.get(WORKER).with("/etc/kubernetes/kubelet.conf", "x");
        world
    };
    let refused = |told: Option<String>| {
        let told = told.expect("it is refused");
        assert!(told.contains("has lost its control plane") && told.contains("and quick-worker belonged to it"), "{told}");
    };
    let world = joined().await;
    assert_eq!(refusal(&world).await, None);
    world.fakes.get(CONTROL_PLANE).files.lock().unwrap().clear();
    refused(refusal(&world).await);
    world.fakes.nodes.lock().unwrap().retain(|node| node.name != CONTROL_PLANE);
    refused(refusal(&world).await);
    world.fakes.get(WORKER).lose("/etc/kubernetes/kubelet.conf");
    assert_eq!(refusal(&world).await, None, "nothing joined it yet");
    let world = joined().await;
    world.fakes.away.lock().unwrap().push(CONTROL_PLANE);
    assert_eq!(refusal(&world).await, None, "it is stopped, and has all that it had");
}

#[tokio::test]
async fn what_a_cluster_was_made_with_does_not_change() {
    let world = World::new().await;
    let manifest = "spec:\n  containers:\n  - command: [x, --service-cluster-ip-range=10.97.0.0/16]\n    image: x:v1.36.3\n";
    let _made = world.fakes.get(CONTROL_PLANE).with("/etc/kubernetes/manifests/kube-apiserver.yaml", manifest);
    let refused = world.run().0.leaving(false, &[]).await.expect_err("it cannot be changed").to_string();
    for line in [
        "spec.kubernetes.version: the cluster has v1.36.3, the profile says v1.36.4",
        "spec.kubernetes.serviceSubnet: the cluster has 10.97.0.0/16, the profile says 10.96.0.0/16",
    ] {
        assert!(refused.contains(line), "{refused}");
    }
}
