//! What hosts still need, and whether they can get it: each host is asked, because it pulls its images itself.

use std::collections::BTreeSet;

use super::programs::{self, PROGRAMS, Program};
use super::script;
use crate::artifact::programs::release;
use crate::artifact::reference;
use crate::provider::{Command, Node, NodeError};

/// Prints which of the servers $@ do not answer; none if the host's commands use a proxy.
const SILENT: &str = r#"
[ -z "$HTTPS_PROXY$https_proxy" ] || exit 0
for server; do
  host=${server%:*} port=443
  [ "$host" = "$server" ] || port=${server##*:}
  timeout 3 bash -c "exec 3<>/dev/tcp/$host/$port" 2>/dev/null || echo "$server" &
done
wait
"#;

/// The images that the host lacks and could not pull. A host that lacks none contacts no server.
pub async fn images(node: &impl Node, images: &[String]) -> Result<Vec<String>, NodeError> {
    let list = Command::shell("timeout 10 ctr --namespace=k8s.io images list --quiet 2>/dev/null || true");
    let has = node.run(list).await?.text();
    let lacks: Vec<&String> = images.iter().filter(|image| has.lines().all(|line| line != **image)).collect();
    if lacks.is_empty() {
        return Ok(Vec::new());
    }
    let servers: BTreeSet<&str> = lacks.iter().map(|image| reference::server(image)).collect();
    let silent = node.run(script(SILENT, servers)).await?.text();
    let is_silent = |image: &&String| silent.lines().any(|line| line == reference::server(image));
    Ok(lacks.into_iter().filter(is_silent).cloned().collect())
}

/// The programs that the host lacks, or has in another version than Kubernetes `kubernetes` needs. Only existence and the record are
/// looked at, since reading all programs takes seconds; the step that installs them verifies their checksums.
pub async fn programs(node: &impl Node, kubernetes: &str) -> Result<Vec<Program>, NodeError> {
    let role = node.role();
    let given = programs::given(node).await?;
    let has = |program: &Program| {
        let last = given.iter().rfind(|given| given.path == program.path());
        last.is_some_and(|given| given.release == release(program.name, kubernetes).url)
    };
    Ok(PROGRAMS.into_iter().filter(|program| program.is_for(role) && !has(program)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::InMemory;

    #[tokio::test]
    async fn only_what_the_host_lacks_and_cannot_pull_is_nowhere() {
        let node = InMemory::new("n1").answers("images list", 0, "registry.k8s.io/pause:3.10.2\n");
        let node = node.answers("/dev/tcp", 0, "registry.k8s.io\n");
        let wanted = ["registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.8-0", "quay.io/x/y:v1"].map(str::to_owned);
        assert_eq!(images(&node, &wanted).await.expect("asked"), ["registry.k8s.io/etcd:3.6.8-0"]);
        assert_eq!(images(&node, &wanted[..1]).await.expect("asked"), [""; 0]);
        let asked = node.asked.lock().expect("unpoisoned");
        assert_eq!(
            asked.iter().filter(|line| line.contains("/dev/tcp")).count(),
            1,
            "a host that lacks nothing contacts no server"
        );
    }

    #[tokio::test]
    async fn programs_are_looked_up_in_the_record_and_not_read() {
        let url = |name: &'static str| release(name, "v1.36.4").url;
        let record = format!(
            "11 /usr/local/bin/ctr an-earlier-one\n22 /usr/local/bin/ctr {}\n33 /usr/local/sbin/runc {}\n44 /usr/local/sbin/runc other\n",
            url("ctr"),
            url("runc")
        );
        let node = InMemory::new("n1").answers("/programs", 0, &record);
        let lacks: Vec<&str> = programs(&node, "v1.36.4").await.expect("asked").iter().map(|program| program.name).collect();
        assert!(!lacks.contains(&"ctr") && lacks.contains(&"runc") && lacks.contains(&"kubelet"), "{lacks:?}");
        assert!(!node.asked.lock().expect("unpoisoned").concat().contains("sha256"));
    }
}
