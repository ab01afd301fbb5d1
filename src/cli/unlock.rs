//! `hearth unlock`: whose the leases on hosts are; and the end of those whose run died.

use futures_util::future::try_join_all;
use serde_json::json;

use super::args::UnlockArgs;
use super::{Context, UsageError, cluster, up};
use crate::error::{BoxError, Result};
use crate::provider::{AnyProvider, Node, machine::lease};

pub async fn run(context: &Context, args: UnlockArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?, None, None)?;
    if let AnyProvider::Docker(_) = session.provider {
        let what = "which have no lease: the lock of a run ends with its process";
        return Err(UsageError::Containers { name: session.profile.name.clone(), what }.into());
    }
    let nodes = session.nodes().await?;
    let looks = nodes.iter().map(|node| async move { Ok::<_, BoxError>((node, lease::holder(node).await?)) });
    let held: Vec<_> = try_join_all(looks).await?.into_iter().filter_map(|(node, holder)| Some((node, holder?))).collect();
    let list: Vec<_> = held.iter().map(|(node, holder)| json!({"host": node.name(), "holder": holder})).collect();
    let lines: Vec<String> = held
        .iter()
        .map(|(node, holder)| match holder.ends_in {
            ended @ ..=0 => format!("{}: {} of {}, ended {} s ago", node.name(), holder.who, holder.desk, -ended),
            left => format!("{}: {} of {}, for {left} s more unless renewed", node.name(), holder.who, holder.desk),
        })
        .collect();
    if held.is_empty() {
        context.result(&json!({"leases": list}), || "nobody holds a host".into())?;
        return Ok(0);
    }
    context.result(&json!({"leases": list}), || lines.join("\n"))?;
    if !args.yes {
        up::confirm(context, "Take these leases away? A run that still works would meet others on its hosts.")?;
    }
    try_join_all(held.iter().map(|(node, _)| lease::release(*node, None))).await?;
    context.printer.err("taken away");
    Ok(0)
}
