//! One file a verb: load → call → print. Exit codes come from errors' families.

pub mod args;
mod cluster;
mod compare;
mod completions;
mod doctor;
mod down;
mod init;
mod kubeconfig;
mod logs;
mod plan;
mod report;
mod run;
mod schema;
mod ssh;
mod status;
mod test;
mod unlock;
mod up;
mod validate;
mod version;
mod was;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{Cli, Format, OutputArgs, Verb};

use crate::error::{Explain, Family, Result};
use crate::ui::{Printer, Verbosity, failure};

/// What every verb gets.
struct Context {
    /// The terminal.
    printer: Printer,
    /// How to use it.
    output: OutputArgs,
    /// The log of the run, once there is one; failures name it.
    log: std::sync::OnceLock<std::path::PathBuf>,
}

impl Context {
    /// Prints a result as the user wants it; `text` is for people.
    fn result(&self, value: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.output.output {
            Format::Text => self.printer.out(text()),
            Format::Json => self.printer.json(value),
            Format::Yaml => self.printer.raw(&crate::yaml::to_string(value)?),
        }
        Ok(())
    }
}

/// Parses the command line, runs the verb, and turns what happened into an exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let verbosity = match (cli.output.quiet, cli.output.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    if let Verb::Was = cli.verb {
        return was::run(&Printer::new(verbosity));
    }
    let context = Context { printer: Printer::new(verbosity), output: cli.output, log: std::sync::OnceLock::new() };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            context.printer.error(format!("error: cannot start: {error}"));
            return ExitCode::from(Family::Internal.code());
        }
    };
    let outcome = runtime.block_on(dispatch(cli.verb, &context));
    // work of dropped steps may still block a thread; nothing waits for it
    runtime.shutdown_timeout(Duration::from_millis(100));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if context.output.output == Format::Json {
                context.printer.json(&serde_json::json!({
                    "error": crate::error::chain(&*error), "hint": error.hint(), "code": error.family().code(), "family": error.family()}));
            }
            failure(&context.printer, &error, context.log.get().map(std::path::PathBuf::as_path));
            ExitCode::from(error.family().code())
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
        Verb::Unlock(args) => unlock::run(context, args).await,
        Verb::Down(args) => down::run(context, args).await,
        Verb::Doctor(args) => doctor::run(context, args).await,
        Verb::Schema(args) => schema::run(context, &args),
        Verb::Completions { shell } => completions::run(context, shell),
        Verb::Version => version::run(context),
        Verb::Was => unreachable!("handled before the runtime starts"),
    }
}

/// The command line asks for something that makes no sense as it stands.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("no profile: there is no hearth.yaml here and no cluster is up")]
    NoProfile,
    #[error("several clusters are up ({names}): which one?")]
    Several { names: String },
    #[error("there is no cluster named `{name}`")]
    NoCluster { name: String },
    #[error("nobody is there to say yes")]
    NotATerminal,
    #[error("not confirmed: nothing was changed")]
    NotConfirmed,
    #[error("{path} exists already")]
    Exists { path: String },
    #[error("cannot write {path}")]
    Write {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read {path}")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("there is no scenario in {paths}")]
    NoScenario { paths: String },
    #[error("cannot read standard input")]
    Stdin(#[source] std::io::Error),
}

impl Explain for UsageError {
    fn family(&self) -> Family {
        match self {
            UsageError::NoCluster { .. } | UsageError::Exists { .. } | UsageError::Write { .. } => Family::Preflight,
            _ => Family::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            UsageError::NoProfile => "name one with -f FILE, or write one with `hearth init`".into(),
            UsageError::Several { .. } => "say --name NAME or -f FILE".into(),
            UsageError::NoCluster { .. } => "`hearth up -f FILE` makes one".into(),
            UsageError::NotATerminal => "say --yes".into(),
            UsageError::Exists { .. } => "say --force to overwrite it".into(),
            _ => return None,
        })
    }
}
