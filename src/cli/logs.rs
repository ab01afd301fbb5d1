//! stub
use super::Context; use super::args::LogsArgs; use crate::error::Result;
pub async fn run(_context: &Context, _args: LogsArgs) -> Result<u8> { Ok(0) }
