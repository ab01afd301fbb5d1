//! `hearth logs`: a node's journal, or a pod's log.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};

use super::args::LogsArgs;
use super::{Context, cluster};
use crate::cluster::ClusterError;
use crate::error::Result;
use crate::provider::{Command, Node, Provider};
use crate::steps::Session;

pub async fn run(context: &Context, args: LogsArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    let Some(target) = &args.target else {
        let nodes: Vec<String> = cluster::nodes(&session).await?.into_iter().map(|node| node.name).collect();
        context
            .result(&nodes, || format!("nodes (hearth logs NODE, or hearth logs NAMESPACE/POD):\n  {}", nodes.join("\n  ")))?;
        return Ok(0);
    };
    let text = cluster::on(&session, read(&session, target, &args)).await?;
    context.result(&text.lines().collect::<Vec<_>>(), || text.trim_end().to_owned())?;
    Ok(0)
}

/// The last lines of a node's or a pod's log.
async fn read(session: &Session, target: &str, args: &LogsArgs) -> Result<String> {
    let Some((namespace, pod)) = target.split_once('/') else {
        let lines = args.tail.to_string();
        let journal = ["journalctl", "--no-pager", "--lines", &lines, "--unit", "kubelet", "--unit", "containerd"];
        return Ok(session.provider.node(target).await?.run(Command::new(journal)).await.map(|output| output.text())?);
    };
    let parameters = LogParams { tail_lines: Some(args.tail.into()), container: args.container.clone(), ..Default::default() };
    let pods = Api::<Pod>::namespaced(session.client().await?.clone(), namespace);
    Ok(pods.logs(pod, &parameters).await.map_err(ClusterError::api(format!("read the log of {target}")))?)
}
