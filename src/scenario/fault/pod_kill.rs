//! `podKill`: pods die, one after the other.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::super::error::ScenarioError;
use super::super::objects::{is_ready, pods};
use super::super::record::FaultWords;
use super::super::Context;
use super::{Inject, Stage};
use crate::quantity::Span;

/// Pods die.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodKill {
    /// Namespace of the victims.
    pub namespace: String,
    /// Label selector of the victims; the oldest ready pod that matches is next.
    pub selector: String,
    /// How they die.
    #[serde(default)]
    pub how: Death,
    /// Grace period of the deletion, whole seconds. With `0s` the pod is gone from the API at once.
    #[serde(default = "PodKill::grace")]
    pub grace: Span,
    /// Number of kills.
    #[schemars(range(min = 1, max = 1000))]
    pub count: u32,
    /// Shortest time between two kills.
    pub every: Span,
    /// Wait before the next kill until as many pods are ready as before the first one.
    #[serde(default = "PodKill::one_after_the_other")]
    pub one_after_the_other: bool,
    /// Longest wait for that.
    #[serde(default = "PodKill::ready_within")]
    pub ready_within: Span,
}

/// How a pod dies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Death {
    /// Through the API alone. Even without a grace period the kubelet first sends SIGTERM and waits 2 s, which is enough for a
    /// server that drains: requests in flight may well survive.
    Delete,
    /// As in a power cut: every process of the pod gets SIGKILL on its node, then the pod is deleted. Needs access to nodes.
    #[default]
    Sigkill,
}

impl PodKill {
    fn grace() -> Span {
        Span::secs(0)
    }

    fn one_after_the_other() -> bool {
        true
    }

    fn ready_within() -> Span {
        Span::secs(120)
    }

    async fn ready(&self, context: &Context) -> Result<Vec<Pod>, ScenarioError> {
        let all = pods(&context.client, &self.namespace, &self.selector).await?;
        Ok(all.into_iter().filter(is_ready).collect())
    }

    /// The oldest pod, so that a series of kills goes round.
    fn victim(&self, ready: Vec<Pod>) -> Result<Pod, ScenarioError> {
        let what = format!("ready pod of {} in {}", self.selector, self.namespace);
        let none = || ScenarioError::NoTarget { what };
        ready.into_iter().min_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any())).ok_or_else(none)
    }

    async fn kill(&self, context: &Context, victim: &Pod, node: &str) -> Result<(), ScenarioError> {
        let name = victim.name_any();
        if self.how == Death::Sigkill {
            let nodes = context.nodes.as_ref().ok_or(ScenarioError::NoNodes)?;
            let killed = nodes.run(node, sigkill_script(&victim.uid().unwrap_or_default())).await;
            killed.map_err(|source| ScenarioError::Node { action: format!("kill pod {name}"), source })?;
        }
        let api: Api<Pod> = Api::namespaced(context.client.clone(), &self.namespace);
        let parameters =
            DeleteParams { grace_period_seconds: Some(self.grace.0.as_secs() as u32), ..DeleteParams::default() };
        match api.delete(&name, &parameters).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(ScenarioError::kube(format!("delete pod {name}"))(error)),
        }
    }
}

impl Inject for PodKill {
    async fn lacks(&self, context: &Context) -> Result<Vec<String>, ScenarioError> {
        let lacks = self.how == Death::Sigkill && context.nodes.is_none();
        Ok(lacks.then(|| "its fault needs access to nodes, and there is none".to_owned()).into_iter().collect())
    }

    async fn inject(&self, stage: &mut Stage<'_>) -> Result<(), ScenarioError> {
        let context = stage.context;
        let wanted = self.ready(context).await?.len();
        stage.count_retries().await;
        for number in 1..=self.count {
            let begun = Instant::now();
            let victim = self.victim(self.ready(context).await?)?;
            let node = victim.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
            let words = words(&victim.name_any());
            stage.begin("podKill", victim.name_any(), words, (number, self.count));
            let how = match self.how {
                Death::Sigkill => "SIGKILL to every process of the pod",
                Death::Delete => "The pod was deleted",
            };
            stage.record().facts.set("node", node.as_str());
            stage.record().facts.set("how", how);
            self.kill(context, &victim, &node).await?;
            stage.done();
            if self.one_after_the_other {
                let ready = || async { self.ready(context).await.map(|ready| ready.len()) };
                stage.wait_for(&format!("pods of {}", self.selector), wanted, self.ready_within.0, ready).await?;
                stage.recovered();
            }
            if number < self.count {
                sleep(self.every.0.saturating_sub(begun.elapsed())).await;
            }
            stage.retried().await;
        }
        Ok(())
    }

    fn pods(&self) -> Option<(&str, &str)> {
        Some((&self.namespace, &self.selector))
    }

    fn problems(&self) -> Vec<(&'static str, String)> {
        let whole = self.grace.0.subsec_nanos() == 0;
        if whole { Vec::new() } else { vec![("grace", "not whole seconds".to_owned())] }
    }
}

fn words(pod: &str) -> FaultWords {
    FaultWords {
        noun: "kill".into(),
        subject: format!("{} pod", workload(pod)),
        done: "killed".into(),
        did: "died".into(),
        does: "dies".into(),
        do_many: "die".into(),
        healed: "replaced".into(),
    }
}

/// The workload's name within a pod's name: without the parts of the replica set and of the pod itself.
fn workload(pod: &str) -> &str {
    pod.rsplitn(3, '-').nth(2).unwrap_or(pod)
}

/// Kills every process of the pod with this uid at once. Searches for both spellings of a uid in a cgroup's path: systemd's
/// slices have `_` for `-`. A process that ends by itself in between is no failure.
fn sigkill_script(uid: &str) -> String {
    let other = uid.replace('-', "_");
    format!(
        "pids=$(grep -lE '{uid}|{other}' /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3)\n\
         [ -n \"$pids\" ] || {{ echo 'no process of pod {uid}' >&2; exit 1; }}\n\
         kill -9 $pids 2>/dev/null || true"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_finds_processes_by_both_spellings_of_the_uid_and_kills_them_at_once() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("coreutils");
        // stands in for /proc: the script only looks at names and contents of files
        let scratch = tempfile::tempdir().expect("scratch");
        let folder = scratch.path().join(child.id().to_string());
        std::fs::create_dir(&folder).expect("scratch is writable");
        std::fs::write(folder.join("cgroup"), "0::/kubepods-pod1b_2c.slice/cri-1.scope\n").expect("scratch is writable");
        let depth = scratch.path().components().count() + 1;
        let script =
            sigkill_script("1b-2c").replace("/proc", &scratch.path().to_string_lossy()).replace("-f3", &format!("-f{depth}"));
        let status = std::process::Command::new("sh").args(["-ec", &script]).status().expect("a shell");
        assert!(status.success());
        let ended = child.wait().expect("a child");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
        let none = std::process::Command::new("sh").args(["-ec", &sigkill_script("no-such-pod")]).output().expect("a shell");
        assert_eq!(none.status.code(), Some(1));
    }

    #[test]
    fn a_pod_is_of_its_workload() {
        assert_eq!([workload("was-6c5d9c7b8-x2x4z"), workload("mysql-0")], ["was", "mysql-0"]);
    }
}
