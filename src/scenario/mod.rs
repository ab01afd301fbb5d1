//! Scenarios: behaviour proven under load and faults.
//!
//! In: a [`Scenario`] (`file`, `schema`) and a cluster. Out: a [`record::RunRecord`], from which alone reports are made.
//! Touched: what the scenario edits (`change`) and what its faults hit, through the [`undo`] journal, so that everything is
//! undone.
//!
//! A [run](run) first undoes what an earlier one left, checks its requirements (`requirement`), then runs once as written and
//! once with what the claim depends on taken away (the negative control, which must fail). Each such trial (`trial`) starts the
//! [`load`](crate::load), waits for the steady state (`steady`), injects faults (`fault`, a file each), waits for the steady
//! state again, and reads everything else that is observed (`observe`, a file each). `verdict` compares what was seen with the
//! expectations (`expect`, a file each).

mod bound;
mod change;
mod error;
mod expect;
mod facts;
mod fault;
mod file;
mod nodes;
mod objects;
mod observe;
mod parts;
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
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use error::ScenarioError;
pub use file::{Scenario, load_file};
pub use nodes::{Nodes, nodes};
pub use record::{RunRecord, Verdict};
pub use runner::run;

use crate::event::Events;

/// What a run has to work with.
#[derive(Clone)]
pub struct Context {
    /// The cluster's API.
    pub client: kube::Client,
    /// Where requests go: the gateway's address and port.
    pub gateway: SocketAddr,
    /// Host header of requests for which the scenario sets none.
    pub host: String,
    /// The nodes, for faults that are impossible through the API; without them, scenarios that need them are skipped.
    pub nodes: Option<Arc<dyn Nodes>>,
    /// The profile's name, for the report.
    pub profile: Option<String>,
    /// Name of the run: prefix of every request id, label of undo entries. Letters, digits and `-`.
    pub run: String,
    /// An existing directory for evidence, such as the ledgers.
    pub run_dir: PathBuf,
    /// The undo journal; the same file for every run on this cluster.
    pub journal: PathBuf,
    /// Ends the run early, with clean-up.
    pub cancel: CancellationToken,
    /// Where all events go.
    pub events: Events,
}

impl Context {
    /// What changes are made and undone with.
    fn hands(&self) -> undo::Hands {
        undo::Hands { client: self.client.clone(), nodes: self.nodes.clone() }
    }
}

/// The JSON schema of scenario files.
pub fn json_schema() -> serde_json::Value {
    crate::input::schema_of::<schema::ScenarioFile>()
}
