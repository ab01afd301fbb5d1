//! A node that leaves with volumes that exist nowhere else.

use serde_json::json;

use super::super::leave::refuse_volumes;
use super::{FOREIGN, WORKER, World, step};
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
