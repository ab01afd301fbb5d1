//! Findings about hosts, from made-up facts.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::super::{Findings, on_machines};
use crate::error::{Explain, Family};
use crate::profile::{Provider, Role, Source, load};
use crate::provider::{self, Node};

/// A node that answers every command with the same text.
#[derive(Clone)]
struct Told {
    name: String,
    address: std::net::Ipv4Addr,
    answer: String,
}

impl Node for Told {
    fn name(&self) -> &str {
        &self.name
    }
    fn role(&self) -> Role {
        Role::Worker
    }
    fn address(&self) -> std::net::Ipv4Addr {
        self.address
    }
    async fn exec(&self, _: provider::Command) -> Result<provider::Output, provider::NodeError> {
        Ok(provider::Output { stdout: self.answer.clone().into_bytes(), ..Default::default() })
    }
    async fn put(&self, _: Vec<provider::FileSpec>) -> Result<(), provider::NodeError> {
        unreachable!("preflight changes nothing")
    }
}

/// A host without trouble.
fn host(number: u8) -> Told {
    let answer = format!(
        "os=debian 12\narch=x86_64\nkernel=6.1.0\nuid=0\ninit=systemd\nhostname=h{number}\nmachine-id={number}\ncgroup=2\n\
         capabilities=000001ffffffffff\nmemory=4194304\ndisk=41943040\nprograms-disk=41943040\naddress=192.168.1.{number}/24\n\
         gateway=192.168.1.254\nnameserver=192.168.1.254\nport=22\ninotify=8192\n"
    );
    Told { name: format!("n{number}"), address: [192, 168, 1, number].into(), answer }
}

/// Findings about these hosts, the first of them the control plane; `told` is put before the second one's answer.
async fn hosts_found(count: u8, told: &str) -> Findings {
    let mut nodes: Vec<Told> = (1..=count).map(host).collect();
    nodes[1].answer = format!("{told}{}", nodes[1].answer);
    let list: Vec<String> = nodes
        .iter()
        .map(|n| {
            format!(
                "{{name: {}, address: {}, role: {}}}",
                n.name,
                n.address,
                if n.name == "n1" { "control-plane" } else { "worker" }
            )
        })
        .collect();
    let text = format!(
        "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {{name: lab}}\nspec:\n  kubernetes: {{podSubnet: 10.200.0.0/16}}\n  \
         provider: {{ssh: {{user: root, hostKeys: tofu, hosts: [{}]}}}}\n",
        list.join(", ")
    );
    let profile = load(&[Source::Stdin(text)], &[]).expect("valid");
    let mut facts = Vec::new();
    for node in &nodes {
        facts.push(provider::machine::facts::gather(node, &profile).await.expect("answers"));
    }
    let hosts = match &profile.provider {
        Provider::Ssh(hosts) => hosts,
        Provider::Docker(_) => panic!("the profile is of hosts"),
    };
    Findings::new(on_machines(&profile, hosts, &(facts, Vec::new()), &[], None))
}

#[tokio::test]
async fn hosts_without_trouble_are_found_so_and_many_of_them_quickly() {
    let started = Instant::now();
    let findings = hosts_found(25, "").await;
    assert!(findings.is_empty(), "{findings}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_wrong_with_hosts_is_told_all_at_once() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let told = format!(
        "time={}\nuid=1000\nmachine-id=1\ndisk=1048576\ncluster=other\nport=10250\nruns=docker\nunreachable=192.168.1.3\nlacks=flock\n",
        now + 300.0
    );
    let findings = hosts_found(3, &told).await;
    let refused = findings.into_result().expect_err("errors");
    assert_eq!(refused.family(), Family::Preflight);
    assert_snapshot!(refused, @r"
    nothing was changed: the profile cannot be brought up here
    ✗ host-not-root  Commands do not run with root's rights
        seen: n2: `id -u` is not 0
        fix:  log in as root, or as a user with sudo; HEARTH_SUDO_PASSWORD is its password if sudo asks for one
    ✗ host-programs  Programs that nodes need are missing
        seen: n2: flock
        fix:  install them: apt install iproute2 iptables util-linux procps coreutils tar
    ✗ host-foreign-cluster  A host is part of another cluster
        seen: n2: cluster `other` of Hearth's
        fix:  `hearth down --name OTHER` if it is Hearth's, or on the host `sh /var/lib/hearth/release`; else take it out of there (`kubeadm reset`)
    ✗ host-machine-id  Hosts have the same machine id: they are copies of one image, or one machine
        seen: n1: 1
              n2: 1
        fix:  on each but one: rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup, then reboot
    ✗ host-unreachable-peer  Hosts do not reach each other
        seen: n2: does not reach 192.168.1.3
        fix:  look at cables, firewalls and addresses: every host must reach every other
    ✗ host-clock  Clocks differ
        seen: n2: +300 s from the others
        fix:  timedatectl set-ntp true on every host, and wait until `timedatectl` says synchronized
    ✗ host-disk  There is too little disk space
        seen: n2: 1.0 GiB free in /var/lib
        fix:  `df -h` and `du -xh --max-depth=2 /var` show what takes it up
    ");
}

/// Each of these facts on the second host, with what is found.
#[tokio::test]
async fn what_a_cluster_would_trip_over_is_found_beforehand() {
    for (told, id, seen) in [
        ("filled=/var/lib/etcd\nfilled=/var/lib/cni\n", "host-data", "n2: /var/lib/etcd, /var/lib/cni"),
        ("stands=/etc/crictl.yaml\n", "host-files", "n2: /etc/crictl.yaml"),
        ("cni=/etc/cni/net.d/10-calico.conflist\n", "host-cni", "n2: /etc/cni/net.d/10-calico.conflist"),
        ("no-kmsg=1\n", "host-no-kmsg", "n2: /dev/kmsg cannot be opened"),
        ("read-only=/usr/local/bin\n", "host-read-only", "n2: /usr/local/bin"),
        ("blocked=192.168.1.1:6443\nfirewall=ufw\n", "host-firewall", "n2: nothing comes back from 192.168.1.1:6443; ufw runs"),
        ("forward-dropped=1\n", "host-firewall", "n2: chain FORWARD drops what goes to and from pods"),
        ("firewall=firewalld\n", "host-firewall-active", "n2: firewalld"),
        (
            "network=s0 10.96.5.0/24\n",
            "host-subnets",
            "n2: s0 has 10.96.5.0/24, which is in the subnet of services, 10.96.0.0/16",
        ),
        (
            "network=wg0 10.200.0.0/15\n",
            "host-subnets",
            "n2: wg0 has 10.200.0.0/15, which is in the subnet of pods, 10.200.0.0/16",
        ),
    ] {
        let findings = hosts_found(3, told).await;
        let found: Vec<(&str, &str)> = findings.iter().map(|one| (one.id, one.evidence.as_str())).collect();
        assert_eq!(found, [(id, seen)], "{told}");
    }
    for harmless in [
        "network=eth0 192.168.1.0/24\n",
        "cni=/etc/cni/net.d/87-podman-bridge.conflist\n",
        "port=9120\n",
        // what a host of the cluster has because of the cluster
        "cluster=lab\nfilled=/etc/kubernetes\nstands=/etc/crictl.yaml\nport=10250\nnetwork=eth0 10.200.1.0/24\n",
    ] {
        let findings = hosts_found(3, harmless).await;
        assert!(findings.is_empty(), "{harmless}: {findings}");
    }
}

/// Whoever has an address that MetalLB announces and the cluster would answer in turns.
#[test]
fn a_pool_of_which_others_have_addresses_is_refused() {
    let profile = load(&[Source::File("profiles/homelab.yaml".into())], &[]).expect("valid");
    let Provider::Ssh(hosts) = &profile.provider else { panic!("the profile is of hosts") };
    let taken: [std::net::Ipv4Addr; 2] = [[172, 30, 0, 200].into(), [172, 30, 0, 203].into()];
    let mut facts = provider::machine::facts::Facts { node: "n1".into(), others_in_pool: taken.to_vec(), ..Default::default() };
    let found = |facts: &provider::machine::facts::Facts| {
        let all = super::all(std::slice::from_ref(facts), &profile, hosts);
        all.into_iter().find(|finding| finding.id == "host-pool")
    };
    let finding = found(&facts).expect("refused");
    assert_eq!((finding.family, finding.severity), (Family::Preflight, super::super::Severity::Error));
    assert_eq!(finding.evidence, "n1: finds 172.30.0.200, 172.30.0.203");
    facts.others_in_pool.clear();
    assert_eq!(found(&facts), None);
}

#[test]
fn ports_of_metallb_are_those_that_its_template_gives_it() {
    let template = include_str!("../../../templates/metallb/controller.yaml");
    let (_, speaker) = template.split_once("kind: DaemonSet").expect("the speaker");
    let numbers = ["ort: ", "--port="].into_iter().flat_map(|mark| speaker.split(mark).skip(1));
    let ports: std::collections::BTreeSet<u16> =
        numbers.filter_map(|text| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect();
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), super::METALLB_PORTS);
}
