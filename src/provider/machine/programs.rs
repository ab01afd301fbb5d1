//! The programs of a host, and the record of what was installed: from it `up` sees that a host has what it needs, whichever
//! machine it runs on, and the clean-up distinguishes our programs from ones that somebody put in their place.

use super::HOME;
use crate::profile::Role;
use crate::provider::{Command, Node, NodeError, SHA256};

/// A program that gets installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its name in a bundle's `bin/`.
    pub name: &'static str,
    /// The folder it is installed in.
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
    /// On control planes, for people to use: nothing waits for it.
    Later,
}

const fn program(name: &'static str, folder: &'static str, on: On) -> Program {
    Program { name, folder, on }
}

/// Every program, in the order they are needed.
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

    /// True when a node gets it, at the start or later.
    pub fn is_for(&self, role: Role) -> bool {
        self.on == On::Every || role == Role::ControlPlane
    }

    /// True when a node cannot start without it.
    pub fn starts(&self, role: Role) -> bool {
        self.on == On::Every || (self.on == On::ControlPlane && role == Role::ControlPlane)
    }
}

/// A program, as recorded when it was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Digest of its bytes.
    pub sha256: String,
    /// Its path.
    pub path: String,
    /// The release it belongs to: two machines that install the same release record the same.
    pub release: String,
}

impl Installed {
    /// A line of the record.
    fn parse(line: &str) -> Option<Installed> {
        let mut words = line.split(' ').map(str::to_owned);
        Some(Installed { sha256: words.next()?, path: words.next()?, release: words.next()? })
    }
}

/// What a host has, and what was installed on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// Path and sha256 of the programs that exist now.
    pub has: Vec<(String, String)>,
    /// What was installed, according to the record.
    pub given: Vec<Installed>,
}

impl Present {
    /// Parses checksums (`digest  path`, or `digest *path`), an empty line, and the record.
    fn parse(text: &str) -> Present {
        let (has, given) = text.split_once("\n\n").unwrap_or((text, ""));
        let sum = |line: &str| {
            let (digest, path) = line.split_once(' ')?;
            Some((path.get(1..)?.to_owned(), digest.to_owned()))
        };
        Present { has: has.lines().filter_map(sum).collect(), given: given.lines().filter_map(Installed::parse).collect() }
    }

    /// The sha256 of the file that is at a path now.
    pub fn sha256(&self, path: &str) -> Option<&str> {
        self.has.iter().find(|(at, _)| at == path).map(|(_, digest)| digest.as_str())
    }

    /// True when the file at `path` is, byte for byte, what was installed there for `release`.
    pub fn is(&self, path: &str, release: &str) -> bool {
        self.sha256(path).is_some_and(|digest| {
            self.given.iter().any(|given| given.path == path && given.release == release && given.sha256 == digest)
        })
    }
}

/// Looks at the existing ones among `paths`, and at the record.
pub async fn present(node: &impl Node, paths: &[String]) -> Result<Present, NodeError> {
    let look = format!("{SHA256}sha256 {} 2>/dev/null || true; echo; cat {HOME}/programs 2>/dev/null || true", paths.join(" "));
    let output = node.run(Command::shell(look)).await?;
    Ok(Present::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// The record of programs that still exist, oldest first; they are not read, so they may have changed.
pub async fn given(node: &impl Node) -> Result<Vec<Installed>, NodeError> {
    let look = format!(
        "cat {HOME}/programs 2>/dev/null | while read -r sum path release; do\n\
         [ ! -f \"$path\" ] || echo \"$sum $path $release\"\ndone"
    );
    let output = node.run(Command::shell(look)).await?;
    Ok(output.text().lines().filter_map(Installed::parse).collect())
}

/// Records a program that is about to be installed: first the record, then the change. Lines are only added, so that the
/// program that was there before is known as ours until it is replaced.
pub async fn record(node: &impl Node, installed: &Installed) -> Result<(), NodeError> {
    let Installed { sha256, path, release } = installed;
    let script = format!("umask 077; printf '%s %s %s\\n' \"$@\" >>{HOME}/programs");
    node.run(Command::new(["sh", "-c", &script, "record", sha256, path, release])).await.map(drop)
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
    fn a_program_is_right_by_its_release_and_its_bytes() {
        let text = "11  /usr/local/bin/ctr\n22 */usr/local/sbin/runc\n\n11 /usr/local/bin/ctr v2\n33 /usr/local/sbin/runc v1\n";
        let present = Present::parse(text);
        assert!(present.is("/usr/local/bin/ctr", "v2"));
        assert!(!present.is("/usr/local/bin/ctr", "v3"), "another version");
        assert!(!present.is("/usr/local/sbin/runc", "v1"), "damaged, or somebody's own");
        assert!(!present.is("/usr/local/bin/kubelet", "v1"), "absent");
        // the record of an older Hearth has paths only
        assert_eq!(Present::parse("\n\n/usr/local/bin/ctr\n").given, []);
        assert_eq!(Present::parse("11  /usr/local/bin/ctr\n\n").has.len(), 1);
    }
}
