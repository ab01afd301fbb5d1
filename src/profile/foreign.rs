//! Files of other programs that users pass by mistake: recognised by name, with a hint how to write the same for Hearth.

use serde_json::Value;

use super::ProfileError;
use crate::input::Layer;

/// API groups of other programs' files.
const GROUPS: [&str; 5] = ["kind.x-k8s.io", "k0sctl.k0sproject.io", "kubeone.k8c.io", "k3d.io", "kubeadm.k8s.io"];

/// Refuses a file that identifies itself as another program's.
pub(super) fn refuse(layer: &Layer) -> Result<(), ProfileError> {
    // most files are Hearth's, and need not be parsed twice
    if !GROUPS.iter().any(|group| layer.text.contains(group)) {
        return Ok(());
    }
    // a file that is not YAML, or not of another program, is reported by the strict reader
    let documents = crate::yaml::documents(&layer.text).unwrap_or_default();
    let Some((document, version)) = documents.first().and_then(|one| Some((one, one["apiVersion"].as_str()?))) else {
        return Ok(());
    };
    let (program, hint) = match version.split('/').next().unwrap_or_default() {
        "kind.x-k8s.io" => ("kind", kind(document)),
        "k0sctl.k0sproject.io" => ("k0sctl", hosts("spec.hosts")),
        "kubeone.k8c.io" => ("KubeOne", hosts("controlPlane.hosts and staticWorkers.hosts")),
        "k3d.io" => ("k3d", "`hearth init` writes a profile for containers".to_owned()),
        "kubeadm.k8s.io" => ("kubeadm", "`hearth init` writes a profile; kubeadm is called by Hearth itself".to_owned()),
        _ => return Ok(()),
    };
    Err(ProfileError::Foreign { file: layer.name.clone(), program, hint })
}

fn kind(document: &Value) -> String {
    let nodes = document["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let workers = nodes.iter().filter(|node| node["role"] == "worker").count();
    let name = document["name"].as_str().map(|name| format!(" --name {name}")).unwrap_or_default();
    format!("`hearth init --template minimal{name}` writes a profile; there, spec.provider.docker.nodes: {{workers: {workers}}}")
}

fn hosts(at: &str) -> String {
    format!("`hearth init --template homelab` writes a profile; what stands in {at} goes to spec.provider.ssh.hosts")
}
