//! `hearth doctor`: trouble on this machine, or on the hosts of a profile, with the fix for each.

use super::args::ProfileArgs;
use super::{Context, cluster};
use crate::doctor;
use crate::error::{Family, Result};

pub async fn run(context: &Context, args: ProfileArgs) -> Result<u8> {
    // without a profile, only what concerns every cluster is looked at
    let profile = if cluster::is_named(&args) { Some(cluster::existing(&args)?.profile) } else { None };
    // an engine with a malformed address is still looked at, and reported
    let session = profile.and_then(|profile| cluster::session(profile, None, None).ok());
    let findings = doctor::examine(session.as_ref().map(|session| (&session.profile, &session.provider))).await;
    context.result(&findings, || if findings.is_empty() { "nothing found: all is well".into() } else { findings.to_string() })?;
    Ok(findings.family().map_or(0, Family::code))
}
