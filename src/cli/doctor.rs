//! stub
use super::Context; use super::args::ProfileArgs; use crate::error::Result;
pub async fn run(_context: &Context, _args: ProfileArgs) -> Result<u8> { Ok(0) }
