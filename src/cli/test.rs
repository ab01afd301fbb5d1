//! `hearth test`: run scenarios, write the report, and let the exit code tell a failed system from a failed tool.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::TestArgs;
use super::{Context, UsageError, cluster, run};
use crate::engine::interrupt;
use crate::error::{Explain, Family, Result};
use crate::profile::Provider;
use crate::report::{self, About, Digest, Place, Report};
use crate::scenario::progress::{Phase, Trial};
use crate::scenario::{self, ProgressEvent, RunRecord, Scenario};
use crate::steps::Session;
use crate::ui::Printer;

/// Where reports go when nobody says.
const REPORTS: &str = "hearth-reports";

/// A scenario did not pass.
#[derive(Debug, thiserror::Error)]
#[error("{}", .records.join("\n"))]
struct NotPassed {
    records: Vec<String>,
    family: Family,
}

impl Explain for NotPassed {
    fn family(&self) -> Family {
        self.family
    }
}

pub async fn run(context: &Context, args: TestArgs) -> Result<u8> {
    let scenarios = load(&args.scenarios)?;
    let session = cluster::session(cluster::existing(&args.profile)?, None, None)?;
    if session.provider.existing(&session.profile.name).await?.is_empty() {
        return Err(UsageError::NoCluster { name: session.profile.name.clone() }.into());
    }
    let ((report, paths), _lock) = run::exclusive(context, &session, None, async |running| {
        let dir = args.report_dir.clone().unwrap_or_else(|| Path::new(REPORTS).join(running.id.as_str()));
        std::fs::create_dir_all(&dir).map_err(|source| UsageError::Write { path: dir.display().to_string(), source })?;
        let within = scenario_context(context, &session, running, &dir).await?;
        let mut records = Vec::new();
        for one in &scenarios {
            context.printer.err(format!("scenario {}", one.metadata.name));
            records.push(scenario::run(&within, one).await);
        }
        let report = Report::new(about(&args, &session, running), &dir, records);
        let paths = report::write(&dir, &report)?;
        Ok((report, paths))
    })
    .await?;
    context.result(&report, || {
        let lines: Vec<String> = report.scenarios.iter().map(summary).collect();
        format!("{}\nreport {}", lines.join("\n"), paths.markdown.display())
    })?;
    // a failed clean-up or a broken tool must not look like a failed system
    let family = report.scenarios.iter().filter_map(RunRecord::exit_family).max_by_key(|family| family.code());
    match family {
        None => Ok(0),
        Some(family) => {
            let records = report.scenarios.iter().filter(|record| record.exit_family().is_some()).map(summary).collect();
            Err(NotPassed { records, family }.into())
        }
    }
}

/// What the report says of the run besides its results.
fn about(args: &TestArgs, session: &Session, running: &run::Run) -> About {
    let files: Vec<String> = args.scenarios.iter().map(|path| path.display().to_string()).collect();
    let profile: String = args.profile.file.iter().map(|file| format!(" -f {file}")).collect();
    let digests = files.iter().filter_map(|file| Some(Digest::of("scenario", file, &std::fs::read(file).ok()?)));
    let provider = match &session.profile.provider {
        Provider::Docker(_) => "docker",
        Provider::Ssh(_) => "ssh",
    };
    About {
        run: running.id.to_string(),
        place: Place {
            provider: Some(provider.to_owned()),
            nodes: Some(session.profile.nodes().count() as u32),
            load: "this machine, through the gateway's address".to_owned(),
        },
        commands: vec![
            format!("hearth up{profile}"),
            format!("hearth test {}{profile}", files.join(" ")),
            format!("hearth report {} --open", running.id),
        ],
        digests: digests.collect(),
    }
}

/// All scenarios of the named files, and of the files in the named directories; every mistake in them at once.
fn load(paths: &[PathBuf]) -> Result<Vec<Scenario>> {
    let unreadable = |path: &Path| {
        let path = path.display().to_string();
        move |source| UsageError::Read { path, source }
    };
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(unreadable(path))?;
            let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
            found.sort();
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let mut scenarios = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(unreadable(&file))?;
        scenarios.push(scenario::load_file(&file.display().to_string(), &text)?);
    }
    Ok(scenarios)
}

async fn scenario_context(
    context: &Context,
    session: &Arc<Session>,
    running: &run::Run,
    dir: &Path,
) -> Result<scenario::Context> {
    let printer = context.printer.clone();
    let cancel =
        interrupt::install(move || printer.error("stopped at once: the next `hearth test` takes back what this one changed"))
            .map_err(|source| UsageError::Write { path: "signal handler".into(), source })?;
    let printer = context.printer.clone();
    Ok(scenario::Context {
        client: session.client().await?.clone(),
        gateway: SocketAddr::from((session.vip().await?, 80)),
        nodes: Some(scenario::node_shell(session.nodes().await?)),
        profile: Some(session.profile.name.clone()),
        run: running.id.to_string(),
        run_dir: dir.to_owned(),
        journal: session.state.root().join("undo.jsonl"),
        cancel,
        sink: Arc::new(move |event: ProgressEvent| tell(&printer, &event)),
    })
}

/// One line for what happens; the load itself is only worth a line to those who ask for more.
fn tell(printer: &Printer, event: &ProgressEvent) {
    match event {
        ProgressEvent::Healed { object } => printer.err(format!("  took back what an earlier run had left: {object}")),
        ProgressEvent::Calibrating => printer.err("  calibrating the load generator"),
        ProgressEvent::Trial { trial: Trial::Claim } => printer.err("  as written"),
        ProgressEvent::Trial { trial: Trial::Control } => printer.err("  negative control: must fail"),
        ProgressEvent::Changing { object, back: false } => printer.err(format!("    changing {object}")),
        ProgressEvent::Changing { object, back: true } => printer.err(format!("    changing {object} back")),
        ProgressEvent::Phase { phase } => printer.err(match phase {
            Phase::Before => "    waiting for the steady state",
            Phase::Faults => "    faults",
            Phase::After => "    waiting for the steady state to come back",
            Phase::Drain => "    requests in flight",
        }),
        ProgressEvent::Load { requests, failed } => printer.detail(format!("    {requests} requests, {failed} failed")),
        ProgressEvent::Kill { pod, node, number, of } => printer.err(format!("    kill {number}/{of}: pod {pod} on {node}")),
        ProgressEvent::Replaced { after_ms } => printer.err(format!("      replaced after {:.1} s", after_ms / 1000.0)),
        ProgressEvent::Steady { after_ms } => printer.err(format!("      steady after {:.1} s", after_ms / 1000.0)),
        ProgressEvent::Finished { verdict } => printer.err(format!("  {}", verdict.name())),
    }
}

fn summary(record: &RunRecord) -> String {
    let mut line = format!("{} {}", record.verdict.name(), record.scenario);
    for reason in &record.reasons {
        line.push_str(&format!("\n  {reason}"));
    }
    line
}
