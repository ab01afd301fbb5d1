//! `hearth compare`: two arms measured against each other, and an exit code that is good news only when the verdict is.

use std::io::Write;
use std::path::Path;

use super::args::CompareArgs;
use super::{Context, UsageError, run};
use crate::compare::{self, Comparison, Spec};
use crate::engine::interrupt;
use crate::error::{Family, Result};
use crate::event::{Event, Events, LogSink, RunOutcome};
use crate::file::{self, Readers};
use crate::report::{self, About, Place, Report, terminal};
use crate::state::RunId;

pub async fn run(context: &Context, args: CompareArgs) -> Result<u8> {
    let (name, spec) = question(&args)?;
    let comparison = measure(context, name, &spec).await?;
    if let Some(dir) = &args.report_dir {
        write(dir, &comparison)?;
        let about = About {
            run: comparison.run.clone(),
            place: Place { load: "this machine".to_owned(), ..Place::default() },
            commands: vec!["hearth compare".to_owned()],
            ..About::default()
        };
        report::write(dir, &Report::new(about, dir, Vec::new()).with_comparisons(vec![comparison.clone()]))?;
    }
    context.result(&comparison, || terminal::comparison(&comparison))?;
    Ok(match comparison.verdict.exit_family() {
        _ if comparison.incomplete => Family::Interrupted.code(),
        None => 0,
        Some(family) => family.code(),
    })
}

/// Runs the comparison as a run of its own: it changes nothing, so it needs no lock.
async fn measure(context: &Context, name: String, spec: &Spec) -> Result<Comparison> {
    let printer = context.printer.clone();
    let cancel = interrupt::install(move || {
        printer.abandon_display();
        printer.error("stopped at once: there is no result");
    })
    .map_err(UsageError::Signals)?;
    let run_id = RunId::new().to_string();
    let (events, sinks) = Events::open(&run_id, vec![run::display(context), Box::new(LogSink)]);
    let (verb, started) = ("compare".to_owned(), jiff::Timestamp::now());
    events.emit(Event::RunStarted { run_id: run_id.clone(), verb, name: name.clone(), started });
    let within = compare::Context { run: run_id, events: events.clone(), cancel: cancel.token().clone() };
    let done = compare::run(&name, spec, &within).await;
    let outcome = match &done {
        Ok(comparison) if comparison.incomplete => RunOutcome::Cancelled,
        Ok(_) => RunOutcome::Completed,
        Err(_) => RunOutcome::Failed,
    };
    events.emit(Event::RunFinished { outcome, seconds: events.elapsed() });
    sinks.finish().await;
    Ok(done?)
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

fn write(dir: &Path, comparison: &Comparison) -> Result<()> {
    let path = dir.join("comparison.json");
    let failed = |source| UsageError::Write { path: path.display().to_string(), source };
    let json = serde_json::to_string_pretty(comparison).map_err(|error| failed(error.into()))?;
    file::replace(&path, Readers::Everybody, |file| writeln!(file, "{json}")).map_err(failed)?;
    Ok(())
}
