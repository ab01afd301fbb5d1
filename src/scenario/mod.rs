//! Scenarios: behaviour proven under load and faults.
//!
//! Enters: a [`Scenario`] (`file`, `schema`) and a cluster. Leaves: a [`record::RunRecord`], the only thing reports are made
//! of. Touched: what the scenario edits (`change`) and what its faults hit, through the [`undo`] journal, so that it goes back.
//!
//! A [run](run) first takes back what an earlier one left, checks what it needs (`requirement`), then goes once as it is and
//! once with what the claim rests on taken away (the negative control, which must fail). One such trial (`trial`) puts on
//! [`load`](crate::load), waits for the steady state (`steady`), lets faults come (`fault`, a file each), waits for the steady
//! state again, and reads what there is to read besides (`observe`, a file each). `verdict` holds what was seen against the
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

/// What a run works with.
#[derive(Clone)]
pub struct Context {
    /// The cluster's API.
    pub client: kube::Client,
    /// Where requests go: the gateway's address and port.
    pub gateway: SocketAddr,
    /// Host header of requests that say nothing of it.
    pub host: String,
    /// The nodes, for faults that the API cannot make; none: scenarios that need them are skipped.
    pub nodes: Option<Arc<dyn Nodes>>,
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

impl Context {
    /// What changes are made and taken back with.
    fn hands(&self) -> undo::Hands {
        undo::Hands { client: self.client.clone(), nodes: self.nodes.clone() }
    }
}

/// The JSON schema of scenario files.
pub fn json_schema() -> serde_json::Value {
    crate::input::schema_of::<schema::ScenarioFile>()
}
