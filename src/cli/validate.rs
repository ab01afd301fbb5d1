//! `hearth validate`: every problem of a profile at once, offline.

use super::args::ProfileArgs;
use super::{Context, cluster};
use crate::error::Result;

pub fn run(context: &Context, args: &ProfileArgs) -> Result<u8> {
    let profile = cluster::wanted(args)?.profile;
    context.result(&profile, || format!("Profile `{}` is valid", profile.name))?;
    Ok(0)
}
