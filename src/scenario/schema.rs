//! The scenario as it is written: every field is documented, because the docs become the JSON schema that editors show.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Edit, Patch};
use super::expect::Expectation;
use super::fault::Fault;
use super::observe::Observe;
use super::steady::SteadyState;
use crate::input::ApiVersion;
use crate::quantity::{Rate, Share, Span};

/// What is proven: a steady state, load, faults while it runs, and what has to be true of it all.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Hearth scenario", extend("$id" = "https://hearth.dev/schema/v1alpha1/scenario.json"))]
pub struct ScenarioFile {
    /// Version of this format.
    #[allow(dead_code)] // checked against the schema; there is only one
    pub api_version: ApiVersion,
    /// Kind of this document.
    #[allow(dead_code)] // checked against the schema; there is only one
    pub kind: Kind,
    /// Names the scenario.
    pub metadata: Metadata,
    /// What happens, and what has to come of it.
    pub spec: Spec,
}

/// Kind of this document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub enum Kind {
    /// One experiment under load.
    Scenario,
}

/// Names the scenario.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Short name: lower-case letters, digits and `-`. Reports and folders carry it.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*$"), length(max = 63))]
    pub name: String,
    /// The claim in one sentence, as the report's heading.
    pub title: String,
}

/// What happens, and what has to come of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// What the cluster must have; otherwise the scenario is skipped, with the reason.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// Where requests go; the address is the gateway's.
    pub target: Target,
    /// Edits of the cluster, made before the load starts and taken back at the end.
    #[serde(default)]
    pub setup: Vec<SetUp>,
    /// The requests.
    pub load: Load,
    /// What is read besides the client's own view.
    #[serde(default)]
    pub observe: Observe,
    /// What normal means: holds before the faults (else the run is invalid), and again after them.
    pub steady_state: SteadyState,
    /// Faults, in order.
    #[serde(default)]
    pub timeline: Vec<Moment>,
    /// What has to be true.
    #[schemars(length(min = 1))]
    pub assertions: Vec<Assertion>,
    /// Proof that the assertions can fail.
    pub control: Option<Control>,
    /// When a measurement counts.
    #[serde(default)]
    pub validity: Validity,
}

/// Something the cluster must have.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Requirement {
    /// A deployment with enough ready pods.
    Deployment(DeploymentRequirement),
    /// Any object, for example a VirtualService.
    Object(ObjectRef),
}

/// A deployment with enough ready pods.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentRequirement {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Smallest number of ready pods.
    #[schemars(range(min = 1, max = 1000))]
    pub ready: u32,
}

/// One object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRef {
    /// For example `networking.istio.io/v1`.
    pub api_version: String,
    /// For example `VirtualService`.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Where requests go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Path and query, sent with GET.
    #[schemars(regex(pattern = r"^/[!-~]*$"))]
    pub path: String,
    /// Host header; default: the application's host name, the gateway's address where it has none.
    pub host: Option<String>,
    /// The status of a good answer; any other is a failure.
    #[serde(default = "Target::status")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
}

impl Target {
    fn status() -> u16 {
        200
    }
}

/// An edit of the cluster for the length of a trial.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetUp {
    /// Short name, for `without`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub id: String,
    /// What is edited.
    pub edit: Edit,
}

/// The requests: an open loop, so a slow answer never delays the next request. The client retries nothing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// How many requests are due per second, whatever the answers do.
    pub rate: Rate,
    /// When exactly each is due.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Connections kept open, one request at a time on each. With all of them busy requests wait, and their latency counts the waiting.
    #[schemars(range(min = 1, max = 4096))]
    pub connections: u32,
    /// A request without a whole answer this long after it was due has failed.
    pub timeout: Span,
    /// How long requests in flight at the end are waited for; what is then unanswered counts as failed.
    #[serde(default = "Load::drain")]
    pub drain: Span,
}

impl Load {
    fn drain() -> Span {
        Span::secs(20)
    }
}

/// When exactly each request is due.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Arrivals {
    /// Each request is moved by up to this share of the interval, either way; at most 50 %. Without it the load can fall
    /// in step with timers of the system.
    #[serde(default = "Arrivals::jitter")]
    pub jitter: Share,
    /// Seed of the moves: the same seed makes the same schedule.
    #[serde(default = "Arrivals::seed")]
    pub seed: u64,
}

impl Arrivals {
    fn jitter() -> Share {
        Share(0.5)
    }

    fn seed() -> u64 {
        1
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals { jitter: Self::jitter(), seed: Self::seed() }
    }
}

/// A fault and when it comes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Moment {
    /// Time since the steady state has held, or since the fault before this one was over if that is later.
    pub at: Span,
    /// What goes wrong.
    pub fault: Fault,
}

/// Something that has to be true.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assertion {
    /// Short name, for `mustFail` and reports.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub id: String,
    /// What it says, in words.
    pub title: String,
    /// What is measured, and its bound.
    pub expect: Expectation,
}

/// Proof that the assertions can fail.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Control {
    /// The same run without what the claim rests on.
    pub negative: Negative,
}

/// The same run without what the claim rests on: it must fail.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Negative {
    /// What is taken away, in words.
    pub title: String,
    /// Ids of `setup` whose edits are not made.
    #[serde(default)]
    pub without: Vec<String>,
    /// Changes made besides the others.
    #[serde(default)]
    pub patches: Vec<Patch>,
    /// Assertions that must then fail; if one does not, the test proves nothing.
    #[schemars(length(min = 1))]
    pub must_fail: Vec<String>,
}

/// When a measurement counts; the bounds look at the generator and the faults, never at the answers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validity {
    /// Least share of the due requests that were really sent.
    #[serde(default = "Validity::offered_rate")]
    pub offered_rate: Share,
    /// A second in which the generator was later than this, at the 99th percentile, is void.
    #[serde(default = "Validity::release_error")]
    pub release_error_p99: Span,
    /// Largest share of void seconds.
    #[serde(default = "Validity::void_windows")]
    pub void_windows: Share,
    /// Least share of faults that bit: a fault that met no request proves nothing.
    #[serde(default = "Validity::bites")]
    pub bites: Share,
}

impl Validity {
    fn offered_rate() -> Share {
        Share(0.995)
    }

    fn release_error() -> Span {
        Span(Duration::from_millis(5))
    }

    fn void_windows() -> Share {
        Share(0.2)
    }

    fn bites() -> Share {
        Share(0.5)
    }
}

impl Default for Validity {
    fn default() -> Self {
        Validity {
            offered_rate: Self::offered_rate(),
            release_error_p99: Self::release_error(),
            void_windows: Self::void_windows(),
            bites: Self::bites(),
        }
    }
}
