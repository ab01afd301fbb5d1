//! From a started container to a node that runs commands: waits for its systemd and its container runtime, and adapts the
//! runtime to hosts that withhold a capability.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use jiff::Timestamp;

use super::{DockerError, DockerNode, DockerProvider, call};
use crate::error::Result;
use crate::provider::{Command, Node, Provider};

/// kind gives a node this long to boot; several at once on a busy machine need more.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
/// What the node's log contains once commands may be run in it. Under cgroup v2 nothing may be executed earlier, or systemd
/// cannot set up its controllers (kind `docker/provision.go`, `common/cgroups.go`).
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

/// Succeeds if the runtime answers, without waiting for it.
const RUNTIME_ANSWERS: &str = "ctr --connect-timeout 1s version >/dev/null 2>&1";

/// True when a log whose lines start with their time contains a mark that is not older than `since`: the log goes back to the
/// container's creation, and marks of an earlier start do not count.
fn has_booted(log: &str, since: Timestamp) -> bool {
    log.lines().filter_map(|line| line.split_once(' ')).any(|(time, text)| {
        BOOTED.iter().any(|mark| text.contains(mark)) && time.parse::<Timestamp>().is_ok_and(|time| time >= since)
    })
}

impl DockerProvider {
    /// When the container last stopped; the beginning of time if it never did.
    async fn ended(&self, name: &str) -> Result<Timestamp, DockerError> {
        let found =
            self.engine.docker.inspect_container(name, None).await.map_err(call(format!("inspect container `{name}`")))?;
        let ended = found.state.and_then(|state| state.finished_at).and_then(|text| text.parse().ok());
        Ok(ended.unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH))
    }

    /// The host port that a control plane was made with, whether it runs or not, and the one in the profile; none unless there
    /// are both.
    pub async fn other_api_port(&self, name: &str) -> Result<Option<(u16, u16)>, DockerError> {
        let found = self.engine.docker.inspect_container(name, None).await;
        let found = found.map_err(call(format!("inspect container `{name}`")))?;
        let bindings = found.host_config.and_then(|host| host.port_bindings).unwrap_or_default();
        let bound = bindings.into_values().flatten().flatten().next();
        Ok(bound.and_then(|binding| binding.host_port?.parse().ok()).zip(self.nodes.api_port))
    }

    /// True when a running node accepts commands, and its container runtime answers.
    pub async fn is_booted(&self, name: &str) -> Result<bool> {
        let since = self.ended(name).await?;
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).since(seconds(since)).build();
        let mut log = Box::pin(self.engine.docker.logs(name, Some(options)));
        let mut text = String::new();
        while let Some(chunk) = log.next().await {
            text.push_str(&chunk.map_err(call(format!("read the log of `{name}`")))?.to_string());
        }
        Ok(has_booted(&text, since) && self.node(name).await?.exec(Command::shell(RUNTIME_ANSWERS)).await?.success())
    }

    /// Waits until the node accepts commands and its container runtime answers.
    pub async fn wait_booted(&self, name: &str) -> Result<()> {
        let since = self.ended(name).await?;
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).timestamps(true);
        let options = options.since(seconds(since)).build();
        let mut log = Box::pin(self.engine.docker.logs(name, Some(options)));
        let mut text = String::new();
        let booted = async {
            while let Some(chunk) = log.next().await {
                text.push_str(&chunk.map_err(call(format!("read the log of `{name}`")))?.to_string());
                if has_booted(&text, since) {
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

/// A time in the form the engine takes, in seconds.
fn seconds(time: Timestamp) -> i32 {
    i32::try_from(time.as_second()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_an_earlier_start_are_not_this_ones() {
        let log =
            "2026-11-26T10:00:00.5Z [  OK  ] Reached target Multi-User System.\r\n2026-11-26T11:00:01Z INFO: starting init\r\n";
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(has_booted(log, Timestamp::UNIX_EPOCH));
        assert!(has_booted(log, time("2026-11-26T10:00:00Z")));
        assert!(!has_booted(log, time("2026-11-26T10:59:00Z")), "it has not come so far since");
        let again = format!("{log}2026-11-26T11:00:02Z INFO: detected cgroup v1\r\n");
        assert!(has_booted(&again, time("2026-11-26T10:59:00Z")));
    }
}
