//! Faults: what goes wrong while the load runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use tokio::time::sleep;

use super::Context;
use super::envoy::{Snapshot, snapshot};
use super::error::ScenarioError;
use super::objects::{is_ready, pods};
use super::record::KillRecord;
use super::schema::{Death, PodKill, ProxyGroup};
use crate::error::Family;
use crate::event::Event;
use crate::provider::{Command, Node, NodeError};

/// How often pods are looked at while waiting for a replacement; times of replacements are as exact as this.
const LOOK: Duration = Duration::from_millis(100);

/// This fault's name in events, as scenario files spell it.
const POD_KILL: &str = "podKill";

/// A script that runs on a node.
type Script = Pin<Box<dyn Future<Output = Result<(), NodeError>> + Send>>;

/// Runs a shell script on the node of that name.
pub type NodeShell = Arc<dyn Fn(&str, String) -> Script + Send + Sync>;

/// Access to these nodes.
pub fn node_shell<N: Node>(nodes: Vec<N>) -> NodeShell {
    Arc::new(move |name: &str, script: String| {
        let node = nodes.iter().find(|node| node.name() == name).cloned();
        let name = name.to_owned();
        Box::pin(async move {
            let (action, source) = ("finding it".into(), "no such node".into());
            let absent = || NodeError::Transport { node: name, action, family: Family::Preflight, source };
            node.ok_or_else(absent)?.run(Command::shell(script)).await.map(drop)
        })
    })
}

/// Kills every process of the pod with this uid at once. Both spellings of a uid in a cgroup's path are looked for:
/// systemd's slices have `_` for `-`. A process that ended by itself in between is no failure.
fn sigkill_script(uid: &str) -> String {
    let other = uid.replace('-', "_");
    format!(
        "pids=$(grep -lE '{uid}|{other}' /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3)\n\
         [ -n \"$pids\" ] || {{ echo 'no process of pod {uid}' >&2; exit 1; }}\n\
         kill -9 $pids 2>/dev/null || true"
    )
}

/// Kills pods as `fault` says. `clock` tells the load's time in milliseconds. Kills are added to `kills` as they happen, so
/// that those before a failure are known.
pub(super) async fn pod_kill(
    context: &Context,
    fault: &PodKill,
    proxies: &[ProxyGroup],
    clock: Instant,
    kills: &mut Vec<KillRecord>,
) -> Result<(), ScenarioError> {
    let now_ms = || clock.elapsed().as_secs_f64() * 1e3;
    let ready = ready_pods(context, fault).await?;
    let wanted = ready.len();
    let mut counted = counters(context, proxies).await;
    for number in 1..=fault.count {
        let begun = Instant::now();
        let victim = victim(ready_pods(context, fault).await?, fault)?;
        let node = victim.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        let pod = victim.name_any();
        context.events.emit(Event::FaultInjected {
            fault: POD_KILL.into(),
            target: format!("pod {pod} on {node}"),
            number,
            of: fault.count,
        });
        kills.push(KillRecord {
            pod,
            node,
            how: fault.how,
            at_ms: now_ms(),
            done_ms: 0.0,
            replaced_ms: None,
            in_flight: 0,
            failed: 0,
            retries: None,
        });
        // pushed just above
        let Some(record) = kills.last_mut() else { return Ok(()) };
        kill(context, fault, &victim, &record.node).await?;
        record.done_ms = now_ms();
        if fault.one_after_the_other {
            replaced(context, fault, wanted, begun).await?;
            record.replaced_ms = Some(now_ms());
            context.events.emit(Event::FaultRecovered { fault: POD_KILL.into(), after_ms: now_ms() - record.at_ms });
        }
        if number < fault.count {
            sleep(fault.every.0.saturating_sub(begun.elapsed())).await;
        }
        let counts = counters(context, proxies).await;
        record.retries = counts.as_ref().zip(counted.as_ref()).map(|(now, then)| now.retries().saturating_sub(then.retries()));
        counted = counts;
    }
    Ok(())
}

async fn counters(context: &Context, proxies: &[ProxyGroup]) -> Option<Snapshot> {
    // only evidence about a single kill: the verdict rests on the counters before and after everything
    snapshot(&context.client, proxies).await.ok().filter(Snapshot::tells)
}

async fn ready_pods(context: &Context, fault: &PodKill) -> Result<Vec<Pod>, ScenarioError> {
    let all = pods(&context.client, &fault.namespace, &fault.selector).await?;
    Ok(all.into_iter().filter(is_ready).collect())
}

/// The oldest one, so that a series of kills goes round.
fn victim(ready: Vec<Pod>, fault: &PodKill) -> Result<Pod, ScenarioError> {
    let none = || ScenarioError::NoVictim { namespace: fault.namespace.clone(), selector: fault.selector.clone() };
    ready.into_iter().min_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any())).ok_or_else(none)
}

async fn kill(context: &Context, fault: &PodKill, victim: &Pod, node: &str) -> Result<(), ScenarioError> {
    let name = victim.name_any();
    if fault.how == Death::Sigkill {
        let shell = context.nodes.as_ref().ok_or(ScenarioError::NoNodes)?;
        let script = sigkill_script(&victim.uid().unwrap_or_default());
        shell(node, script).await.map_err(|source| ScenarioError::Kill { pod: name.clone(), source })?;
    }
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &fault.namespace);
    let parameters = DeleteParams { grace_period_seconds: Some(fault.grace.0.as_secs() as u32), ..DeleteParams::default() };
    match api.delete(&name, &parameters).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ScenarioError::kube(format!("delete pod {name}"))(error)),
    }
}

/// Waits until as many pods are ready as before.
async fn replaced(context: &Context, fault: &PodKill, wanted: usize, since: Instant) -> Result<(), ScenarioError> {
    let mut seen = Ok(0);
    while since.elapsed() <= fault.ready_within.0 {
        sleep(LOOK).await;
        // an API server that does not answer for a moment is asked again
        seen = ready_pods(context, fault).await.map(|ready| ready.len());
        if seen.as_ref().is_ok_and(|ready| *ready >= wanted) {
            return Ok(());
        }
    }
    let (selector, limit) = (fault.selector.clone(), fault.ready_within.0);
    Err(ScenarioError::NotReplaced { selector, ready: seen?, wanted, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_finds_processes_by_both_spellings_of_the_uid_and_kills_them_at_once() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("coreutils");
        // stands in for /proc: the script only looks at names and content of files
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
}
