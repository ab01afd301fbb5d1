//! `hearth compare`: two arms measured against each other, and an exit code that is good news only when the verdict is.

use std::path::Path;

use super::args::CompareArgs;
use super::{Context, UsageError};
use crate::compare::{self, Comparison, Spec};
use crate::engine::interrupt;
use crate::error::{Family, Result};
use crate::progress::{Progress, Said};
use crate::report::terminal;
use crate::state::RunId;

pub async fn run(context: &Context, args: CompareArgs) -> Result<u8> {
    let (name, spec) = question(&args)?;
    let printer = context.printer.clone();
    let cancel = interrupt::install(move || printer.error("stopped at once"))
        .map_err(|source| UsageError::Write { path: "signal handler".into(), source })?;
    let within = compare::Context { run: RunId::new().to_string(), voice: voice(context), cancel };
    let comparison = compare::run(&name, &spec, &within).await?;
    if let Some(dir) = &args.report_dir {
        write(dir, &comparison)?;
    }
    context.result(&comparison, || terminal::comparison(&comparison))?;
    Ok(match comparison.verdict.exit_family() {
        _ if comparison.incomplete => Family::Interrupted.code(),
        None => 0,
        Some(family) => family.code(),
    })
}

/// The file's question, or none, with what the command line says in place of it.
fn question(args: &CompareArgs) -> Result<(String, Spec)> {
    let (name, mut spec) = match &args.file {
        Some(file) => {
            let path = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|source| UsageError::Read { path: path.clone(), source })?;
            let (metadata, spec) = compare::load_file(&path, &text)?;
            (metadata.name, spec)
        }
        None => ("compare".to_owned(), Spec::of(args.arm.clone())),
    };
    let (primary, load, design, expect) = (&mut spec.primary, &mut spec.load, &mut spec.design, &mut spec.expect);
    primary.metric = args.metric.unwrap_or(primary.metric);
    primary.margin = args.margin.unwrap_or(primary.margin);
    spec.alpha = args.alpha.unwrap_or(spec.alpha);
    load.rate = args.rate.unwrap_or(load.rate);
    load.connections = args.connections.unwrap_or(load.connections);
    load.timeout = args.timeout.unwrap_or(load.timeout);
    design.windows = args.windows.or(design.windows);
    design.window = args.window.or(design.window);
    design.seed = args.seed.unwrap_or(design.seed);
    design.quick |= args.quick;
    expect.status = args.status.unwrap_or(expect.status);
    expect.different_bodies |= args.allow_different_bodies;
    Ok((name, spec))
}

/// A line for each phase; its windows only for those who ask for more.
fn voice(context: &Context) -> Progress {
    let (printer, last) = (context.printer.clone(), std::sync::Mutex::new(String::new()));
    Progress::new(move |said| {
        let Said::Doing(text) = said else { return };
        let phase = text.split(':').next().unwrap_or_default().to_owned();
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last == phase {
            printer.detail(format!("  {text}"))
        } else {
            printer.err(&text)
        }
        *last = phase;
    })
}

fn write(dir: &Path, comparison: &Comparison) -> Result<()> {
    let path = dir.join("comparison.json");
    let failed = |source| UsageError::Write { path: path.display().to_string(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let json = serde_json::to_string_pretty(comparison).map_err(|error| failed(error.into()))?;
    std::fs::write(&path, json + "\n").map_err(failed)?;
    Ok(())
}
