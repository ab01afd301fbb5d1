//! From a started container to a node that takes commands: wait for its systemd and its container runtime,
//! and adapt the runtime to hosts that withhold a capability.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;

use super::{DockerError, DockerNode, DockerProvider, call};
use crate::error::Result;
use crate::provider::{Command, Node, Provider};

/// kind gives a node this long to boot; several at once on a busy machine need more.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
/// What the node's log says once commands may be run in it. Under cgroup v2 nothing may be executed earlier, or
/// systemd cannot set up its controllers (kind `docker/provision.go`, `common/cgroups.go`).
const BOOTED: [&str; 2] = ["Multi-User System", "detected cgroup v1"];

/// Waits for the container runtime. Where CAP_SYS_RESOURCE (bit 24) is withheld, lowering a process's
/// oom_score_adj is refused and no pod could start: containerd is told to clamp it instead.
const RUNTIME_READY: &str = r#"
config=/etc/containerd/config.toml
bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/1/status)
if [ $(( 0x$bounding >> 24 & 1 )) = 0 ] && grep -q 'restrict_oom_score_adj = false' $config; then
  sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' $config
  systemctl restart containerd
fi
until ctr --connect-timeout 1s version >/dev/null 2>&1; do sleep 0.05; done
"#;

impl DockerProvider {
    /// Waits until the node takes commands and its container runtime answers.
    pub async fn wait_booted(&self, name: &str) -> Result<()> {
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
        let mut log = Box::pin(self.engine.docker.logs(name, Some(options)));
        let mut text = String::new();
        let booted = async {
            while let Some(chunk) = log.next().await {
                text.push_str(&chunk.map_err(call(format!("read the log of `{name}`")))?.to_string());
                if BOOTED.iter().any(|mark| text.contains(mark)) {
                    return Ok(true);
                }
            }
            Ok::<bool, DockerError>(false)
        };
        let booted = tokio::time::timeout(BOOT_LIMIT, booted).await.unwrap_or(Ok(false))?;
        if !booted {
            let lines: Vec<&str> = text.lines().collect();
            let log = lines[lines.len().saturating_sub(10)..].join("\n    ");
            return Err(DockerError::NotBooted { node: name.to_owned(), limit: BOOT_LIMIT, log }.into());
        }
        let node: DockerNode = self.node(name).await?;
        node.run(Command::shell(RUNTIME_READY).timeout(BOOT_LIMIT)).await?;
        Ok(())
    }
}
