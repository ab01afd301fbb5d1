//! What makes a host a node: programs, configuration of the container runtime, units. Everything is listed here once, so
//! that what is installed, checked and removed is the same.

use std::time::Duration;

use super::{HOME, file, script};
use crate::profile::Role;
use crate::provider::{Command, FileSpec, Node, NodeError, SHA256};

/// A program that is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its name in a bundle's `bin/`.
    pub name: &'static str,
    /// Where it goes.
    pub folder: &'static str,
    /// Which nodes need it.
    pub on: On,
}

/// Where and when a program is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// On every node, before it starts.
    Every,
    /// On control planes, before they start.
    ControlPlane,
    /// On control planes, by people: nothing waits for it.
    Later,
}

const fn program(name: &'static str, folder: &'static str, on: On) -> Program {
    Program { name, folder, on }
}

/// Every program, in the order of their need.
pub const PROGRAMS: [Program; 12] = [
    program("containerd", "/usr/local/bin", On::Every),
    program("containerd-shim-runc-v2", "/usr/local/bin", On::Every),
    program("ctr", "/usr/local/bin", On::Every),
    program("runc", "/usr/local/sbin", On::Every),
    program("kubeadm", "/usr/local/bin", On::ControlPlane),
    program("kubelet", "/usr/local/bin", On::Every),
    program("ptp", "/opt/cni/bin", On::Every),
    program("host-local", "/opt/cni/bin", On::Every),
    program("portmap", "/opt/cni/bin", On::Every),
    program("loopback", "/opt/cni/bin", On::Every),
    program("crictl", "/usr/local/bin", On::Later),
    program("kubectl", "/usr/local/bin", On::Later),
];

impl Program {
    /// Its full path on the host.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }

    /// True when a node cannot start without it.
    pub fn starts(&self, role: Role) -> bool {
        self.on == On::Every || (self.on == On::ControlPlane && role == Role::ControlPlane)
    }
}

/// What differs between hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Containers cannot have their OOM score lowered.
    pub withholds_sys_resource: bool,
    /// It has no more than [`INOTIFY`] inotify instances for each user.
    pub few_inotify: bool,
}

/// inotify instances that a node gets at least: kubelet, runtime and pods of root share them.
pub const INOTIFY: u64 = 1024;

/// The files of a host, but for programs. `pause` is the image that holds a pod's network namespace.
pub fn files(pause: &str, quirks: Quirks) -> Vec<FileSpec> {
    let oom = if quirks.withholds_sys_resource { "" } else { "OOMScoreAdjust=-999\n" };
    let containerd = format!(
        "# Written by Hearth.\nversion = 3\n\
         [plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = '{pause}'\n\
         [plugins.'io.containerd.cri.v1.runtime']\nrestrict_oom_score_adj = {}\n\
         [plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/opt/cni/bin']\nconf_dir = '/etc/cni/net.d'\n\
         [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n\
         [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n\
         SystemdCgroup = true\nBinaryName = '/usr/local/sbin/runc'\n",
        quirks.withholds_sys_resource
    );
    let containerd_unit = format!(
        "[Unit]\nDescription=Container runtime (Hearth)\nAfter=network.target local-fs.target\n\n\
         [Service]\nType=notify\nEnvironment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         ExecStartPre=-/sbin/modprobe overlay\nExecStart=/usr/local/bin/containerd\n\
         Delegate=yes\nKillMode=process\nRestart=always\nRestartSec=1\n\
         LimitNPROC=infinity\nLimitNOFILE=1048576\nTasksMax=infinity\n{oom}\n[Install]\nWantedBy=multi-user.target\n"
    );
    // (kubernetes/release, packages `kubelet.service` and `10-kubeadm.conf`)
    let kubelet_unit = "[Unit]\nDescription=kubelet (Hearth)\nAfter=containerd.service network-online.target\n\
         Wants=containerd.service network-online.target\nStartLimitIntervalSec=0\nConditionPathExists=/var/lib/kubelet/config.yaml\n\n\
         [Service]\nEnvironment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n\
         ExecStart=/usr/local/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
         --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS\n\
         Restart=always\nRestartSec=1\n\n[Install]\nWantedBy=multi-user.target\n"
        .to_owned();
    let mut sysctl = "# Written by Hearth.\nnet.ipv4.ip_forward = 1\n".to_owned();
    if quirks.few_inotify {
        sysctl.push_str(&format!("fs.inotify.max_user_instances = {INOTIFY}\n"));
    }
    let crictl = "runtime-endpoint: unix:///run/containerd/containerd.sock\n".to_owned();
    let programs: String = PROGRAMS.iter().map(|program| program.path() + "\n").collect();
    let public = |path: &str, text: String| FileSpec { mode: 0o644, ..file(path, text) };
    vec![
        public("/etc/containerd/config.toml", containerd),
        public("/etc/systemd/system/containerd.service", containerd_unit),
        public("/etc/systemd/system/kubelet.service", kubelet_unit),
        public("/etc/sysctl.d/90-hearth.conf", sysctl),
        public("/etc/crictl.yaml", crictl),
        file(&format!("{HOME}/programs"), programs),
    ]
}

/// True when the host has these very files and its container runtime runs.
pub async fn is_configured(node: &impl Node, files: &[FileSpec]) -> Result<bool, NodeError> {
    let wanted: Vec<u8> = files.iter().flat_map(|file| file.bytes.clone()).collect();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let look = format!("cat {} && systemctl is-active --quiet containerd", paths.join(" "));
    let output = node.exec(Command::shell(look)).await?;
    Ok(output.success() && output.stdout == wanted)
}

/// Writes the files, applies settings, and starts the container runtime; programs must be there.
pub async fn configure(node: &impl Node, files: Vec<FileSpec>) -> Result<(), NodeError> {
    node.put(files).await?;
    // settings of the kernel that a host may not change are those of the machine around it
    const START: &str = "sysctl -q --load=/etc/sysctl.d/90-hearth.conf 2>/dev/null || true\n\
         mkdir -p /etc/kubernetes/manifests\nsystemctl daemon-reload\nsystemctl enable --quiet containerd kubelet\n\
         systemctl restart containerd\n";
    node.run(script(START, []).timeout(Duration::from_secs(90))).await.map(drop)
}

/// The sha256 of each of `paths` that exists, in no particular order.
pub async fn digests(node: &impl Node, paths: &[String]) -> Result<Vec<(String, String)>, NodeError> {
    let look = format!("{SHA256}sha256 {} 2>/dev/null || true", paths.join(" "));
    let text = node.run(Command::shell(look)).await?.text();
    // `digest  path`, or `digest *path`
    let line = |line: &str| {
        let (digest, path) = line.split_once(' ')?;
        Some((path.get(1..)?.to_owned(), digest.to_owned()))
    };
    Ok(text.lines().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_start_without_kubeadm() {
        let starts =
            |role| PROGRAMS.iter().filter(|program| program.starts(role)).map(|program| program.name).collect::<Vec<_>>();
        assert!(starts(Role::ControlPlane).contains(&"kubeadm"));
        assert!(!starts(Role::Worker).contains(&"kubeadm") && starts(Role::Worker).contains(&"kubelet"));
    }

    #[test]
    fn the_runtime_is_told_what_the_host_withholds() {
        let text = |quirks| String::from_utf8(files("pause:1", quirks)[0].bytes.clone()).expect("text");
        assert!(text(Quirks { withholds_sys_resource: true, ..Quirks::default() }).contains("restrict_oom_score_adj = true"));
        assert!(text(Quirks::default()).contains("restrict_oom_score_adj = false"));
    }
}
