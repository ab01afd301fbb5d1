//! `hearth unlock`: shows who holds the leases on hosts, and takes those away whose run died.

use futures_util::future::try_join_all;
use serde_json::json;

use super::args::UnlockArgs;
use super::{Context, cluster};
use crate::error::Result;
use crate::provider::{Node, Provider};
use crate::ui;

pub async fn run(context: &Context, args: UnlockArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    let held = session.provider.leases().await?;
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
        ui::confirm(&context.printer, "Take these leases away? A run that still works would meet others on its hosts.")?;
    }
    try_join_all(held.iter().map(|(node, _)| session.provider.end_lease(node))).await?;
    context.say("taken away");
    Ok(0)
}
