//! The command line: one file a verb, which loads, calls and prints.
//!
//! In: arguments. Out: data on stdout, and an exit code, which comes from the error's family. Changes are made by the
//! rooms below; a verb itself only keeps the profile and removes the state.

pub mod args;
mod cluster;
mod compare;
mod completions;
mod context;
mod doctor;
mod down;
mod gc;
mod init;
mod kubeconfig;
mod logs;
mod members;
mod outlook;
mod plan;
mod recover;
mod report;
mod run;
mod schema;
mod ssh;
mod status;
mod test;
mod unlock;
mod up;
mod usage;
mod validate;
mod version;
mod was;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use args::{Cli, Format, PlanArgs, Verb};
use context::Context;
use usage::UsageError;

use crate::error::{Family, Result};
use crate::ui::{Printer, Verbosity};

/// Parses the command line, runs the verb, and turns the outcome into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(in_a_form_there_is) {
        Ok(cli) => cli,
        Err(error) => return context::refused(&error),
    };
    let verbosity = match (cli.output.quiet, cli.output.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    if let Verb::Was = cli.verb {
        return was::run(&Printer::new(verbosity));
    }
    let context = Context::new(Printer::new(verbosity), cli.output);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            context.printer.error(format!("error: cannot start: {error}"));
            return ExitCode::from(Family::Internal.code());
        }
    };
    let outcome = runtime.block_on(dispatch(cli.verb, &context));
    // work of dropped steps may still block a thread; do not wait for it
    runtime.shutdown_timeout(Duration::from_millis(100));
    context.conclude(outcome)
}

/// Refuses a format for programs where what is printed is no data of ours but written in a language of its own.
fn in_a_form_there_is(cli: Cli) -> Result<Cli, clap::Error> {
    let printed = match &cli.verb {
        Verb::Plan(PlanArgs { dot: true, .. }) => "`plan --dot` prints a graph for Graphviz",
        Verb::Completions { .. } => "`completions` prints a script for a shell",
        Verb::Ssh(_) => "`ssh` prints what the node prints",
        _ => return Ok(cli),
    };
    match cli.output.output {
        Format::Text => Ok(cli),
        Format::Json | Format::Yaml => {
            let message = format!("{printed}, which cannot be had as JSON or YAML: leave out -o");
            Err(Cli::command().error(ErrorKind::ArgumentConflict, message))
        }
    }
}

async fn dispatch(verb: Verb, context: &Context) -> Result<u8> {
    match verb {
        Verb::Init(args) => init::run(context, &args),
        Verb::Validate(args) => validate::run(context, &args),
        Verb::Plan(args) => plan::run(context, args).await,
        Verb::Up(args) => up::run(context, args).await,
        Verb::Status(args) => status::run(context, args).await,
        Verb::Report(args) => report::run(context, args),
        Verb::Test(args) => test::run(context, args).await,
        Verb::Compare(args) => compare::run(context, args).await,
        Verb::Kubeconfig(args) => kubeconfig::run(context, args).await,
        Verb::Logs(args) => logs::run(context, args).await,
        Verb::Ssh(args) => ssh::run(args).await,
        Verb::Recover(args) => recover::run(context, args).await,
        Verb::Unlock(args) => unlock::run(context, args).await,
        Verb::Down(args) => down::run(context, args).await,
        Verb::Gc(args) => gc::run(context, args).await,
        Verb::Doctor(args) => doctor::run(context, args).await,
        Verb::Schema(args) => schema::run(context, &args),
        Verb::Completions { shell } => completions::run(context, shell),
        Verb::Version => version::run(context),
        Verb::Was => unreachable!("handled before the runtime starts"),
    }
}
