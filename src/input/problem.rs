//! Problems of an input file, as a user sees them.

use std::fmt;

use serde::Serialize;

use super::tree::{Finding, Span};
use crate::error::{Explain, Family};

/// A text that was part of a document.
#[derive(Debug, Clone)]
pub(super) struct SourceText {
    /// File name, or `--set key=value`.
    pub name: String,
    pub text: String,
    /// True if it came from the command line, so that there are no lines to show.
    pub inline: bool,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// File name as the user gave it, or `--set key=value`.
    pub file: String,
    /// From 1; 0 when the value does not come from a file.
    pub line: usize,
    /// In characters, from 1; 0 when the value does not come from a file.
    pub column: usize,
    /// The text of the line.
    #[serde(skip)]
    source_line: String,
    /// How many of its characters to underline.
    #[serde(skip)]
    width: usize,
}

impl Location {
    pub(super) fn new(span: Span, sources: &[SourceText]) -> Self {
        let source = &sources[span.source];
        if source.inline {
            return Location { file: source.name.clone(), line: 0, column: 0, source_line: String::new(), width: 0 };
        }
        let source_line = source.text.lines().nth(span.line.saturating_sub(1)).unwrap_or_default().to_owned();
        let room = source_line.trim_end().chars().count().saturating_sub(span.column - 1);
        let width = span.width.min(room).max(1);
        Location { file: source.name.clone(), line: span.line, column: span.column, source_line, width }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}:{}", self.file, self.line, self.column) }
    }
}

/// One thing wrong in an input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
    /// The field, for example `spec.provider.ssh.hosts[1].name`; empty for the document as a whole.
    pub path: String,
    /// What is wrong, as a lowercase fragment.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn new(finding: Finding, sources: &[SourceText]) -> Self {
        let location = Location::new(finding.span, sources);
        Problem { location, path: finding.path, message: finding.message, hint: finding.hint }
    }
}

/// Place, field and message; then the line, a caret under the value, and the hint beside it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { line, column, source_line, width, .. } = &self.location;
        write!(f, "{}: ", self.location)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        writeln!(f, "{}", self.message)?;
        let hint = self.hint.as_deref().unwrap_or_default();
        if *line == 0 {
            return if hint.is_empty() { Ok(()) } else { writeln!(f, "  = {hint}") };
        }
        let gutter = line.to_string().len();
        // tabs stay tabs, so that the caret lines up whatever their width
        let indent: String = source_line.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{line} | {}", source_line.trim_end())?;
        writeln!(f, "{:gutter$} | {}", "", format!("{indent}{} {hint}", "^".repeat(*width)).trim_end())
    }
}

/// All problems of an input, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts problems by place; files stay in the order in which their first problem was found.
    ///
    /// `problems` must not be empty.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        let mut files: Vec<String> = problems.iter().map(|problem| problem.location.file.clone()).collect();
        let mut seen = std::collections::HashSet::new();
        files.retain(|file| seen.insert(file.clone()));
        let rank = |problem: &Problem| files.iter().position(|file| *file == problem.location.file);
        problems.sort_by_key(|problem| (rank(problem), problem.location.line, problem.location.column));
        problems.dedup();
        Problems(problems)
    }

    /// The problems in order.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = self.0.iter().map(|problem| problem.location.file.as_str()).collect();
        files.dedup();
        files
    }
}

/// One block per problem, then their count.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let count = self.0.len();
        write!(f, "{count} {} in {}", if count == 1 { "problem" } else { "problems" }, self.files().join(" and "))
    }
}

impl std::error::Error for Problems {}

impl Explain for Problems {
    fn family(&self) -> Family {
        Family::Profile
    }
}
