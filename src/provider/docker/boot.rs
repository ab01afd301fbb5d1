//! From a started container to a node that runs commands: waits for its systemd and its container runtime, and adapts the
//! runtime to hosts that withhold a capability.

use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use jiff::Timestamp;

use super::{DockerError, DockerNode, DockerProvider, IMAGE_LABEL, call};
use crate::artifact::reference::canonical;
use crate::error::Result;
use crate::profile::DockerNodes;
use crate::provider::{Command, Fixed, Node, Provider};

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

    /// What a control plane's container was made with, whether it runs or not, and the profile wants otherwise.
    pub async fn made_otherwise(&self, name: &str) -> Result<Vec<Fixed>, DockerError> {
        let found = self.engine.docker.inspect_container(name, None).await;
        Ok(otherwise(found.map_err(call(format!("inspect container `{name}`")))?, &self.nodes))
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

/// The values of a container that the profile wants otherwise. A container of an earlier Hearth does not say what image was
/// asked for; a profile may leave the port open.
fn otherwise(found: ContainerInspectResponse, wanted: &DockerNodes) -> Vec<Fixed> {
    let bindings = found.host_config.and_then(|host| host.port_bindings).unwrap_or_default();
    let port = bindings.into_values().flatten().flatten().find_map(|binding| binding.host_port);
    let image = found.config.and_then(|config| config.labels).and_then(|mut labels| labels.remove(IMAGE_LABEL));
    let port = port.zip(wanted.api_port).map(|(has, wants)| Fixed {
        field: "spec.provider.docker.apiPort",
        has,
        wants: wants.to_string(),
    });
    // two ways to write one name are no difference
    let image = image.filter(|has| canonical(has) != canonical(&wanted.image)).map(|has| Fixed {
        field: "spec.provider.docker.image",
        has,
        wants: wanted.image.clone(),
    });
    [port, image].into_iter().flatten().filter(|it| it.has != it.wants).collect()
}

/// A time in the form the engine takes, in seconds.
fn seconds(time: Timestamp) -> i32 {
    i32::try_from(time.as_second()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_container_was_made_with_is_held_against_the_profile() {
        let made = |labels: serde_json::Value| {
            let bindings = json!({"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]});
            serde_json::from_value(json!({"Config": {"Labels": labels}, "HostConfig": {"PortBindings": bindings}})).unwrap()
        };
        let wanted = |image: &str, api_port: Option<u16>| DockerNodes {
            image: image.to_owned(),
            workers: 1,
            api_port,
            keep_node_image: true,
        };
        let differs = |labels: serde_json::Value, wanted: &DockerNodes| {
            let lines = otherwise(made(labels), wanted).into_iter();
            lines.map(|it| format!("{} {} {}", it.field, it.has, it.wants)).collect::<Vec<_>>()
        };
        let labelled = || json!({IMAGE_LABEL: "kindest/node:v1.36.4"});
        assert_eq!(
            differs(labelled(), &wanted("mine/node:v1.36.4", Some(40002))),
            ["spec.provider.docker.apiPort 40001 40002", "spec.provider.docker.image kindest/node:v1.36.4 mine/node:v1.36.4"]
        );
        for same in ["kindest/node:v1.36.4", "docker.io/kindest/node:v1.36.4"] {
            assert!(differs(labelled(), &wanted(same, Some(40001))).is_empty(), "{same}");
        }
        assert!(differs(json!({}), &wanted("mine/node:v1.36.4", None)).is_empty(), "made by an earlier Hearth");
    }

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
