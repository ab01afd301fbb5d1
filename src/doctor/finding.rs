//! Findings about the machine: each with its evidence and what to do about it.

use std::fmt;

use serde::Serialize;

use crate::error::{Explain, Family};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// `up` would fail.
    Error,
    /// `up` may fail, or something will not work as expected.
    Warning,
    /// Worth knowing; Hearth adapts by itself.
    Info,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its stable name, in kebab case.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The kind of trouble, which decides the exit code.
    pub family: Family,
    /// What is wrong, one sentence without a full stop.
    pub title: String,
    /// What was seen that shows it.
    pub evidence: String,
    /// A command or a sentence.
    pub fix: String,
}

impl Finding {
    fn new(severity: Severity, id: &'static str, title: impl Into<String>) -> Self {
        let (evidence, fix) = (String::new(), String::new());
        Finding { id, severity, family: Family::Preflight, title: title.into(), evidence, fix }
    }

    /// A finding that keeps `up` from starting.
    pub(super) fn error(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Error, id, title)
    }

    /// A finding that may affect the result.
    pub(super) fn warning(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, id, title)
    }

    /// A finding that is only worth knowing.
    pub(super) fn info(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Info, id, title)
    }

    /// An error if `hopeless`, else a warning.
    pub(super) fn graded(hopeless: bool, id: &'static str, title: impl Into<String>) -> Self {
        Self::new(if hopeless { Severity::Error } else { Severity::Warning }, id, title)
    }

    pub(super) fn family(self, family: Family) -> Self {
        Finding { family, ..self }
    }

    pub(super) fn evidence(self, evidence: impl Into<String>) -> Self {
        Finding { evidence: evidence.into(), ..self }
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Finding { fix: fix.into(), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Error => '✗',
            Severity::Warning => '!',
            Severity::Info => '·',
        };
        write!(f, "{mark} {}  {}", self.id, self.title)?;
        for (label, text) in [("seen", &self.evidence), ("fix", &self.fix)] {
            for (number, line) in text.lines().enumerate() {
                let label = if number == 0 { format!("{label}:") } else { String::new() };
                write!(f, "\n    {label:<5} {}", line.trim_start())?;
            }
        }
        Ok(())
    }
}

/// Findings in the order people read them: errors first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Sorts by severity; the order within a severity is kept.
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.severity);
        Findings(findings)
    }

    /// The findings, errors first.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kind of trouble of the first error.
    pub fn family(&self) -> Option<Family> {
        self.0.first().filter(|first| first.severity == Severity::Error).map(|first| first.family)
    }

    /// The findings, or, if there is an error among them, an error with all of them.
    pub fn into_result(self) -> Result<Findings, PreflightError> {
        match self.family() {
            None => Ok(self),
            Some(_) => Err(PreflightError(self)),
        }
    }
}

/// `✗ id  title` with its evidence and fix on the lines below; a sentence if nothing was found.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Finding::to_string).collect();
        match texts.is_empty() {
            true => f.write_str("✓ nothing stands in the way"),
            false => f.write_str(&texts.join("\n")),
        }
    }
}

/// The profile cannot be brought up here; contains all findings.
#[derive(Debug, thiserror::Error)]
#[error("nothing was changed: the profile cannot be brought up here\n{0}")]
pub struct PreflightError(pub Findings);

impl Explain for PreflightError {
    fn family(&self) -> Family {
        self.0.family().unwrap_or(Family::Preflight)
    }
}
