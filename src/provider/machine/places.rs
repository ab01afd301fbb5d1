//! Every place on a host that is written to, by Hearth or by the Kubernetes it installs: one list, shared by preflight, the
//! claim of a host, its stock and its clean-up. Scripts get it as shell variables.

use super::programs::PROGRAMS;

/// Where Hearth keeps its records on a host: the cluster, the stock, saved files, the programs that were installed.
pub const HOME: &str = "/var/lib/hearth";

/// The container runtime's configuration.
pub const CONTAINERD_CONFIG: &str = "/etc/containerd/config.toml";
/// The container runtime's unit.
pub const CONTAINERD_UNIT: &str = "/etc/systemd/system/containerd.service";
/// The kubelet's unit.
pub const KUBELET_UNIT: &str = "/etc/systemd/system/kubelet.service";
/// Settings of the kernel.
pub const SYSCTL: &str = "/etc/sysctl.d/90-hearth.conf";
/// Where crictl finds the container runtime.
pub const CRICTL: &str = "/etc/crictl.yaml";

/// Files that Hearth writes. What was there before is saved by the claim, and restored by the clean-up.
const FILES: &[&str] = &[
    CONTAINERD_CONFIG,
    CONTAINERD_UNIT,
    KUBELET_UNIT,
    SYSCTL,
    CRICTL,
    "/etc/systemd/system/multi-user.target.wants/containerd.service",
    "/etc/systemd/system/multi-user.target.wants/kubelet.service",
    // the pod network's (crate::cluster::routed)
    "/etc/cni/net.d/10-hearth.conflist",
    "/etc/systemd/system/hearth-routes.service",
    "/etc/systemd/system/multi-user.target.wants/hearth-routes.service",
    "/etc/systemd/networkd.conf.d/90-hearth.conf",
];

/// Folders that the cluster fills. A host on which one of them is not empty is refused, so that whatever is in them later
/// belongs to the cluster.
const DATA: &[&str] = &[
    "/etc/kubernetes",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/lib/containerd",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/var/local-path-provisioner",
    "/usr/libexec/kubernetes",
    "/usr/local/lib/hearth",
    "/kind",
];

/// What the cluster makes and a reboot removes. A folder that was there before is left alone.
const VOLATILE: &[&str] = &["/run/containerd", "/run/cni-ipam-state", "/run/kubernetes", "/run/nri", "/run/hearth-names"];

/// Folders that are made for files, inner ones first. They are removed if they are empty and were not there before.
const FOLDERS: &[&str] = &[
    "/etc/containerd",
    "/etc/cni/net.d",
    "/etc/cni",
    "/opt/cni/bin",
    "/opt/cni",
    "/opt/containerd/bin",
    "/opt/containerd/lib",
    "/opt/containerd",
    "/etc/systemd/system/multi-user.target.wants",
    "/etc/systemd/networkd.conf.d",
];

/// Kernel settings, with the value that Hearth, the kubelet (pkg/kubelet/cm `setupKernelTunables`) or kube-proxy
/// (cmd/kube-proxy/app `setupConntrack`; pkg/proxy/iptables) sets. A setting that still has this value at the end gets back the
/// one from before.
const SETTINGS: &[&str] = &[
    "net.ipv4.ip_forward=1",
    "fs.inotify.max_user_instances=1024",
    "net.ipv4.conf.all.route_localnet=1",
    "vm.overcommit_memory=1",
    "vm.panic_on_oom=0",
    "kernel.panic=10",
    "kernel.panic_on_oops=1",
    "kernel.keys.root_maxkeys=1000000",
    "kernel.keys.root_maxbytes=25000000",
    "net.netfilter.nf_conntrack_tcp_timeout_established=86400",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait=3600",
];

/// The list as shell variables: `$FILES`, `$PROGRAMS`, `$DATA`, `$VOLATILE`, `$FOLDERS`, `$SETTINGS`; no name contains a blank.
pub(super) fn shell() -> String {
    let programs: Vec<String> = PROGRAMS.iter().map(|program| program.path()).collect();
    let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
    let variable = |(name, list): (&str, &[&str])| format!("{name}='{}'\n", list.join(" "));
    let lists: [(&str, &[&str]); 6] = [
        ("FILES", FILES),
        ("PROGRAMS", &programs),
        ("DATA", DATA),
        ("VOLATILE", VOLATILE),
        ("FOLDERS", FOLDERS),
        ("SETTINGS", SETTINGS),
    ];
    lists.into_iter().map(variable).collect()
}

/// True when a setting has the value that the cluster sets; `state` is its state in a stock, such as `= 1`.
pub(super) fn is_ours(name: &str, state: &str) -> bool {
    let value = state.trim_start_matches("= ");
    SETTINGS.iter().any(|setting| setting.split_once('=') == Some((name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_every_list_as_words() {
        let script =
            shell() + "for path in $FILES $PROGRAMS $DATA $VOLATILE $FOLDERS; do echo $path; done; echo $SETTINGS | wc -w\n";
        let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let paths = FILES.len() + PROGRAMS.len() + DATA.len() + VOLATILE.len() + FOLDERS.len();
        assert_eq!((lines.len(), lines[paths].trim()), (paths + 1, &*SETTINGS.len().to_string()));
        assert!(lines[..paths].iter().all(|path| path.starts_with('/')), "{text}");
    }
}
