//! `hearth completions`: completion scripts for shells.

use clap::{Command, CommandFactory};

use super::Context;
use super::args::Cli;
use crate::error::Result;

pub fn run(context: &Context, shell: clap_complete::Shell) -> Result<u8> {
    // the generators offer hidden verbs too
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect::<Vec<_>>();
    let mut shown =
        Command::new("hearth").version(env!("CARGO_PKG_VERSION")).args(all.get_arguments().cloned()).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "hearth", &mut script);
    context.printer.raw(&String::from_utf8_lossy(&script));
    Ok(0)
}
