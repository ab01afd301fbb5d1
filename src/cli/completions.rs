//! `hearth completions`: completion scripts for shells.

use clap::CommandFactory;

use super::Context;
use super::args::Cli;
use crate::error::Result;

pub fn run(context: &Context, shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hearth", &mut script);
    context.printer.raw(&String::from_utf8_lossy(&script));
    Ok(0)
}
