//! What hosts still need, and whether they can get it: each host is asked, because it pulls its images itself.

use std::collections::BTreeSet;

use super::programs::{self, PROGRAMS, Program};
use super::script;
use crate::artifact::programs::release;
use crate::artifact::reference;
use crate::provider::{Node, NodeError};

/// Prints the images on the host, and which of the servers $@ do not answer; no servers if its commands use a proxy.
const LOOK: &str = r#"
timeout 10 ctr --namespace=k8s.io images list --quiet 2>/dev/null | sed 's/^/has /'
[ -z "$HTTPS_PROXY$https_proxy" ] || exit 0
for server; do
  host=${server%:*} port=443
  [ "$host" = "$server" ] || port=${server##*:}
  timeout 3 bash -c "exec 3<>/dev/tcp/$host/$port" 2>/dev/null || echo "silent $server" &
done
wait
"#;

/// The images that the host lacks and could not pull.
pub async fn images(node: &impl Node, images: &[String]) -> Result<Vec<String>, NodeError> {
    let servers: BTreeSet<&str> = images.iter().map(|image| reference::server(image)).collect();
    let output = node.run(script(LOOK, servers)).await?;
    let said = output.text();
    let lines = |mark: &'static str| said.lines().filter_map(move |line| line.strip_prefix(mark)).collect::<BTreeSet<_>>();
    let (has, silent) = (lines("has "), lines("silent "));
    let nowhere = images.iter().filter(|image| !has.contains(image.as_str()) && silent.contains(reference::server(image)));
    Ok(nowhere.cloned().collect())
}

/// The programs that the host lacks, or has in another version than Kubernetes `kubernetes` needs.
pub async fn programs(node: &impl Node, kubernetes: &str) -> Result<Vec<Program>, NodeError> {
    let role = node.role();
    let wanted: Vec<Program> = PROGRAMS.into_iter().filter(|program| program.is_for(role)).collect();
    let paths: Vec<String> = wanted.iter().map(Program::path).collect();
    let present = programs::present(node, &paths).await?;
    let is_right = |program: &Program| present.is(&program.path(), &release(program.name, kubernetes).url);
    Ok(wanted.into_iter().filter(|program| !is_right(program)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::InMemory;

    #[tokio::test]
    async fn only_what_the_host_lacks_and_cannot_pull_is_nowhere() {
        let said = "has registry.k8s.io/pause:3.10.2\nsilent registry.k8s.io\n";
        let node = InMemory::new("n1").answers("sh -s", 0, said);
        let wanted = ["registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.8-0", "quay.io/x/y:v1"].map(str::to_owned);
        assert_eq!(images(&node, &wanted).await.expect("asked"), ["registry.k8s.io/etcd:3.6.8-0"]);
    }
}
