//! What a profile needs from a machine: estimates, measured on full clusters and doubled for the load that scenarios put on
//! them.

use crate::components::catalogue;
use crate::profile::{Profile, Role};
use crate::provider::docker::Container;

const MIB: u64 = 1 << 20;
/// etcd, API server, controllers, kubelet, DNS: 560 MiB when idle.
const CONTROL_PLANE: u64 = 1229 * MIB;
/// kubelet, containerd, kube-proxy: 120 MiB when idle, 250 MiB while images are unpacked.
const WORKER: u64 = 512 * MIB;
/// A node's volume: its images, unpacked once more in its own store (1.1 to 1.6 GB each).
const NODE_DISK: u64 = 1536 * MIB;
/// Node image, components' images and the image derived from both, in the engine.
const IMAGES_DISK: u64 = 2048 * MIB;
/// Room for a cluster's growth: logs, databases.
const GROWTH: u64 = 512 * MIB;

/// What is still needed, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// Memory.
    pub memory: u64,
    /// Disk space where the engine keeps images and volumes.
    pub disk: u64,
}

impl Needs {
    /// What is needed besides `existing` containers: running ones already have their memory, existing ones their disk space.
    pub fn of(profile: &Profile, existing: &[Container]) -> Needs {
        let wanted = profile.nodes();
        let found = |name: &str| existing.iter().find(|container| container.name == name);
        let absent = wanted.iter().filter(|node| found(&node.name).is_none()).count() as u64;
        let stopped: Vec<Role> =
            wanted.iter().filter(|node| !found(&node.name).is_some_and(|c| c.running)).map(|node| node.role).collect();
        let mut memory: u64 = stopped.iter().map(|role| if *role == Role::Worker { WORKER } else { CONTROL_PLANE }).sum();
        if !stopped.is_empty() {
            memory += catalogue::memory(profile);
        }
        let images = if existing.is_empty() { IMAGES_DISK } else { 0 };
        Needs { memory, disk: GROWTH + images + NODE_DISK * absent }
    }
}
