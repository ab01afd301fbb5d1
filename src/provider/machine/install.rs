//! What makes a host a node besides its programs: configuration of the container runtime, units, kernel settings.

use std::time::Duration;

use super::places::{CONTAINERD_CONFIG, CONTAINERD_UNIT, CRICTL, KUBELET_UNIT, SYSCTL};
use super::{file, script};
use crate::provider::{Command, FileSpec, Node, NodeError};

/// What differs between hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// The OOM score of containers cannot be lowered.
    pub withholds_sys_resource: bool,
    /// It allows fewer than [`INOTIFY`] inotify instances per user.
    pub few_inotify: bool,
}

/// The least number of inotify instances of a node: kubelet, runtime and root's pods share them.
pub const INOTIFY: u64 = 1024;

/// The files to write on a host. `pause` is the image that holds a pod's network namespace.
pub fn files(pause: &str, quirks: Quirks) -> Vec<FileSpec> {
    let restrict = quirks.withholds_sys_resource.to_string();
    let oom = if quirks.withholds_sys_resource { "" } else { "OOMScoreAdjust=-999" };
    let inotify = if quirks.few_inotify { format!("fs.inotify.max_user_instances = {INOTIFY}") } else { String::new() };
    let containerd = include_str!("../../../templates/host/containerd.toml");
    let containerd = filled(containerd, &[("pause", pause), ("restrict_oom_score_adj", &restrict)]);
    let unit = filled(include_str!("../../../templates/host/containerd.service"), &[("oom_score_adjust", oom)]);
    let sysctl = filled(include_str!("../../../templates/host/sysctl.conf"), &[("inotify", &inotify)]);
    let public = |path: &str, text: String| FileSpec { mode: 0o644, ..file(path, text) };
    vec![
        public(CONTAINERD_CONFIG, containerd),
        public(CONTAINERD_UNIT, unit),
        public(KUBELET_UNIT, include_str!("../../../templates/host/kubelet.service").to_owned()),
        public(SYSCTL, sysctl),
        public(CRICTL, include_str!("../../../templates/host/crictl.yaml").to_owned()),
    ]
}

/// A template with its `{{ name }}` placeholders replaced.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{ {name} }}}}"), value))
}

/// True when the host has exactly these files and its container runtime runs.
pub async fn is_configured(node: &impl Node, files: &[FileSpec]) -> Result<bool, NodeError> {
    let wanted: Vec<u8> = files.iter().flat_map(|file| file.bytes.clone()).collect();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let look = format!("cat {} && systemctl is-active --quiet containerd", paths.join(" "));
    let output = node.exec(Command::shell(look)).await?;
    Ok(output.success() && output.stdout == wanted)
}

/// Writes the files, applies settings, and starts the container runtime; the programs must be installed.
pub async fn configure(node: &impl Node, files: Vec<FileSpec>) -> Result<(), NodeError> {
    node.put(files).await?;
    // kernel settings that a host may not change are decided by the machine around it
    const START: &str = "sysctl -q --load=/etc/sysctl.d/90-hearth.conf 2>/dev/null || true\n\
         mkdir -p /etc/kubernetes/manifests\nsystemctl daemon-reload\nsystemctl enable --quiet containerd kubelet\n\
         systemctl restart containerd\n";
    node.run(script(START, []).timeout(Duration::from_secs(90))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_is_told_what_the_host_withholds() {
        let text = |quirks, index: usize| String::from_utf8(files("pause:1", quirks)[index].bytes.clone()).expect("text");
        let withholds = Quirks { withholds_sys_resource: true, few_inotify: true };
        assert!(text(withholds, 0).contains("restrict_oom_score_adj = true") && !text(withholds, 1).contains("OOMScoreAdjust"));
        assert!(text(withholds, 3).contains("max_user_instances = 1024"));
        let usual = Quirks::default();
        assert!(text(usual, 0).contains("restrict_oom_score_adj = false") && text(usual, 0).contains("sandbox = 'pause:1'"));
        assert!(text(usual, 1).contains("OOMScoreAdjust=-999\n"));
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_every_place_is_known() {
        let places = super::super::places::shell();
        for file in files("pause:1", Quirks::default()) {
            assert!(!String::from_utf8_lossy(&file.bytes).contains("{{"), "{}", file.path);
            assert!(places.contains(&file.path), "{} is not in places.rs", file.path);
        }
    }
}
