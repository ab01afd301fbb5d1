//! Reports: the results, for people (a page, Markdown as a CI job's summary) and for machines (JSON, JUnit, CSV).
//!
//! In: records of scenarios and comparisons, few or none if something broke early. Out: one [`Report`], and files that are pure
//! functions of it. Only the report's own folder is touched.
//!
//! `story` finds the parts of sentences, `sentence` words them, `number` and `estimate` write numbers; all renderers share
//! these.

mod claim;
mod comparison;
mod csv;
mod environment;
mod estimate;
mod html;
mod junit;
mod markdown;
pub mod model;
pub mod number;
mod seen;
pub mod sentence;
mod story;
pub mod strip;
mod summary;
pub mod terminal;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use crate::compare::Comparison;
use crate::error::{Explain, Family};
use crate::file::{self, Readers};
use crate::scenario::RunRecord;

pub use environment::Place;
pub use model::{Digest, Report};
use model::{Environment, RawFile, ReportVersion, Seed, Summary};

/// What a report is about, besides its results.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The run's name.
    pub run: String,
    /// The place of the run.
    pub place: Place,
    /// Commands that repeat it, in order.
    pub commands: Vec<String>,
    /// SHA-256 of the files that ran.
    pub digests: Vec<Digest>,
}

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// JSON, for machines.
    pub json: PathBuf,
    /// The page, for people.
    pub html: PathBuf,
    /// Markdown, for a job's summary.
    pub markdown: PathBuf,
    /// JUnit XML, for CI systems that list cases.
    pub junit: PathBuf,
    /// CSV, for spreadsheets.
    pub csv: PathBuf,
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report {path}", path = .path.display())]
pub struct ReportError {
    /// The file that could not be written.
    pub path: PathBuf,
    /// The system's error.
    #[source]
    pub source: std::io::Error,
}

impl Explain for ReportError {
    fn family(&self) -> Family {
        Family::Preflight
    }

    fn hint(&self) -> Option<String> {
        Some("choose another place with --report-dir".into())
    }
}

impl Report {
    /// A report of these runs, whose raw files are in `dir`.
    pub fn new(about: About, dir: &Path, scenarios: Vec<RunRecord>) -> Self {
        Report {
            api_version: ReportVersion::V1alpha1,
            run: about.run,
            written: Timestamp::now(),
            stamp: None,
            problem: None,
            summary: Summary::of(None, &[], &scenarios),
            comparisons: Vec::new(),
            environment: Environment::of(about.place, &scenarios),
            digests: about.digests,
            commands: about.commands,
            seeds: seeds(&scenarios),
            files: raw_files(dir, &scenarios),
            scenarios,
        }
    }

    /// The report with a problem outside of the scenarios added.
    pub fn with_problem(mut self, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        self.summary = Summary::of(Some(&problem), &self.comparisons, &self.scenarios);
        self.problem = Some(problem);
        self
    }

    /// The report with comparisons added, before the scenarios.
    pub fn with_comparisons(mut self, comparisons: Vec<Comparison>) -> Self {
        self.summary = Summary::of(self.problem.as_deref(), &comparisons, &self.scenarios);
        let seed = |of: &Comparison| Seed { of: format!("order of {}", of.name), seed: of.declaration.content.seed };
        self.seeds.extend(comparisons.iter().map(seed));
        let digest = |of: &Comparison| Digest {
            what: "declaration".to_owned(),
            name: of.name.clone(),
            sha256: of.declaration.sha256.clone(),
        };
        self.digests.extend(comparisons.iter().map(digest));
        self.comparisons = comparisons;
        self
    }

    /// The report as a self-contained page.
    pub fn to_html(&self) -> String {
        html::render(self)
    }

    /// The report as Markdown.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    /// The report as JUnit XML.
    pub fn to_junit(&self) -> String {
        junit::render(self)
    }

    /// The report as comma-separated values.
    pub fn to_csv(&self) -> String {
        csv::render(self)
    }
}

fn seeds(scenarios: &[RunRecord]) -> Vec<Seed> {
    let of = |run: &RunRecord| Seed { of: format!("arrivals of {}", run.scenario), seed: run.method.arrivals.seed };
    scenarios.iter().map(of).collect()
}

/// The existing ledgers, with their sizes.
fn raw_files(dir: &Path, scenarios: &[RunRecord]) -> Vec<RawFile> {
    let trials = scenarios.iter().flat_map(|run| run.trial.iter().chain(run.control.iter().map(|control| &control.trial)));
    let ledger = |name: &str| {
        let bytes = std::fs::metadata(dir.join(name)).ok().filter(std::fs::Metadata::is_file)?.len();
        let what = "one line per request: due, released, sent, done, outcome, status, target, headers".to_owned();
        Some(RawFile { name: name.to_owned(), what, bytes })
    };
    trials.filter_map(|trial| ledger(&trial.ledger)).collect()
}

/// The JSON schema of `report.json`.
pub fn json_schema() -> Value {
    schemars::schema_for!(Report).to_value()
}

/// Writes all files of a report into `dir`, which is made if absent. Each file appears whole or not at all.
///
/// # Errors
/// The directory or a file cannot be written.
pub fn write(dir: &Path, report: &Report) -> Result<Paths, ReportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError { path, source }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    let at = |name: &str| dir.join(name);
    let paths = Paths {
        json: at("report.json"),
        html: at("report.html"),
        markdown: at("report.md"),
        junit: at("junit.xml"),
        csv: at("report.csv"),
    };
    let mut json = serde_json::to_string_pretty(report).map_err(|error| failed(&paths.json)(error.into()))?;
    json.push('\n');
    let files = [
        (&paths.json, json),
        (&paths.html, report.to_html()),
        (&paths.markdown, report.to_markdown()),
        (&paths.junit, report.to_junit()),
        (&paths.csv, report.to_csv()),
    ];
    for (path, text) in files {
        file::replace(path, Readers::Everybody, |file| file.write_all(text.as_bytes())).map_err(failed(path))?;
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;
