//! `hearth was`: the sample application server, which is the entrypoint of the WAS image.

use crate::error::Result;
use crate::was::{Config, serve};

pub async fn run() -> Result<u8> {
    serve(Config::from_env()?, crate::was::terminated()).await?;
    Ok(0)
}
