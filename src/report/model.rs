//! The report: one value, versioned and serialisable, from which every file and every line of a report is made.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compare::Comparison;
use crate::scenario::RunRecord;

/// All results of one command.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Hearth report", extend("$id" = "https://hearth.dev/schema/v1alpha1/report.json"))]
pub struct Report {
    /// Version of this format.
    pub api_version: ReportVersion,
    /// The run's name.
    pub run: String,
    /// When it was written.
    #[schemars(with = "String")]
    pub written: Timestamp,
    /// Set if numbers were not measured, as in tests of the report itself: every figure is stamped with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// Why there are no results or fewer than asked for: what went wrong before them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The summary, worst result first.
    pub summary: Summary,
    /// The comparisons, in the order in which they ran.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// The scenarios, in the order in which they ran.
    pub scenarios: Vec<RunRecord>,
    /// Where it ran.
    pub environment: Environment,
    /// SHA-256 of the files that ran.
    pub digests: Vec<Digest>,
    /// Commands that repeat it, in order.
    pub commands: Vec<String>,
    /// The seeds of everything random.
    pub seeds: Vec<Seed>,
    /// Files with the raw numbers, beside the report.
    pub files: Vec<RawFile>,
}

/// Version of the report's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReportVersion {
    /// The first version.
    #[serde(rename = "hearth.dev/report/v1alpha1")]
    V1alpha1,
}

/// How a result ended, in the order in which reports list them: what needs attention comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The system under test broke an expectation.
    Fail,
    /// The run itself went wrong or was interrupted.
    Error,
    /// The measurement does not count.
    Invalid,
    /// The second arm is worse than the first.
    Worse,
    /// Nothing is shown either way.
    Inconclusive,
    /// The cluster lacks what it needs.
    Skipped,
    /// The second arm is better than the first.
    Better,
    /// The arms are the same within the margin.
    Equivalent,
    /// Every expectation holds, and the control failed as it must.
    Pass,
}

impl Verdict {
    /// The verdict as written on pages.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Fail => "Fail",
            Verdict::Error => "Error",
            Verdict::Invalid => "Invalid",
            Verdict::Worse => "Worse",
            Verdict::Inconclusive => "Inconclusive",
            Verdict::Skipped => "Skipped",
            Verdict::Better => "Better",
            Verdict::Equivalent => "Equivalent",
            Verdict::Pass => "Pass",
        }
    }

    /// True when nothing needs attention.
    pub fn holds(self) -> bool {
        matches!(self, Verdict::Better | Verdict::Equivalent | Verdict::Pass)
    }
}

/// The summary of all results.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The whole in one or two sentences.
    pub headline: String,
    /// What was done, and what can be relied on.
    pub lines: String,
    /// One for each result, worst first.
    pub results: Vec<Line>,
}

/// One result in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The anchor on the page; unique in the report.
    pub id: String,
    /// The kind of the result.
    pub kind: Kind,
    /// Its index among results of its kind.
    pub index: usize,
    /// The name in its file.
    pub name: String,
    /// What it is about, a few words.
    pub about: String,
    /// How it ended.
    pub verdict: Verdict,
    /// The whole in one sentence.
    pub sentence: String,
    /// Further sentences: what can be relied on, and why.
    pub more: Vec<String>,
    /// The sentence again, shorter and with more rounding.
    pub headline: String,
    /// The number that decided.
    pub key: String,
    /// What follows it, such as an interval or a bound.
    pub bound: String,
    /// The value to compare it with.
    pub beside: String,
}

/// The kinds of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Two arms against each other.
    Comparison,
    /// Behaviour under load and faults.
    Scenario,
}

/// Where it ran. Two reports are compared only if everything except `hearth` and `profile` agrees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Hearth's version.
    pub hearth: String,
    /// The profile's name.
    pub profile: Option<String>,
    /// The provider of the nodes: `docker` or `ssh`.
    pub provider: Option<String>,
    /// Number of nodes.
    pub nodes: Option<u32>,
    /// The API server's version.
    pub kubernetes: Option<String>,
    /// Kernel of the machine that sent the load.
    pub kernel: String,
    /// Model of its processor.
    pub cpu: Option<String>,
    /// Number of its processors.
    pub cpus: u32,
    /// Where the load came from and where it went to.
    pub load: String,
    /// Images on the path, sorted.
    pub images: Vec<String>,
}

/// SHA-256 of a file that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// Its kind: a scenario's file, a profile, a program.
    pub what: String,
    /// Its name.
    pub name: String,
    /// In hexadecimal.
    pub sha256: String,
}

/// The seed of something random: the same seed leads to the same schedule or order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    /// What it was used for.
    pub of: String,
    /// The number.
    pub seed: u64,
}

/// A file in the report's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RawFile {
    /// Its name in the run's directory.
    pub name: String,
    /// Its contents.
    pub what: String,
    /// Its size in bytes.
    pub bytes: u64,
}
