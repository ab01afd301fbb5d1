//! kind and Hearth side by side.

use crate::world::{World, sh};

/// kind's own CLI, from PATH or the bundle.
pub fn kind(args: &str) -> String {
    let bundle = std::env::var("HEARTH_BUNDLE").unwrap_or_default();
    sh(&format!("PATH=$PATH:{bundle}/bin; d=$(mktemp -d); KUBECONFIG=$d/config kind {args} 2>&1; rm -rf $d"))
}

/// Hearth notices what kind removes.
#[test]
fn kind_deletes_our_cluster() {
    let world = World::new();
    world.hearth(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-kind", "--yes"]).expect(0);
    let said = kind("delete cluster --name e2e-kind");
    assert_eq!(sh("docker ps -aq --filter label=io.x-k8s.kind.cluster=e2e-kind"), "", "{said}");
    world.hearth(&["status", "--name", "e2e-kind"]).expect(20);
    world.hearth(&["down", "--name", "e2e-kind", "--yes"]).expect(0);
    world.nothing_is_left();
}
