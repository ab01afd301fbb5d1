//! `hearth report`: write the page of a run anew from its numbers, list what there is, and set two runs side by side.

use std::path::{Path, PathBuf};

use super::args::ReportArgs;
use super::{Context, UsageError};
use crate::error::{Explain, Family, Result};
use crate::report::{self, Report};

/// Where `hearth test` puts reports when nobody says.
const REPORTS: &str = "hearth-reports";

/// A report cannot be shown.
#[derive(Debug, thiserror::Error)]
enum Unshown {
    #[error("{path} is not a report that this version reads")]
    Foreign {
        path: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the runs are not alike: {what}")]
    Unlike { what: String },
    #[error("say which run, or `list`, or `diff RUN RUN`")]
    NoRun,
}

impl Explain for Unshown {
    fn family(&self) -> Family {
        match self {
            Unshown::NoRun => Family::Usage,
            Unshown::Foreign { .. } | Unshown::Unlike { .. } => Family::Preflight,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Unshown::Unlike { .. } => Some("numbers of unlike places say nothing about the system: run both in one place".into()),
            Unshown::Foreign { .. } => None,
            Unshown::NoRun => Some("`hearth report list` shows the runs".into()),
        }
    }
}

pub fn run(context: &Context, args: ReportArgs) -> Result<u8> {
    let base = args.report_dir.as_deref().unwrap_or(Path::new(REPORTS));
    match args.what.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["list"] => list(context, base),
        ["diff", one, other] => diff(context, &read(base, one)?, &read(base, other)?),
        [run] => {
            let dir = place(base, run);
            let paths = report::write(&dir, &read(base, run)?)?;
            if args.open {
                // a browser of the user's; that there is none is no failure of the report
                let _ = std::process::Command::new("xdg-open").arg(&paths.html).spawn();
            }
            context.printer.out(paths.html.display());
            Ok(0)
        }
        _ => Err(Unshown::NoRun.into()),
    }
}

/// The directory of a run: named whole, or below the reports.
fn place(base: &Path, run: &str) -> PathBuf {
    let whole = PathBuf::from(run);
    if whole.join("report.json").is_file() { whole } else { base.join(run) }
}

fn read(base: &Path, run: &str) -> Result<Report> {
    let path = place(base, run).join("report.json");
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|source| UsageError::Read { path: name.clone(), source })?;
    Ok(serde_json::from_str(&text).map_err(|source| Unshown::Foreign { path: name, source })?)
}

fn list(context: &Context, base: &Path) -> Result<u8> {
    let mut runs: Vec<String> = std::fs::read_dir(base)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    runs.sort();
    for run in runs {
        if let Ok(report) = read(base, &run) {
            context.printer.out(format!("{run}  {}  {}", report.environment.fingerprint(), report.summary.headline));
        }
    }
    Ok(0)
}

/// Only like with like: the same place, and results of the same name.
fn diff(context: &Context, one: &Report, other: &Report) -> Result<u8> {
    let unlike = one.environment.differences(&other.environment);
    if let Some((name, here, there)) = unlike.first() {
        return Err(Unshown::Unlike { what: format!("{name} is `{here}` in {} and `{there}` in {}", one.run, other.run) }.into());
    }
    context.printer.out(format!("{} and {}, {}", one.run, other.run, one.environment.fingerprint()));
    for line in &one.summary.results {
        match other.summary.results.iter().find(|there| (there.kind, &there.name) == (line.kind, &line.name)) {
            Some(there) => {
                let (here, there) = ((line.verdict.name(), &line.key), (there.verdict.name(), &there.key));
                context.printer.out(format!("{}: {} {} → {} {}", line.name, here.0, here.1, there.0, there.1));
            }
            None => context.printer.out(format!("{}: only in {}", line.name, one.run)),
        }
    }
    for line in &other.summary.results {
        if !one.summary.results.iter().any(|here| (here.kind, &here.name) == (line.kind, &line.name)) {
            context.printer.out(format!("{}: only in {}", line.name, other.run));
        }
    }
    Ok(0)
}
