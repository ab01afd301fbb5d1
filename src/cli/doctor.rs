//! `hearth doctor`: trouble on this machine, with the fix for each.

use super::args::ProfileArgs;
use super::{Context, cluster};
use crate::doctor;
use crate::error::{Family, Result};

pub async fn run(context: &Context, args: ProfileArgs) -> Result<u8> {
    // without a profile only what concerns every cluster is looked at
    let named = !args.file.is_empty() || args.name.is_some() || std::path::Path::new("hearth.yaml").exists();
    let profile = if named { Some(cluster::existing(&args)?) } else { None };
    let findings = doctor::examine(profile.as_ref()).await;
    context.result(&findings, || if findings.is_empty() { "nothing found: all is well".into() } else { findings.to_string() })?;
    Ok(findings.family().map_or(0, Family::code))
}
