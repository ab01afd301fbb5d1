//! Things on the hosts that belong to others.

use crate::{bare_hosts, on, profile, stock, unchanged};

/// Hosts with data of others are refused. Anything else that others have, or do while the cluster exists, is still there
/// afterwards.
#[test]
fn what_is_not_ours_is_not_touched() {
    let (world, before) = bare_hosts();
    let plain = profile(&world, "plain", 3);
    let up = ["up", "-f", &plain, "--yes"];

    on(
        2,
        "mkdir -p /var/lib/etcd/default /var/lib/containerd/mine && echo data | tee /var/lib/etcd/default/db /var/lib/containerd/mine/x",
    );
    let refused = world.hearth(&up).expect(20);
    assert!(
        refused.err.contains("host-data") && refused.err.contains("n2: /var/lib/etcd, /var/lib/containerd"),
        "{}",
        refused.err
    );
    assert_eq!(
        on(2, "cat /var/lib/etcd/default/db /var/lib/containerd/mine/x; ls -d /var/lib/hearth*"),
        "data\ndata\nls: cannot access '/var/lib/hearth*': No such file or directory"
    );
    on(2, "rm -r /var/lib/etcd /var/lib/containerd");
    unchanged(&stock(), &before);

    // files where the cluster's own go, and an empty folder as mkfs leaves it; where mounts are not shared, as on n2 and on any
    // restarted container, the kubelet mounts its folder onto itself, and what others mount there is inside that mount
    on(3, "mount --make-rshared /");
    on(
        2,
        "mount --make-rprivate /; mkdir -p /etc/containerd /opt/cni/bin /var/lib/kubelet/lost+found /root/precious; echo gold >/root/precious/f
         echo '# mine' | tee /etc/containerd/config.toml /etc/crictl.yaml /opt/cni/bin/ptp >/usr/local/bin/ctr
         chmod 711 /usr/local/bin/ctr; ln -s /bin/true /usr/local/bin/kubectl",
    );
    let mine = stock();
    world.hearth(&up).expect(0);
    // another cluster has the host by now
    let theirs = "cd /var/lib/hearth; echo other >cluster; sh release; echo $?; systemctl is-active kubelet; cat cluster; ls release; echo e2e-hosts >cluster";
    assert_eq!(on(3, theirs), "76\nactive\nother\nrelease");
    assert!(on(2, "ctr --version").contains("containerd"), "ours is in place");
    assert_eq!(on(2, "grep -c ' /var/lib/kubelet ' /proc/self/mountinfo"), "1", "the kubelet has mounted it");
    on(
        3,
        "mkdir -p '/var/lib/kubelet/my data' /root/precious; echo gold >/root/precious/f; mount --bind /root/precious '/var/lib/kubelet/my data'",
    );
    on(
        2,
        "mkdir -p '/var/lib/kubelet/my data' /var/lib/containerd/disk /var/lib/cni/networks/podman /opt/stacks
         mount --bind /root/precious '/var/lib/kubelet/my data'; mount --bind /root/precious /var/lib/containerd/disk
         for chain in CNI-podman1 CNI-HOSTPORT-DNAT CNI-DN-theirs CNI-DN-ours; do iptables -t nat -N $chain; done
         iptables -t nat -A POSTROUTING -m comment --comment 'name: \"podman\" id: \"x\"' -j CNI-podman1
         iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment 'dnat name: \"podman\" id: \"y\"' -j CNI-DN-theirs
         iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment 'dnat name: \"hearth\" id: \"z\"' -j CNI-DN-ours
         iptables -t nat -A OUTPUT -m comment --comment hearthstone -d 192.0.2.1 -j ACCEPT
         mkdir -p /run/netns; touch /run/netns/cni-hidden; unshare --net mount --bind /proc/self/ns/net /run/netns/cni-hidden
         ip netns add cni-podman; ip link add vethpod type veth peer name eth9 netns cni-podman
         ip -n cni-podman address add 10.88.0.2/16 dev eth9
         echo x >>/etc/motd; touch /usr/local/bin/tool; truncate -s 20G /opt/stacks/big; ip link add d0 type bridge
         ip route add 198.51.100.0/24 via 172.30.0.1
         printf '#!/bin/sh\n' >/usr/local/bin/kubelet.new; chmod 755 /usr/local/bin/kubelet.new; mv /usr/local/bin/kubelet.new /usr/local/bin/kubelet",
    );
    let down = world.hearth(&["down", "-f", &plain, "--yes"]).expect(0);
    for kept in [
        "n2: /var/lib/kubelet/my data is mounted",
        "n2: /var/lib/containerd/disk is mounted",
        "n2: /usr/local/bin/kubelet is not the program that was installed",
        "n3: /var/lib/kubelet/my data is mounted",
    ] {
        assert!(down.out.contains(kept), "{kept}: {}", down.out);
    }
    let still = "cat '/var/lib/kubelet/my data/f'; ls -A /var/lib/kubelet; umount '/var/lib/kubelet/my data'; rm -r /var/lib/kubelet /root/precious";
    assert_eq!(on(3, still), "gold\nmy data");
    assert_eq!(
        on(2, "cat /root/precious/f '/var/lib/kubelet/my data/f' /var/lib/containerd/disk/f /usr/local/bin/ctr"),
        "gold\ngold\ngold\n# mine"
    );
    assert_eq!(
        on(2, "stat -c %a /usr/local/bin/ctr; readlink /usr/local/bin/kubectl; ls -A /var/lib/kubelet"),
        "711\n/bin/true\nlost+found\nmy data"
    );
    let after = stock();
    let only = |one: &[String], other: &[String]| one.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>();
    assert_eq!(only(&mine[1], &after[1]).len(), 1, "only /etc/motd is another: {:?}", only(&mine[1], &after[1]));
    let come = only(&after[1], &mine[1]).join("\n");
    for theirs in [
        "/etc/motd",
        "/opt/stacks/big",
        "/usr/local/bin/tool",
        "/usr/local/bin/kubelet",
        "CNI-podman1",
        "CNI-DN-theirs",
        "hearthstone",
        "d0",
        "cni-podman",
        "198.51.100.0/24",
        "/var/lib/containerd/disk",
    ] {
        assert!(come.contains(theirs), "{theirs} is gone: {come}");
    }
    for ours in ["KUBE-", "CNI-DN-ours", "name: \\\"hearth", "unreachable", "kubepods", "containerd/config.toml", "sysctl"] {
        assert!(!come.contains(ours), "{ours} is left: {come}");
    }
    for (after, mine) in [(&after[0], &mine[0]), (&after[2], &mine[2])] {
        assert_eq!(after, mine);
    }
    // undo what this test did
    on(
        2,
        "umount '/var/lib/kubelet/my data' /var/lib/kubelet /var/lib/containerd/disk; mount --make-rshared /; ip link delete d0; ip netns delete cni-podman; ip link delete vethpod
         ip route delete 198.51.100.0/24; iptables -t nat -F POSTROUTING; iptables -t nat -F OUTPUT
         for chain in CNI-podman1 CNI-HOSTPORT-DNAT CNI-DN-theirs; do iptables -t nat -F $chain; done
         for chain in CNI-podman1 CNI-HOSTPORT-DNAT CNI-DN-theirs; do iptables -t nat -X $chain; done; sed -i '$d' /etc/motd; umount /run/netns
         rm -rf /var/lib/kubelet /var/lib/containerd /var/lib/cni /root/precious /opt/cni /opt/stacks /etc/containerd /etc/crictl.yaml
         cd /usr/local/bin && rm -f tool kubelet ctr kubectl",
    );
    unchanged(&stock(), &before);
    world.nothing_is_left();
}
