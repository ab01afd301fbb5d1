//! stub
use super::Context; use super::args::StatusArgs; use crate::error::Result;
pub async fn run(_context: &Context, _args: StatusArgs) -> Result<u8> { Ok(0) }
