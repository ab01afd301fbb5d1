//! `hearth compare`: two arms measured against each other, and an exit code that is good news only when the verdict is.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::args::CompareArgs;
use super::{Context, UsageError, cluster};
use crate::compare::schema::Arm;
use crate::compare::{self, Comparison, Spec};
use crate::engine::interrupt;
use crate::error::{Family, Result};
use crate::event::{Event, Events, LogSink, RunOutcome};
use crate::file::{self, Readers};
use crate::input::read_file;
use crate::report::{self, About, Place, Report, terminal};
use crate::state::RunId;
use crate::steps::Session;

/// Where the load comes from.
const LOAD: &str = "this machine";

pub async fn run(context: &Context, args: CompareArgs) -> Result<u8> {
    let (name, spec) = question(&args)?;
    let session = place(&args, &spec).await?;
    let run = RunId::new();
    let dir = super::report::folder(args.report_dir.as_deref(), &run);
    // so that minutes of measurement are not lost because the folder cannot be written
    std::fs::create_dir_all(&dir).map_err(|source| UsageError::Write { path: dir.display().to_string(), source })?;
    let comparison = match measure(context, &run, name, &spec, session.as_deref()).await {
        Ok(comparison) => comparison,
        Err(error) => {
            // only removed if empty
            let _ = std::fs::remove_dir(&dir);
            return Err(error);
        }
    };
    write(&dir, &comparison)?;
    let about = About {
        run: run.to_string(),
        place: session.as_deref().map_or_else(|| Place { load: LOAD.to_owned(), ..Place::default() }, in_cluster),
        commands: commands(&args, &run),
        ..About::default()
    };
    let paths = report::write(&dir, &Report::new(about, &dir, Vec::new()).with_comparisons(vec![comparison.clone()]))?;
    context.result(&comparison, || format!("{}\nreport {}", terminal::comparison(&comparison), paths.html.display()))?;
    Ok(match comparison.verdict.exit_family() {
        _ if comparison.incomplete => Family::Interrupted.code(),
        None => 0,
        Some(family) => family.code(),
    })
}

/// The cluster that arms are services of; none is asked for where all of them are URLs.
async fn place(args: &CompareArgs, spec: &Spec) -> Result<Option<Arc<Session>>> {
    if !spec.needs_cluster() {
        let named = !args.profile.file.is_empty() || args.profile.name.is_some();
        return if named { Err(UsageError::NoServiceArm.into()) } else { Ok(None) };
    }
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    cluster::nodes(&session).await?;
    Ok(Some(session))
}

fn in_cluster(session: &Session) -> Place {
    Place {
        provider: Some(session.profile.provider.name().to_owned()),
        nodes: Some(session.profile.nodes().count() as u32),
        load: format!("{LOAD}, through the services' addresses"),
    }
}

/// The commands that repeat it, in order.
fn commands(args: &CompareArgs, run: &RunId) -> Vec<String> {
    let profile: Vec<String> = args.profile.file.iter().map(|file| format!("-f {}", quoted(file))).collect();
    let up = (!profile.is_empty()).then(|| format!("hearth up {}", profile.join(" ")));
    let report = args.report_dir.as_ref().map_or(run.as_str().into(), |dir| dir.display().to_string());
    up.into_iter().chain([command(args), format!("hearth report {report} --open")]).collect()
}

/// The command that repeats this comparison.
fn command(args: &CompareArgs) -> String {
    let mut words = vec!["hearth compare".to_owned()];
    words.extend(args.comparison.iter().map(|file| quoted(&file.display().to_string())));
    let url = |arm: &Arm| quoted(&format!("{}={}", arm.name, arm.url.as_deref().unwrap_or_default()));
    words.extend(args.arm.iter().map(|arm| format!("--arm {}", url(arm))));
    words.extend(args.profile.file.iter().map(|file| format!("-f {}", quoted(file))));
    words.extend(args.profile.set.iter().map(|set| format!("--set {}", quoted(set))));
    let mut option = |name: &str, value: Option<String>| words.extend(value.map(|value| format!("{name} {}", quoted(&value))));
    option("--name", args.profile.name.clone());
    option("--metric", args.metric.map(|metric| metric.to_string()));
    option("--margin", args.margin.map(|margin| margin.to_string()));
    option("--alpha", args.alpha.map(|alpha| alpha.to_string()));
    option("--rate", args.rate.map(|rate| rate.to_string()));
    option("--connections", args.connections.map(|count| count.to_string()));
    option("--windows", args.windows.map(|count| count.to_string()));
    option("--window", args.window.map(|window| window.to_string()));
    option("--timeout", args.timeout.map(|timeout| timeout.to_string()));
    option("--seed", args.seed.map(|seed| seed.to_string()));
    option("--status", args.status.map(|status| status.to_string()));
    words.extend(args.quick.then(|| "--quick".to_owned()));
    words.extend(args.allow_different_bodies.then(|| "--allow-different-bodies".to_owned()));
    words.join(" ")
}

/// Quoted for a shell, as one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Runs the comparison as a run of its own: it changes nothing, so it needs no lock.
async fn measure(context: &Context, run: &RunId, name: String, spec: &Spec, session: Option<&Session>) -> Result<Comparison> {
    let client = match session {
        Some(session) => Some(session.client().await?.clone()),
        None => None,
    };
    let printer = context.printer.clone();
    let cancel = interrupt::install(move || {
        printer.abandon_display();
        printer.error("stopped at once: there is no result");
    })
    .map_err(UsageError::Signals)?;
    let run_id = run.to_string();
    let (events, sinks) = Events::open(&run_id, vec![super::run::display(context), Box::new(LogSink)]);
    let (verb, started) = ("compare".to_owned(), jiff::Timestamp::now());
    events.emit(Event::RunStarted { run_id: run_id.clone(), verb, name: name.clone(), started });
    let within = compare::Context { run: run_id, events: events.clone(), client, cancel: cancel.token().clone() };
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

/// The question in the file, if one is named, with the command line's values in place of the file's.
fn question(args: &CompareArgs) -> Result<(String, Spec)> {
    let (name, mut spec) = match &args.comparison {
        Some(file) => {
            let path = file.display().to_string();
            let text = read_file("comparison", file)?;
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Verb};

    #[test]
    fn the_command_of_the_report_asks_the_same_question() {
        let line = "hearth compare --arm a=http://127.0.0.1:1/x --arm 'b=http://127.0.0.1:2/x?y=1' --metric latency.p99 \
                    --margin '2 %' --quick";
        let words = ["hearth", "compare", "--arm", "a=http://127.0.0.1:1/x", "--arm", "b=http://127.0.0.1:2/x?y=1", "--metric"];
        let words = words.into_iter().chain(["p99", "--margin", "2%", "--quick"]);
        let Verb::Compare(args) = Cli::parse_from(words).verb else { panic!("another verb") };
        assert_eq!(command(&args), line);
        assert_eq!(quoted("it's"), r"'it'\''s'");
        let words = ["hearth", "compare", "hop.yaml", "-f", "a b.yaml", "--name", "hop", "--quick"];
        let Verb::Compare(args) = Cli::parse_from(words).verb else { panic!("another verb") };
        let asked = ["hearth up -f 'a b.yaml'", "hearth compare hop.yaml -f 'a b.yaml' --name hop --quick"];
        assert_eq!(commands(&args, &RunId::new())[..2], asked);
    }
}
