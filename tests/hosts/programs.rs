//! Where programs for hosts come from, and who may log in.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::world::{World, eventually, get, sh};
use crate::{bare_hosts, forget_users, on, profile, stock, unchanged};

/// A bundle without Kubernetes' own programs and without runc, and a server that publishes these as their projects do; returns
/// the folder and the server's address.
fn published(world: &World) -> (PathBuf, String, Child) {
    let bundle = PathBuf::from(std::env::var("HEARTH_BUNDLE").expect("a bundle has what is published here"));
    let (without, site) = (world.folder.path().join("bundle"), world.folder.path().join("site"));
    std::fs::create_dir(&without).unwrap();
    for part in ["images", "manifests"] {
        std::os::unix::fs::symlink(bundle.join(part), without.join(part)).unwrap();
    }
    sh(&format!(
        "set -e; bin={}; without={}; site={}; k8s=$site/dl.k8s.io/release/v1.36.4/bin/linux/amd64
         mkdir -p $without/bin $k8s
         for f in containerd containerd-shim-runc-v2 ctr ptp host-local portmap loopback crictl; do ln -s $bin/$f $without/bin/$f; done
         d=$site/github.com/opencontainers/runc/releases/download/v1.4.3; mkdir -p $d; cp $bin/runc $d/runc.amd64; echo >>$d/runc.amd64
         (cd $d; sha256sum runc.amd64 > runc.sha256sum)
         cp $bin/kubeadm $bin/kubelet $bin/kubectl $k8s
         (cd $k8s; for f in *; do sha256sum $f | cut -d' ' -f1 | tr -d '\\n' > $f.sha256; done)",
        bundle.join("bin").display(),
        without.display(),
        site.display()
    ));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = ["-m", "http.server", "--bind", "127.0.0.1", "--directory", site.to_str().unwrap(), &port.to_string()];
    let server = Command::new("python3").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = format!("http://127.0.0.1:{port}");
    eventually("the server answers", Duration::from_secs(10), || get(&address).0 == 200);
    (without, address, server)
}

/// Programs are downloaded from their projects if no bundle has them; the login uses a password, and sudo asks for one.
#[test]
fn programs_are_downloaded_and_a_user_with_sudo_is_enough() {
    let (world, before) = bare_hosts();
    let plain = profile(&world, "plain", 2);
    let (bundle, mirror, mut server) = published(&world);
    let password = "corr ect 'horse";
    for host in 1..=2 {
        on(host, &format!("useradd -m -G sudo ops && echo \"ops:{password}\" | chpasswd"));
    }
    let with_users = stock();
    let text = std::fs::read_to_string(&plain).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("identityFile")).collect();
    std::fs::write(&plain, lines.join("\n").replace("user: root", "user: ops")).unwrap();
    let run = |args: &[&str], secret: &str| {
        let mut command = world.command(args);
        command.env("HEARTH_BUNDLE", &bundle).env("HEARTH_MIRROR", &mirror).env_remove("SSH_AUTH_SOCK");
        command.env("XDG_CACHE_HOME", world.folder.path().join("cache"));
        command.env("HEARTH_SSH_PASSWORD", secret).env("HEARTH_SUDO_PASSWORD", secret);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let up = ["up", "-f", plain.as_str(), "--yes"];
    let (code, said) = run(&up, "wrong");
    assert_eq!(code, Some(50), "{said}");
    assert!(!said.contains("wrong") && said.contains("n1") && said.contains("n2"), "{said}");
    unchanged(&stock(), &with_users);

    // a release other than the pinned one never reaches a host, even if its server vouches for it
    let (code, said) = run(&up, password);
    assert_eq!(code, Some(40), "{said}");
    let pinned = "expected f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60";
    assert!(said.contains("runc.amd64 has sha256") && said.contains(pinned), "{said}");
    assert_eq!(on(1, "ls /usr/local/sbin"), "");
    std::os::unix::fs::symlink(PathBuf::from(std::env::var("HEARTH_BUNDLE").unwrap()).join("bin/runc"), bundle.join("bin/runc"))
        .unwrap();
    // nor does a program of Kubernetes that does not match its published checksum
    let kubelet = world.folder.path().join("site/dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet.sha256");
    let right = std::fs::read_to_string(&kubelet).unwrap();
    std::fs::write(&kubelet, "0".repeat(64)).unwrap();
    let (code, said) = run(&up, password);
    assert_eq!(code, Some(40), "{said}");
    assert!(said.contains("kubelet has sha256"), "{said}");
    std::fs::write(&kubelet, right).unwrap();

    // files in the cache are verified too
    let url = "https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet";
    let place = sh(&format!("printf %s {url} | sha256sum | cut -c1-16"));
    let damaged = world.folder.path().join("cache/hearth/programs").join(place).join("kubelet");
    std::fs::create_dir_all(damaged.parent().unwrap()).unwrap();
    std::fs::write(&damaged, "cut").unwrap();
    std::fs::write(damaged.with_extension("sha256"), "0".repeat(64)).unwrap();
    let (code, said) = run(&up, password);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(password), "{said}");
    let (code, said) = run(&["status", "-f", &plain], password);
    assert_eq!(code, Some(0), "{said}");
    // with everything in the cache no server is needed, and the password is on no command line
    server.kill().unwrap();
    server.wait().unwrap();
    let (code, said) = run(&up, password);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["down", "-f", &plain, "--yes"], password);
    assert_eq!(code, Some(0), "{said}");
    unchanged(&stock(), &with_users);
    forget_users("ops", &before);
    world.nothing_is_left();
}
