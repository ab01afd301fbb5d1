//! `hearth ssh`: a shell on a host, or one command, over the connection that Hearth itself uses.

use super::args::SshArgs;
use super::cluster;
use crate::error::Result;
use crate::provider::Provider;

pub async fn run(args: SshArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    let command = (!args.command.is_empty()).then_some(args.command);
    let status = session.provider.terminal(&args.node, command).await?;
    Ok(u8::try_from(status).unwrap_or(u8::MAX))
}
