//! Reports: what was seen, for machines (JSON) and for people (Markdown, as a CI job's summary). They are made of run
//! records and of nothing else, and written also when there is little to tell because something broke early.

mod markdown;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Explain, Family};
use crate::scenario::RunRecord;

/// Everything that one command found out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Hearth report", extend("$id" = "https://hearth.dev/schema/v1alpha1/report.json"))]
pub struct Report {
    /// Version of this format.
    pub api_version: ReportVersion,
    /// When it was written.
    #[schemars(with = "String")]
    pub written: Timestamp,
    /// Why there are no or fewer scenarios than asked for: what went wrong before them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The scenarios, in the order in which they ran.
    pub scenarios: Vec<RunRecord>,
}

/// Version of the report's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReportVersion {
    /// The first one.
    #[serde(rename = "hearth.dev/report/v1alpha1")]
    V1alpha1,
}

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// For machines.
    pub json: PathBuf,
    /// For people.
    pub markdown: PathBuf,
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report {path}", path = .path.display())]
pub struct ReportError {
    /// The file.
    pub path: PathBuf,
    /// Why.
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
    /// A report of these runs.
    pub fn new(scenarios: Vec<RunRecord>) -> Self {
        Report { api_version: ReportVersion::V1alpha1, written: Timestamp::now(), problem: None, scenarios }
    }

    /// The same, telling what went wrong outside of the scenarios.
    pub fn with_problem(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    /// As Markdown.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

/// The JSON schema of `report.json`.
pub fn json_schema() -> Value {
    schemars::schema_for!(Report).to_value()
}

/// Writes `report.json` and `report.md` into `dir`, which is made if absent. Each file appears whole or not at all.
///
/// # Errors
/// The directory or a file cannot be written.
pub fn write(dir: &Path, report: &Report) -> Result<Paths, ReportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError { path, source }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    let paths = Paths { json: dir.join("report.json"), markdown: dir.join("report.md") };
    let mut json = serde_json::to_string_pretty(report).map_err(|error| failed(&paths.json)(error.into()))?;
    json.push('\n');
    for (path, text) in [(&paths.json, &json), (&paths.markdown, &report.to_markdown())] {
        write_whole(path, text).map_err(failed(path))?;
    }
    Ok(paths)
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests;
