//! `hearth test`: run scenarios, write the report, and distinguish in the exit code a failed system from a failed tool.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::TestArgs;
use super::run::{self, Opening, Run};
use super::{Context, UsageError, cluster, recover};
use crate::engine::{Reason, Stopped};
use crate::error::{Explain, Family, Result, chain};
use crate::input::read_file;
use crate::profile::Workloads;
use crate::report::{self, About, Digest, Place, Report, strip};
use crate::scenario::{self, RunRecord, Scenario, Verdict};
use crate::state::RunId;
use crate::steps::Session;

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
    let scenarios = load(context, &args.scenarios)?;
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    let id = RunId::new();
    let about = about(&args, &session, &id);
    let dir = super::report::folder(args.report_dir.as_deref(), &id);
    std::fs::create_dir_all(&dir).map_err(|source| UsageError::Write { path: dir.display().to_string(), source })?;
    let mut records = Vec::new();
    let done = measure(context, &session, id, &dir, &scenarios, &mut records).await;
    // whatever went wrong, a report is written with what there was until then
    let report = Report::new(about, &dir, records);
    let report = match &done {
        Ok(()) => report,
        Err(error) => report.with_problem(chain(&**error)),
    };
    let paths = report::write(&dir, &report)?;
    context.result(&report, || {
        let told = |record: &RunRecord| format!("{}\n{}\n", summary(record), strip::scenario(record));
        let lines: Vec<String> = report.scenarios.iter().map(told).collect();
        format!("{}report {}", lines.concat(), paths.markdown.display())
    })?;
    done?;
    // a failed clean-up or a broken tool must not look like a failed system
    let family = report.scenarios.iter().filter_map(RunRecord::exit_family).max_by_key(|family| family.code());
    match family {
        // nothing measured is not a success
        None if !args.allow_skipped && report.scenarios.iter().all(|record| record.verdict == Verdict::Skipped) => {
            let mut records: Vec<String> = report.scenarios.iter().map(summary).collect();
            records.push("nothing was tested: every scenario was skipped (--allow-skipped accepts that)".to_owned());
            Err(NotPassed { records, family: Family::Preflight }.into())
        }
        None => Ok(0),
        Some(family) => {
            let records = report.scenarios.iter().filter(|record| record.exit_family().is_some()).map(summary).collect();
            Err(NotPassed { records, family }.into())
        }
    }
}

/// What the report contains about the run besides its results.
fn about(args: &TestArgs, session: &Session, run: &RunId) -> About {
    let files: Vec<String> = args.scenarios.iter().map(|path| path.display().to_string()).collect();
    let profile: String = args.profile.file.iter().map(|file| format!(" -f {file}")).collect();
    let digests = files.iter().filter_map(|file| Some(Digest::of("scenario", file, &std::fs::read(file).ok()?)));
    About {
        run: run.to_string(),
        place: Place {
            provider: Some(session.profile.provider.name().to_owned()),
            nodes: Some(session.profile.nodes().count() as u32),
            load: "this machine, through the gateway's address".to_owned(),
        },
        commands: vec![
            format!("hearth up{profile}"),
            format!("hearth test {}{profile}", files.join(" ")),
            format!("hearth report {run} --open"),
        ],
        digests: digests.collect(),
    }
}

/// Runs the scenarios one after the other; those that ran are in `records`, even on an error.
async fn measure(
    context: &Context,
    session: &Arc<Session>,
    id: RunId,
    dir: &Path,
    scenarios: &[Scenario],
    records: &mut Vec<RunRecord>,
) -> Result<()> {
    recover::wake(context, session).await?;
    cluster::nodes(session).await?;
    let last_words = "`hearth recover` takes back what this run changed";
    run::open(context, session, Opening { id, verb: "test", wait: None, last_words }, async |running| {
        let within = running.unless_stopped(scenario_context(session, running, dir)).await??;
        for one in scenarios {
            if let Some(reason) = running.cancel.reason() {
                return Err(Stopped::early(reason).into());
            }
            records.push(scenario::run(&within, one).await);
        }
        // an interrupted run is marked in its record; that the hosts were taken over is reported only here
        match running.cancel.reason() {
            Some(reason @ Reason::Taken) => Err(Stopped::early(reason).into()),
            _ => Ok(()),
        }
    })
    .await
    .map(|((), _lock)| ())
}

/// All scenarios of the named files, and of the files in the named directories; every mistake in them at once. A comparison in
/// a directory is left out with a message; one that is named itself is refused.
fn load(context: &Context, paths: &[PathBuf]) -> Result<Vec<Scenario>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let unreadable = |source| UsageError::Read { path: path.display().to_string(), source };
            let entries = std::fs::read_dir(path).map_err(unreadable)?;
            let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|file| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
            found.sort();
            files.extend(found.into_iter().map(|file| (file, false)));
        } else {
            files.push((path.clone(), true));
        }
    }
    let (mut scenarios, mut comparisons) = (Vec::new(), Vec::new());
    for (file, named) in files {
        let text = read_file("scenario", &file)?;
        let path = file.display().to_string();
        match is_comparison(&text) {
            false => scenarios.push(scenario::load_file(&path, &text)?),
            true if named => return Err(UsageError::Comparison { path }.into()),
            true => comparisons.push(path),
        }
    }
    for path in &comparisons {
        context.say(format!("{path} is a comparison and not a scenario: `hearth compare {path}` runs it"));
    }
    if scenarios.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(UsageError::NoScenario { paths: paths.join(", "), comparison: comparisons.into_iter().next() }.into());
    }
    Ok(scenarios)
}

/// True for a document whose kind is a comparison; what else is wrong with it is reported by its reader.
fn is_comparison(text: &str) -> bool {
    crate::yaml::documents(text).is_ok_and(|documents| documents.first().is_some_and(|first| first["kind"] == "Comparison"))
}

async fn scenario_context(session: &Arc<Session>, running: &Run, dir: &Path) -> Result<scenario::Context> {
    let vip = session.vip().await?;
    Ok(scenario::Context {
        client: session.client().await?.clone(),
        gateway: SocketAddr::from((vip, 80)),
        host: session.profile.components.workloads.as_ref().and_then(Workloads::host).unwrap_or_else(|| vip.to_string()),
        nodes: Some(scenario::nodes(session.provider.clone())),
        profile: Some(session.profile.name.clone()),
        run: running.id.to_string(),
        run_dir: dir.to_owned(),
        journal: session.state.undo_journal(),
        cancel: running.cancel.token().clone(),
        events: running.events.clone(),
    })
}

fn summary(record: &RunRecord) -> String {
    let mut line = format!("{} {}", record.verdict.name(), record.scenario);
    for reason in &record.reasons {
        line.push_str(&format!("\n  {reason}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_says_what_it_is() {
        assert!(is_comparison("apiVersion: hearth.dev/v1alpha1\nkind: Comparison\nspec: {}\n"));
        assert!(!is_comparison("kind: Scenario\n") && !is_comparison("kind: [") && !is_comparison("# kind: Comparison\n"));
    }
}
