//! `hearth ssh`: a shell on a host, or one command, over the connection that Hearth itself uses.

use super::args::SshArgs;
use super::{UsageError, cluster};
use crate::error::Result;
use crate::provider::AnyProvider;

pub async fn run(args: SshArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?, None, None)?;
    let AnyProvider::Ssh(hosts) = &session.provider else {
        return Err(UsageError::Containers { name: session.profile.name.clone(), what: "they have no SSH" }.into());
    };
    let command = (!args.command.is_empty()).then_some(args.command);
    let status = hosts.node(&args.node).await?.interactive(command).await?;
    Ok(u8::try_from(status).unwrap_or(u8::MAX))
}
