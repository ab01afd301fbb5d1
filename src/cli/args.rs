//! The command line: what can be typed, not what it does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::compare::schema::Arm;
use crate::compare::{Margin, Metric};
use crate::error::Family;
use crate::quantity::{QuantityError, Rate, Share, Span};

/// Exit codes, shown below `hearth --help`.
fn exit_codes() -> String {
    let families = Family::ALL.iter().map(|family| format!("  {:>3}  {}", family.code(), family.meaning()));
    let lines: Vec<String> = std::iter::once("    0  ok".to_owned()).chain(families).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// One profile, one command: a Kubernetes cluster with MetalLB, the Istio gateway and sample workloads, and the proof that it behaves.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, after_help = exit_codes())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// How to print it.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How Hearth prints.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format of the result on standard output: text, json or yaml
    #[arg(short, long, value_enum, global = true, default_value = "text", hide_possible_values = true, value_name = "FORMAT")]
    pub output: Format,
    /// Show details, as plain lines, and write a finer debug log
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show nothing but the result and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// How progress is written to standard error: text, or json with one event a line
    #[arg(long, global = true, value_enum, default_value = "text", hide_possible_values = true, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// Format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For programs that prefer YAML.
    Yaml,
}

/// Format of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A display on a terminal, plain lines elsewhere.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which cluster a verb is about.
#[derive(Debug, Clone, Args)]
pub struct ProfileArgs {
    /// Profile file; repeat to overlay several, `-` reads standard input [default: --name, then hearth.yaml, then the one cluster that is up]
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<String>,
    /// Override a value of the profile, for example spec.components.workloads.was.replicas=4
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Cluster name; with a profile file, instead of the one in it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Where artifacts come from.
#[derive(Debug, Clone, Args)]
pub struct BundleArgs {
    /// Directory with images and files, for use without a registry
    #[arg(long, value_name = "DIR", env = "HEARTH_BUNDLE")]
    pub bundle: Option<PathBuf>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a commented profile to start from
    Init(InitArgs),
    /// Check a profile; reports every problem at once
    Validate(ProfileArgs),
    /// Show what `up` would do
    #[command(visible_alias = "diff")]
    Plan(PlanArgs),
    /// Bring the cluster up, or what is missing of it
    #[command(visible_alias = "apply")]
    Up(UpArgs),
    /// Show nodes, components, the gateway's address, and what is wrong
    Status(StatusArgs),
    /// Run scenarios against the cluster and write a report
    Test(TestArgs),
    /// Write a run's page anew from its numbers, list the runs, or set two side by side
    Report(ReportArgs),
    /// Measure two addresses against each other, with a verdict that holds
    Compare(CompareArgs),
    /// Print the cluster's kubeconfig, or merge it into yours
    Kubeconfig(KubeconfigArgs),
    /// Show a node's or a pod's log
    Logs(LogsArgs),
    /// Open a shell on a node, or run a command there
    Ssh(SshArgs),
    /// Take back what a test run that was killed left changed
    Recover(RecoverArgs),
    /// Show who holds the hosts of a cluster, and take the lease from a run that died
    Unlock(UnlockArgs),
    /// Remove the cluster and prove that nothing is left
    #[command(visible_alias = "reset")]
    Down(DownArgs),
    /// Remove node images that are kept for the next start and that no cluster uses
    Gc(GcArgs),
    /// Look for trouble on this machine, with the fix for each
    Doctor(ProfileArgs),
    /// Print the JSON schema of profiles, scenarios or comparisons, for editors
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version and the versions of what gets installed
    Version,
    /// Run the sample application server (the entrypoint of the WAS image)
    #[command(hide = true)]
    Was,
}

/// `hearth init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// File to write, `-` prints it instead
    #[arg(default_value = "hearth.yaml")]
    pub path: PathBuf,
    /// Which profile to start from: quick (Docker, the full stack), minimal (Docker, a bare cluster) or homelab (three machines)
    #[arg(long, value_enum, default_value = "quick", hide_possible_values = true)]
    pub template: Template,
    /// Cluster name
    #[arg(long)]
    pub name: Option<String>,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

/// Profiles to start from.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Template {
    /// Docker, three nodes, the full stack.
    Quick,
    /// Docker, a bare cluster.
    Minimal,
    /// Three machines over SSH.
    Homelab,
}

/// `hearth plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Where artifacts come from.
    #[command(flatten)]
    pub bundle: BundleArgs,
    /// As for `up`: show what goes with the data in it
    #[arg(long)]
    pub delete_data: bool,
    /// As for `up`: show what goes with a host that is gone for good (may be repeated)
    #[arg(long, value_name = "HOST")]
    pub forget: Vec<String>,
    /// Print the graph for Graphviz instead
    #[arg(long)]
    pub dot: bool,
    /// Do not look at the live world
    #[arg(long)]
    pub offline: bool,
    /// Exit with 3 when there is something to do, with 0 when there is nothing
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `hearth up`
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Where artifacts come from.
    #[command(flatten)]
    pub bundle: BundleArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show the plan with what the live world says, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove what the profile no longer asks for also where it holds data or what others made, and pods that nothing makes again
    #[arg(long)]
    pub delete_data: bool,
    /// Merge the kubeconfig into this file too (without a value: the one kubectl uses)
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub kubeconfig: Option<Option<PathBuf>>,
    /// Give up after this long, for example 10min
    #[arg(long, value_name = "TIME", default_value = "15min", value_parser = duration)]
    pub timeout: Duration,
    /// Steps at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: u16,
    /// A host that is gone for good, and that the profile no longer names: it is looked for no more, and volumes that exist
    /// on it alone are deleted (may be repeated)
    #[arg(long, value_name = "HOST")]
    pub forget: Vec<String>,
    /// If another run holds the cluster, wait for it this long instead of refusing
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// `hearth status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
}

/// `hearth report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run, or `list`, or `diff RUN RUN`; a run is its name, or the directory of its report
    #[arg(required = true, num_args = 1..=3, value_name = "RUN")]
    pub what: Vec<String>,
    /// Open the page
    #[arg(long)]
    pub open: bool,
    /// Where the reports are [default: hearth-reports]
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
}

/// `hearth test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Scenario files, or directories of them
    #[arg(required = true)]
    pub scenarios: Vec<PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Where reports go [default: hearth-reports/RUN]
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
    /// Succeed although every scenario was skipped for want of what it needs (otherwise exit code 20)
    #[arg(long)]
    pub allow_skipped: bool,
}

/// `hearth compare`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("question").args(["comparison", "arm"]).required(true))]
pub struct CompareArgs {
    /// Comparison file; other arguments override what it says
    #[arg(value_name = "COMPARISON")]
    pub comparison: Option<PathBuf>,
    /// Which cluster, where arms are services of one.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// An arm; two of them, before and after: every difference is the second less the first
    #[arg(long, value_name = "NAME=URL")]
    pub arm: Vec<Arm>,
    /// What decides: latency.p50, latency.p90, latency.p99, latency.p99.9 or latency.mean [default: latency.p50]
    #[arg(long)]
    pub metric: Option<Metric>,
    /// The largest difference that does not matter, for example 0.5ms, or 2% of the first arm [default: 2 %]
    #[arg(long)]
    pub margin: Option<Margin>,
    /// Chance of a wrong better or worse when the arms are alike [default: 5 %]
    #[arg(long, value_parser = share)]
    pub alpha: Option<Share>,
    /// Requests per second to each arm [default: 200]
    #[arg(long, value_parser = rate)]
    pub rate: Option<Rate>,
    /// Connections kept open to each arm [default: 16]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub connections: Option<u32>,
    /// Windows of the measurement [default: 40]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub windows: Option<u32>,
    /// Length of a window [default: 3s, or as long as the metric needs]
    #[arg(long, value_name = "TIME")]
    pub window: Option<Span>,
    /// A request without an answer this long after it was due has failed [default: 5s]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Span>,
    /// Seed of everything that is drawn [default: 1]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Half a minute instead of several; the result names what it cannot tell
    #[arg(long)]
    pub quick: bool,
    /// The status of a good answer [default: 200]
    #[arg(long, value_parser = clap::value_parser!(u16).range(200..=599))]
    pub status: Option<u16>,
    /// Compare the arms although their bodies differ, or change from request to request
    #[arg(long)]
    pub allow_different_bodies: bool,
    /// Where the report goes [default: hearth-reports/RUN]
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
}

/// `hearth kubeconfig`
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Merge it into this file instead of printing (without a value: the one kubectl uses)
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub merge: Option<Option<PathBuf>>,
    /// Print the file's path instead of its content
    #[arg(long, conflicts_with = "merge")]
    pub path: bool,
}

/// `hearth logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// A node, or a pod as NAMESPACE/NAME; without one, what there is
    pub target: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Lines from the end
    #[arg(long, default_value_t = 200)]
    pub tail: u32,
    /// Container of the pod
    #[arg(short, long)]
    pub container: Option<String>,
}

/// `hearth ssh`
#[derive(Debug, Args)]
pub struct SshArgs {
    /// The node
    pub node: String,
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Command and arguments, instead of a shell
    #[arg(last = true)]
    pub command: Vec<String>,
}

/// `hearth recover`
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what is left, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `hearth unlock`
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Take the leases away without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// `hearth gc`
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `hearth down`
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Which cluster.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be removed, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Give up after this long, for example 10min
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = duration)]
    pub timeout: Duration,
    /// Also remove the cluster's entries from this kubeconfig (the one kubectl uses is always looked at)
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A host that does not answer and is not waited for: the cluster is gone without it (may be repeated)
    #[arg(long, value_name = "HOST")]
    pub forget: Vec<String>,
    /// If another run holds the cluster, wait for it this long instead of refusing
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// `hearth schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The kind of file
    #[arg(value_enum, default_value = "profile")]
    pub of: SchemaOf,
}

/// What there is a schema for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SchemaOf {
    /// A profile, as `init` writes one and `up` reads it.
    Profile,
    /// A scenario, which `test` runs.
    Scenario,
    /// A comparison, which `compare` runs.
    Comparison,
    /// What `compare -o json` prints.
    ComparisonResult,
}

/// Accepts `5 %`, or `0.05` for the same.
fn share(text: &str) -> Result<Share, String> {
    let plain = text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Share);
    plain.map_or_else(|| text.parse().map_err(|error: QuantityError| error.to_string()), Ok)
}

/// Accepts `200 req/s`, or `200` for the same: a rate of requests has no other unit here.
fn rate(text: &str) -> Result<Rate, String> {
    let text = if text.parse::<f64>().is_ok() { format!("{text} req/s") } else { text.to_owned() };
    text.parse().map_err(|error: QuantityError| error.to_string())
}

/// Accepts `90s`, `10min`, `1h`, as files do, and `10m`, as kubectl does.
fn duration(text: &str) -> Result<Duration, String> {
    let minutes = text.strip_suffix('m').map(|number| format!("{number}min"));
    let span: Result<Span, QuantityError> = minutes.as_deref().unwrap_or(text).parse();
    span.map(|span| span.0).map_err(|error| error.to_string())
}
