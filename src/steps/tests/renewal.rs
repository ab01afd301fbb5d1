//! Certificates that end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::{CONTROL_PLANE, World, step};
use crate::cluster::pki::Pki;
use crate::engine::Actor;
use crate::graph::Check;
use crate::progress::Progress;
use crate::provider::fake::InMemory;

/// A certificate that ends in so many days.
pub fn ending_in(days: i64) -> String {
    Pki::generate().unwrap().ending_in(days)
}

/// What `kubeadm` does: it signs everything for a year.
pub fn signed(node: &InMemory) {
    let names = ["apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client"];
    for name in names.into_iter().chain(["etcd/server", "etcd/peer", "etcd/healthcheck-client"]) {
        let _kept = node.clone().with(&format!("/etc/kubernetes/pki/{name}.crt"), ending_in(365));
    }
}

#[tokio::test]
async fn a_control_plane_whose_certificates_end_gets_new_ones_and_starts_with_them() {
    let world = World::new().await;
    let set_up = step("control-plane", json!({"node": CONTROL_PLANE}));
    world.apply(&set_up).await;
    let node = world.fakes.get(CONTROL_PLANE);
    assert!(!node.asked.lock().unwrap().iter().any(|line| line.contains("certs renew")), "new ones are not renewed");
    let node = node.with("/etc/kubernetes/pki/apiserver.crt", ending_in(-1));
    node.asked.lock().unwrap().clear();
    world.apply(&set_up).await;
    assert_eq!(world.look(&set_up).await, Ok(Check::Satisfied));
    let asked = node.asked.lock().unwrap().clone();
    let at = |phrase: &str| asked.iter().position(|line| line.contains(phrase)).expect(phrase);
    assert!(asked[at("certs renew")].contains("rm -f etcd.yaml kube-apiserver.yaml"), "pods read them when they start");
    assert!(at("certs renew") < at("kubeadm init"), "which writes the manifests again");
}

/// In the cluster's own file and in the user's.
#[tokio::test]
async fn a_user_whose_certificate_ends_gets_a_new_one() {
    let world = World::new().await;
    let (own, user) = (world.folder.path().join("quick/kubeconfig"), world.folder.path().join("config"));
    let (run, write) = (|| world.run_merging(Some(user.clone())), step("kubeconfig", json!({})));
    let cluster = Pki::look(&world.fakes.get(CONTROL_PLANE)).await.known().unwrap().unwrap();
    for path in [&own, &user] {
        run().apply(&write, &Progress::silent()).await.unwrap();
        assert_eq!(run().check(&write).await.unwrap(), Check::Satisfied);
        let mut config = crate::yaml::documents(&std::fs::read_to_string(path).unwrap()).unwrap().remove(0);
        config["users"][0]["user"]["client-certificate-data"] = json!(BASE64.encode(cluster.ending_in(29)));
        std::fs::write(path, crate::yaml::to_string(&config).unwrap()).unwrap();
        let found = run().check(&write).await.unwrap();
        assert!(matches!(&found, Check::Needed(why) if why.contains("ends in 29 days")), "{found:?}");
    }
}
