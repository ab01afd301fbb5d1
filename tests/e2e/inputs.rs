//! Where node images come from, and input that is refused.

use std::process::Command;

use crate::world::{Registry, World, inventory, sh};

/// Nodes start from an image that is only in a registry, named by digest or by tag. Its storage class is written as in kind's
/// own images, with a namespace although that kind has none.
#[test]
fn node_images_come_from_a_registry() {
    let world = World::new();
    let registry = Registry::serve();
    let name = format!("127.0.0.1:{}/kindest/node", registry.port);
    let pushed = sh(&format!(
        "docker run --name e2e-image --entrypoint sed kindest/node:v1.36.4 -i \
           's/{{name: standard, /{{name: standard, namespace: kube-system, /' /kind/manifests/default-storage.yaml && \
         docker commit --change 'ENTRYPOINT [\"/usr/local/bin/entrypoint\", \"/sbin/init\"]' e2e-image {name}:v1 && \
         docker rm e2e-image && docker push -q {name}:v1 && docker rmi {name}:v1"
    ));
    let digest = sh(&format!(
        "curl -sI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
         http://127.0.0.1:{}/v2/kindest/node/manifests/v1 | tr -d '\\r' | awk 'tolower($1) == \"docker-content-digest:\" {{print $2}}'",
        registry.port
    ));
    assert!(digest.starts_with("sha256:"), "{digest}: {pushed}");
    let up = |image: &str, code: i32| {
        let set = format!("spec.provider.docker.image={image}");
        world.hearth(&["up", "-f", "profiles/minimal.yaml", "--name", "e2e-pull", "--yes", "--set", &set]).expect(code)
    };

    let absent = format!("{name}@sha256:{:064}", 0);
    assert!(up(&absent, 40).err.contains(&absent));
    world.hearth(&["down", "--name", "e2e-pull", "--yes"]).expect(0);
    world.nothing_is_left();

    for image in [format!("{name}@{digest}"), format!("{name}:v1")] {
        assert_eq!(sh(&format!("docker image inspect {image} 2>/dev/null")), "[]", "the engine lacks it");
        up(&image, 0);
        assert_eq!(sh("docker inspect e2e-pull-worker --format '{{.Config.Image}}'"), image);
        let class = "kubectl --kubeconfig /etc/kubernetes/admin.conf get storageclass standard -o jsonpath='{.provisioner}'";
        assert_eq!(sh(&format!("docker exec e2e-pull-control-plane {class}")), "rancher.io/local-path");
        assert!(up(&image, 0).out.contains("nothing changed"));
        world.hearth(&["status", "--name", "e2e-pull"]).expect(0);
        world.hearth(&["down", "--name", "e2e-pull", "--yes"]).expect(0);
        world.nothing_is_left();
        sh(&format!("docker rmi {image}"));
    }
}

#[test]
fn bad_input_costs_nothing() {
    let world = World::new();
    let up = |set: &[&str], code: i32, says: &str| {
        let args: Vec<&str> =
            ["up", "-f", "profiles/quick.yaml", "--name", "e2e-bad", "--yes"].iter().chain(set).copied().collect();
        let ran = world.hearth(&args).expect(code);
        assert!(ran.err.contains(says), "{says}: {}", ran.err);
        assert_eq!(inventory(), world.before);
        ran
    };
    up(&["--set", "spec.provider.docker.image=registry.invalid/nobody/node:v1"], 40, "registry.invalid/nobody/node:v1")
        .seen("e2e_40_image");
    up(&["--set", "spec.components.metallb.pool=10.1.2.3-10.1.2.9"], 10, "10.1.2.3-10.1.2.9");
    // without a network there was nothing to check the pool against before the run began
    world.hearth(&["down", "--name", "e2e-bad", "--yes"]).expect(0);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    up(&["--set", &format!("spec.provider.docker.apiPort={port}")], 20, &port.to_string());
    up(&["--kubeconfig", "/proc/config"], 20, "/proc/config");
    up(&["--bundle", "/nowhere"], 40, "/nowhere");
    up(&["--set", "spec.provider.docker.nodes.workers=0", "--set", "spec.components.workloads.was.replicas=0"], 10, "replicas");

    // a full disk, in a separate mount namespace
    let full = world.folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    let output = Command::new("unshare")
        .args([
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=64k none $1 && XDG_STATE_HOME=$1 exec $2 up -f profiles/quick.yaml --name e2e-bad --yes",
            "sh",
        ])
        .arg(&full)
        .arg(env!("CARGO_BIN_EXE_hearth"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("64 KiB are free"), "{said}");

    sh(
        "docker run -d --name e2e-foreign --label io.x-k8s.kind.cluster=e2e-bad --label io.x-k8s.kind.role=worker --entrypoint sleep kindest/node:v1.36.4 60",
    );
    let foreign = world.hearth(&["up", "-f", "profiles/quick.yaml", "--name", "e2e-bad", "--yes"]).expect(20);
    assert!(foreign.err.contains("e2e-foreign"), "{}", foreign.err);
    sh("docker rm -fv e2e-foreign");
    world.nothing_is_left();
}
