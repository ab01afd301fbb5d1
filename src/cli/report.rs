//! `hearth report`: write the page of a run anew from its numbers, list the runs, and set two side by side.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::args::{Format, ReportArgs};
use super::{Context, UsageError};
use crate::error::{Explain, Family, Result};
use crate::report::model::{Digest, Line, Verdict};
use crate::report::{self, Report};
use crate::state::RunId;

/// Where reports go by default.
const REPORTS: &str = "hearth-reports";

/// Where the reports of a run go: to the folder the user named, else to one of its own.
pub(super) fn folder(given: Option<&Path>, run: &RunId) -> PathBuf {
    given.map_or_else(|| Path::new(REPORTS).join(run.as_str()), Path::to_owned)
}

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
            Unshown::Unlike { .. } => {
                Some("numbers of unlike places or questions say nothing about the system: run both alike".into())
            }
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
            if args.open && browse(&paths.html).is_err() {
                context.say("no browser could be started with xdg-open: open the file yourself");
            }
            context.result(&paths.html, || paths.html.display().to_string())?;
            Ok(0)
        }
        _ => Err(Unshown::NoRun.into()),
    }
}

/// The directory of a run, given as a path or as a name below the reports.
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

/// Opens the page in the user's browser, without waiting for it.
fn browse(page: &Path) -> std::io::Result<()> {
    let mut command = Command::new("xdg-open");
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}

/// A run in the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    run: String,
    environment: String,
    verdicts: Vec<Verdict>,
    headline: String,
}

fn list(context: &Context, base: &Path) -> Result<u8> {
    let mut runs: Vec<String> = std::fs::read_dir(base)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    runs.sort();
    let read = |run: String| {
        let report = read(base, &run).ok()?;
        let verdicts = report.summary.results.iter().map(|line| line.verdict).collect();
        Some(Listed { run, environment: report.environment.fingerprint(), verdicts, headline: report.summary.headline })
    };
    let runs: Vec<Listed> = runs.into_iter().filter_map(read).collect();
    if runs.is_empty() {
        context.say(format!("no reports in {}", base.display()));
    }
    let line = |of: &Listed| {
        let verdicts: Vec<&str> = of.verdicts.iter().map(|verdict| verdict.name()).collect();
        format!("{}  {}  {}  {}", of.run, of.environment, verdicts.join(", "), of.headline)
    };
    // an empty list prints nothing, not an empty line
    match (context.output.output, runs.is_empty()) {
        (Format::Text, true) => {}
        _ => context.result(&runs, || runs.iter().map(line).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(0)
}

/// A result in both runs; none where a run lacks it.
#[derive(Debug, Serialize)]
struct Pair {
    name: String,
    one: Option<Told>,
    other: Option<Told>,
}

/// The outcome of a result.
#[derive(Debug, Serialize)]
struct Told {
    verdict: Verdict,
    key: String,
    bound: String,
}

impl Told {
    fn of(line: &Line) -> Told {
        Told { verdict: line.verdict, key: line.key.clone(), bound: line.bound.clone() }
    }

    fn words(&self) -> String {
        // without a number, the bound is a sentence
        if self.key.is_empty() {
            self.verdict.name().to_owned()
        } else {
            format!("{} {} {}", self.verdict.name(), self.key, self.bound)
        }
    }
}

/// Compares only like with like: the same place, the same question, and results of the same name.
fn diff(context: &Context, one: &Report, other: &Report) -> Result<u8> {
    if let Some((name, here, there)) = unlike(one, other) {
        return Err(Unshown::Unlike { what: format!("{name} is `{here}` in {} and `{there}` in {}", one.run, other.run) }.into());
    }
    let same = |one: &Line, other: &Line| (one.kind, &one.name) == (other.kind, &other.name);
    let (here, there) = (&one.summary.results, &other.summary.results);
    let mut pairs: Vec<Pair> = here
        .iter()
        .map(|line| {
            let there = there.iter().find(|there| same(line, there));
            Pair { name: line.name.clone(), one: Some(Told::of(line)), other: there.map(Told::of) }
        })
        .collect();
    let only_there = there.iter().filter(|line| !here.iter().any(|here| same(here, line)));
    pairs.extend(only_there.map(|line| Pair { name: line.name.clone(), one: None, other: Some(Told::of(line)) }));
    context.result(&pairs, || {
        let mut text = format!("{} and {}, {}", one.run, other.run, one.environment.fingerprint());
        for Pair { name, one: here, other: there } in &pairs {
            text.push_str(&match (here, there) {
                (Some(here), Some(there)) => format!("\n{name}\n  {}\n  {}", here.words(), there.words()),
                (Some(_), None) => format!("\n{name}: only in {}", one.run),
                (None, _) => format!("\n{name}: only in {}", other.run),
            });
        }
        text
    })?;
    Ok(0)
}

/// The first difference that makes two runs incomparable: another place, or other content under the same name.
fn unlike(one: &Report, other: &Report) -> Option<(String, String, String)> {
    if let Some((name, here, there)) = one.environment.differences(&other.environment).into_iter().next() {
        return Some((name.to_owned(), here, there));
    }
    let short = |digest: &Digest| digest.sha256.chars().take(12).collect::<String>();
    one.digests.iter().find_map(|here| {
        let there = other.digests.iter().find(|there| (&there.what, &there.name) == (&here.what, &here.name))?;
        (there.sha256 != here.sha256).then(|| (format!("the {} of {}", here.what, here.name), short(here), short(there)))
    })
}
