//! `hearth init`: writes a commented profile to start from.

use std::io::Write;

use serde_json::json;

use super::args::{InitArgs, Template};
use super::{Context, UsageError};
use crate::error::Result;

pub fn run(context: &Context, args: &InitArgs) -> Result<u8> {
    let (text, name) = match args.template {
        Template::Quick => (include_str!("../../profiles/quick.yaml"), "quick"),
        Template::Minimal => (include_str!("../../profiles/minimal.yaml"), "minimal"),
        Template::Homelab => (include_str!("../../profiles/homelab.yaml"), "homelab"),
    };
    let text = match &args.name {
        Some(new) => text.replacen(&format!("name: {name}"), &format!("name: {new}"), 1),
        None => text.to_owned(),
    };
    let path = args.path.display().to_string();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!args.force);
    let file = options.open(&args.path).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => UsageError::Exists { path: path.clone() },
        _ => UsageError::Write { path: path.clone(), source },
    });
    file?.write_all(text.as_bytes()).map_err(|source| UsageError::Write { path: path.clone(), source })?;
    context.result(&json!({"file": path}), || format!("Wrote {path}. Next: hearth validate -f {path} · hearth up -f {path}"))?;
    Ok(0)
}
