//! Hosts that cannot be used.

use crate::{address, bare_hosts, forget_users, on, profile, sh};

/// Hosts that cannot be used are refused before anything is changed, each for its own reason.
#[test]
fn unfit_hosts_are_refused_untouched() {
    let (world, before) = bare_hosts();
    let plain = profile(&world, "plain", 3);
    let refused = |set: &[&str], code: i32, says: &[&str]| {
        let args: Vec<&str> = ["up", "-f", &plain, "--yes"].iter().chain(set).copied().collect();
        let ran = world.hearth(&args).expect(code);
        for text in says {
            assert!(ran.err.contains(text), "{text}: {}", ran.err);
        }
    };
    // several problems at once: clock, ports and a foreign cluster
    on(
        2,
        "printf '#!/bin/sh\nexec /bin/date -d \"+300 seconds\" \"$@\"\n' > /usr/local/bin/date && chmod 755 /usr/local/bin/date",
    );
    on(3, "mkdir -p /etc/kubernetes && touch /etc/kubernetes/kubelet.conf");
    on(1, "systemd-run --quiet --collect --unit=squatter socat TCP-LISTEN:6443,fork,reuseaddr EXEC:cat; sleep 0.5");
    refused(
        &[],
        20,
        &["host-clock", "n2: +300 s", "host-foreign-cluster", "n3: /etc/kubernetes/kubelet.conf", "host-ports", "n1: 6443"],
    );
    on(2, "rm /usr/local/bin/date");
    on(3, "rm -r /etc/kubernetes");
    on(1, "systemctl stop squatter");
    // another pod network's settings, a subnet in use, no kernel log, firewalls
    on(
        2,
        "mkdir -p /etc/cni/net.d; touch /etc/cni/net.d/10-calico.conflist; ip link add s0 type bridge; ip address add 10.96.5.2/24 dev s0
         umount /dev/kmsg || rm /dev/kmsg",
    );
    on(3, "iptables -P FORWARD DROP; iptables -A INPUT -p tcp --dport 10250 -j DROP");
    let kept_out = format!("nothing comes back from {}:10250", address(3));
    let says = ["host-cni", "n2: /etc/cni/net.d/10-calico.conflist", "host-subnets", "s0", "host-no-kmsg", "host-firewall"];
    refused(&[], 20, &[&says[..], &[&kept_out, "n3: chain FORWARD drops"]].concat());
    on(2, "rm -r /etc/cni; ip link delete s0; [ -e /dev/kmsg ] || mknod /dev/kmsg c 1 11");
    on(3, "nft delete table ip filter");
    // a full disk where programs are installed
    on(2, "mount -t tmpfs -o size=50m none /usr/local/bin");
    refused(&[], 20, &["host-disk", "n2:"]);
    on(2, "umount /usr/local/bin");
    // a user without rights
    let keys = world.folder.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    sh(&format!("ssh-keygen -q -t ed25519 -N '' -f {}/other", keys.display()));
    let other = keys.join("other").to_str().unwrap().to_owned();
    let public = std::fs::read_to_string(format!("{other}.pub")).unwrap();
    for host in 1..=3 {
        on(
            host,
            &format!(
                "useradd -m plain && mkdir -p ~plain/.ssh && echo '{}' > ~plain/.ssh/authorized_keys && chown -R plain ~plain",
                public.trim()
            ),
        );
    }
    let identity = format!("spec.provider.ssh.identityFile={other}");
    refused(&["--set", "spec.provider.ssh.user=plain", "--set", &identity], 50, &["n1", "n2", "n3", "sudo"]);
    // a key that no host accepts
    refused(&["--set", &identity], 50, &["n1", "n2", "n3"]);
    // a host key other than the one seen first
    on(
        2,
        "mv /etc/ssh/ssh_host_ed25519_key /tmp/kept && mv /etc/ssh/ssh_host_ed25519_key.pub /tmp/kept.pub && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key && systemctl restart ssh",
    );
    refused(&[], 50, &["n2", "SHA256:", "ssh-keygen -R"]);
    on(
        2,
        "mv /tmp/kept /etc/ssh/ssh_host_ed25519_key && mv /tmp/kept.pub /etc/ssh/ssh_host_ed25519_key.pub && systemctl restart ssh",
    );
    forget_users("plain", &before);
}
