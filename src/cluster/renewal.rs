//! The certificates that kubeadm signs are valid for a year, and nothing in a cluster renews them. (Kubelets renew their own.)

use std::time::Duration;

use super::{kubeadm, pki};
use crate::error::Result;
use crate::provider::{Command, Node, NodeError, files};

/// What kubeadm signs, all on the same day; the certificates in its kubeconfigs are as old.
const CERTIFICATES: [&str; 7] = [
    "/etc/kubernetes/pki/apiserver.crt",
    "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
    "/etc/kubernetes/pki/apiserver-etcd-client.crt",
    "/etc/kubernetes/pki/front-proxy-client.crt",
    "/etc/kubernetes/pki/etcd/server.crt",
    "/etc/kubernetes/pki/etcd/peer.crt",
    "/etc/kubernetes/pki/etcd/healthcheck-client.crt",
];

/// Ends the control plane's pods, which read certificates only when they start, and renews everything. The kubelet ends a pod
/// once its manifest is gone (kubeadm reference, "Manual certificate renewal"); whoever calls this writes the manifests anew, as
/// for any control plane that lacks them, also if this was cut off.
const RENEW: &str = "systemctl start kubelet
crictl ps --quiet >/dev/null
cd /etc/kubernetes/manifests
rm -f etcd.yaml kube-apiserver.yaml kube-controller-manager.yaml kube-scheduler.yaml
for pause in $(seq 300); do
  running=$(crictl ps --quiet --name '^(etcd|kube-apiserver|kube-controller-manager|kube-scheduler)$')
  [ -n \"$running\" ] || exec kubeadm certs renew all --config=CONFIG
  sleep 0.2
done
echo \"these do not end: $running\" >&2
exit 1";

/// The certificates of a control plane.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Those that do not exist, one line each: `kubeadm init` makes them.
    pub missing: Vec<String>,
    /// Those that end soon, or cannot be used, one line each: [`renew`] replaces them.
    pub due: Vec<String>,
}

/// Looks at the certificates of a control plane.
///
/// # Errors
/// One of them may exist but cannot be read.
pub async fn look(control_plane: &impl Node) -> Result<Certificates> {
    let mut found = Certificates::default();
    for (path, look) in CERTIFICATES.iter().zip(files::read(control_plane, &CERTIFICATES).await?) {
        match look.known()? {
            None => found.missing.push(format!("{path} is missing")),
            Some(file) => found.due.extend(pki::due(&String::from_utf8_lossy(&file.bytes)).map(|why| format!("{path} {why}"))),
        }
    }
    Ok(found)
}

/// Renews all certificates. The control plane does not run after that until [`kubeadm::start`].
pub async fn renew(control_plane: &impl Node) -> Result<(), NodeError> {
    let script = RENEW.replace("CONFIG", kubeadm::CONFIG);
    control_plane.run(Command::shell(script).timeout(Duration::from_secs(120))).await.map(drop)
}
