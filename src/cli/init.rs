//! `hearth init`: writes a commented profile to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde_json::json;

use super::args::{Format, InitArgs, Template};
use super::cluster::DEFAULT_FILE;
use super::{Context, UsageError};
use crate::error::Result;
use crate::profile::Profile;

pub fn run(context: &Context, args: &InitArgs) -> Result<u8> {
    let (text, template) = match args.template {
        Template::Quick => (include_str!("../../profiles/quick.yaml"), "quick"),
        Template::Minimal => (include_str!("../../profiles/minimal.yaml"), "minimal"),
        Template::Homelab => (include_str!("../../profiles/homelab.yaml"), "homelab"),
    };
    let name = args.name.as_deref().unwrap_or(template);
    // before anything is written
    Profile::of_name(name)?;
    let printed = args.path == Path::new("-");
    let path = if printed { DEFAULT_FILE.to_owned() } else { args.path.display().to_string() };
    let text = filled(text, template, name, &path)?;
    if printed {
        match context.output.output {
            Format::Text | Format::Yaml => context.printer.raw(&text),
            Format::Json => crate::yaml::documents(&text)?.into_iter().for_each(|profile| context.document(profile)),
        }
        return Ok(0);
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!args.force);
    let file = options.open(&args.path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => UsageError::Exists { path: path.clone() },
        _ => UsageError::Write { path: path.clone(), source },
    });
    file?.write_all(text.as_bytes()).map_err(|source| UsageError::Write { path: path.clone(), source })?;
    context.result(&json!({"file": path}), || next(name, &path))?;
    Ok(0)
}

/// The template with the cluster's name, quoted if YAML would read it as a number or the like, and the file's place.
fn filled(text: &str, template: &str, name: &str, path: &str) -> Result<String> {
    let name = crate::yaml::to_string(&name)?;
    let text = text.replacen(&format!("name: {template}"), &format!("name: {}", name.trim_end()), 1);
    Ok(text.replace(&format!("profiles/{template}.yaml"), path))
}

/// What was written, and what to do with it.
fn next(name: &str, path: &str) -> String {
    let file = if path == DEFAULT_FILE { String::new() } else { format!(" -f {path}") };
    let verbs = [("validate", "checks it"), ("plan", "shows what would be done"), ("up", "makes the cluster")];
    let width = "hearth validate".len() + file.len();
    let lines = verbs.map(|(verb, what)| format!("\n  {:<width$}   {what}", format!("hearth {verb}{file}")));
    format!("Wrote {path}, the profile of a cluster named `{name}`. Change in it what you like, then:{}", lines.concat())
}
