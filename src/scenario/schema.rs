//! The scenario as it is written: every field documented, because the docs become the JSON schema that editors show.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::quantity::{Rate, Requests, Share, Span};

/// What is proven: a steady state, load, faults while it runs, and what has to be true of it all.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Hearth scenario", extend("$id" = "https://hearth.dev/schema/v1alpha1/scenario.json"))]
pub struct ScenarioFile {
    /// Version of this format.
    #[allow(dead_code)] // held against the schema; there is only one
    pub api_version: ApiVersion,
    /// Kind of this document.
    #[allow(dead_code)] // held against the schema; there is only one
    pub kind: Kind,
    /// Names the scenario.
    pub metadata: Metadata,
    /// What happens, and what has to come of it.
    pub spec: Spec,
}

/// Version of this format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first one.
    #[serde(rename = "hearth.dev/v1alpha1")]
    V1alpha1,
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
    /// Changes made before the load starts and taken back at the end.
    #[serde(default)]
    pub setup: Vec<Patch>,
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
    /// Host header; default: the gateway's address.
    pub host: Option<String>,
    /// The status of a good answer; any other is a failure.
    #[serde(default = "Target::status")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
}

/// A change of an object, taken back afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    /// What is changed.
    pub object: ObjectRef,
    /// Which fields get which value.
    #[schemars(length(min = 1))]
    pub set: Vec<Set>,
    /// Time for the change to reach the proxies.
    #[serde(default = "Patch::settle")]
    pub settle: Span,
}

/// One field and its new value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Set {
    /// JSON pointer below `spec`, for example `/http/0/retries`; all but its last part must exist.
    #[schemars(regex(pattern = r"^(/[^/]+)+$"))]
    pub path: String,
    /// The new value.
    pub value: Value,
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

/// What is read besides the client's own view.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observe {
    /// Proxies whose retry counters are read before and after.
    #[serde(default)]
    pub proxies: Vec<ProxyGroup>,
}

/// Pods with an Envoy that tells its statistics on port 15090.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyGroup {
    /// What assertions and reports call them.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Label selector, for example `istio=ingressgateway`.
    pub selector: String,
}

/// What normal means.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SteadyState {
    /// All of these, in every second.
    #[schemars(length(min = 1))]
    pub conditions: Vec<Condition>,
    /// Before the first fault.
    pub before: Hold,
    /// After the last fault.
    pub after: Hold,
}

/// How long the steady state has to hold.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hold {
    /// Without interruption.
    pub hold: Span,
    /// It has to begin within this time.
    #[serde(default = "Hold::within")]
    pub within: Span,
}

/// One condition of the steady state.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// Failed requests of each second.
    Failed(Bound<Requests>),
    /// Latency of each second.
    Latency(QuantileBound),
    /// All wanted pods of a deployment are ready.
    Available(DeploymentName),
}

/// A deployment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A latency quantile and its bound.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuantileBound {
    /// For example `99 %`.
    pub quantile: Share,
    /// What it may be.
    pub is: Bound<Span>,
}

/// What a number may be.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Bound<T> {
    /// Exactly this.
    Equals(T),
    /// This or more.
    AtLeast(T),
    /// This or less.
    AtMost(T),
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

/// What goes wrong.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Pods die.
    PodKill(PodKill),
}

/// Pods die.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodKill {
    /// Namespace of the victims.
    pub namespace: String,
    /// Label selector of the victims; the oldest ready pod that matches is next.
    pub selector: String,
    /// How they die.
    #[serde(default)]
    pub how: Death,
    /// Grace period of the deletion, whole seconds. With `0s` the pod is gone from the API at once.
    #[serde(default = "PodKill::grace")]
    pub grace: Span,
    /// Number of kills.
    #[schemars(range(min = 1, max = 1000))]
    pub count: u32,
    /// Shortest time between two kills.
    pub every: Span,
    /// The next kill waits until as many pods are ready as before the first one.
    #[serde(default = "PodKill::one_after_the_other")]
    pub one_after_the_other: bool,
    /// Longest wait for that.
    #[serde(default = "PodKill::ready_within")]
    pub ready_within: Span,
}

/// How a pod dies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Death {
    /// By the API alone. Even with no grace the kubelet asks nicely first and waits 2 s, which is
    /// enough for a server that drains: requests in flight may well survive.
    Delete,
    /// As by a power cut: every process of the pod gets SIGKILL on its node, then the pod is deleted. Needs access to nodes.
    #[default]
    Sigkill,
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

/// What is measured, and its bound.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Expectation {
    /// Requests without a good answer, over the whole run; unanswered ones are among them.
    Failed(Bound<Requests>),
    /// How much an Envoy counter grew.
    Proxies(CounterBound),
    /// Latency from the moment each request was due; a failed request counts as slow as the timeout.
    Latency(LatencyBound),
    /// Time from the last fault to the steady state.
    Recovery(Bound<Span>),
}

/// How much an Envoy counter grew.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CounterBound {
    /// Which.
    pub counter: Counter,
    /// Summed over the pods of this group of `observe.proxies`; default: of all groups.
    pub of: Option<String>,
    /// What it may be.
    pub is: Bound<Requests>,
}

/// A retry counter of Envoy's clusters,
/// <https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Counter {
    /// `upstream_rq_retry`: retries sent.
    Retry,
    /// `upstream_rq_retry_success`: retries that were answered well.
    RetrySuccess,
    /// `upstream_rq_retry_limit_exceeded`: requests given up after the last attempt.
    RetryLimitExceeded,
    /// `upstream_rq_retry_overflow`: retries not sent because of the retry budget or circuit breaker.
    RetryOverflow,
}

/// A latency quantile in a part of the run, and its bound.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LatencyBound {
    /// For example `99 %`.
    pub quantile: Share,
    /// Which part of the run.
    #[serde(default)]
    pub during: Part,
    /// What it may be.
    pub is: Bound<Span>,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// All of it.
    #[default]
    Run,
    /// The steady state before the first fault.
    Before,
    /// From the first fault until the steady state is back.
    Faults,
    /// The steady state after the last fault.
    After,
}

impl Part {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Before => "before",
            Part::Faults => "faults",
            Part::After => "after",
            Part::Run => "whole run",
        }
    }
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
    /// The change.
    #[schemars(length(min = 1))]
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
    /// Least share of kills that found requests in flight.
    #[serde(default = "Validity::hits")]
    pub hits: Share,
}
