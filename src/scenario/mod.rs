//! Scenarios: behaviour proven under load and faults.
//!
//! A [`Scenario`] is read from a file (`file`, `schema`, `quantity`) and [run](run): undo what an earlier run left, check
//! what it needs, then once as it is and once with what the claim rests on taken away (the negative control, which must
//! fail). One such trial (`trial`) puts on [`load`](crate::load), waits for the steady state (`steady`), injects faults (`fault`),
//! waits for the steady state again, and reads the proxies' counters (`envoy`) before and after. `verdict` holds the
//! ledger and the counters against the assertions. Every change of the cluster goes through the [`undo`] journal first.
//! All that was seen is a [`record::RunRecord`], the only thing reports are made of.

mod defaults;
pub mod envoy;
mod error;
mod fault;
mod file;
mod objects;
pub mod record;
mod requirement;
mod runner;
pub mod schema;
mod steady;
pub mod timeline;
mod trial;
pub mod undo;
mod verdict;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

pub use error::ScenarioError;
pub use fault::{NodeShell, node_shell};
pub use file::{Scenario, load_file};
pub use record::{RunRecord, Verdict};
pub use runner::run;

use crate::event::Events;

/// What a run works with.
#[derive(Clone)]
pub struct Context {
    /// The cluster's API.
    pub client: kube::Client,
    /// Where requests go: the gateway's address and port.
    pub gateway: SocketAddr,
    /// Runs scripts on nodes, for faults that the API cannot make; none: scenarios that need them are skipped.
    pub nodes: Option<NodeShell>,
    /// The profile's name, for the report.
    pub profile: Option<String>,
    /// Name of the run: beginning of every request id, label of undo entries. Letters, digits and `-`.
    pub run: String,
    /// An existing directory for evidence: the ledgers.
    pub run_dir: PathBuf,
    /// The undo journal; the same file for every run on this cluster.
    pub journal: PathBuf,
    /// Ends the run early, with clean-up.
    pub cancel: CancellationToken,
    /// Where everything that happens is sent.
    pub events: Events,
}

/// The JSON schema of scenario files.
pub fn json_schema() -> serde_json::Value {
    crate::input::schema_of::<schema::ScenarioFile>()
}
