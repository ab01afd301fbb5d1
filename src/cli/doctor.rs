//! `hearth doctor`: trouble on this machine, or on the hosts of a profile, with the fix for each.

use super::args::ProfileArgs;
use super::{Context, cluster};
use crate::doctor;
use crate::error::{Family, Result};
use crate::profile::Provider;

pub async fn run(context: &Context, args: ProfileArgs) -> Result<u8> {
    // without a profile only what concerns every cluster is looked at
    let named = !args.file.is_empty() || args.name.is_some() || std::path::Path::new("hearth.yaml").exists();
    let profile = if named { Some(cluster::existing(&args)?) } else { None };
    let findings = match profile {
        Some(profile) if matches!(profile.provider, Provider::Ssh(_)) => {
            let session = cluster::session(profile, None, None)?;
            let (facts, unreached) = session.look_at_hosts().await;
            doctor::machines(&session.profile, &facts, &unreached, &[], None).await
        }
        profile => doctor::examine(profile.as_ref()).await,
    };
    context.result(&findings, || if findings.is_empty() { "nothing found: all is well".into() } else { findings.to_string() })?;
    Ok(findings.family().map_or(0, Family::code))
}
