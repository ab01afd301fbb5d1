//! Observations: what is read besides the client's own view. Each observation is one file with its format, how it is read, and
//! what reports show of it.

mod answers;
mod proxies;

use kube::Client;
use schemars::JsonSchema;
use serde::Deserialize;

pub use answers::Answers;
pub use proxies::{Counter, ProxyGroup};
pub(super) use proxies::{Growth, Snapshot, snapshot};

use super::error::ScenarioError;
use super::record::ObservationRecord;
use crate::load::Ledger;

/// What is read besides the client's own view.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observe {
    /// Proxies whose counters are read before and after.
    #[serde(default)]
    pub proxies: Vec<ProxyGroup>,
    /// What servers write into the headers of their answers.
    #[serde(default)]
    pub answers: Answers,
}

/// What was observed before the load.
pub(super) struct Before {
    proxies: Snapshot,
}

/// What was observed in a trial.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// Counters of proxies.
    pub proxies: Growth,
    /// The observations in the form for reports.
    pub records: Vec<ObservationRecord>,
}

impl Observe {
    /// Reads what is observed before the load.
    ///
    /// # Errors
    /// The API server does not answer.
    pub(super) async fn before(&self, client: &Client) -> Result<Before, ScenarioError> {
        Ok(Before { proxies: snapshot(client, &self.proxies).await? })
    }

    /// Reads what is observed after the load.
    ///
    /// # Errors
    /// The API server does not answer.
    pub(super) async fn after(&self, client: &Client, before: &Before, ledger: &Ledger) -> Result<Observed, ScenarioError> {
        let proxies = Growth::between(&before.proxies, &snapshot(client, &self.proxies).await?, &self.proxies);
        let mut records = Vec::new();
        if !self.proxies.is_empty() {
            records.push(proxies.record());
        }
        records.extend(self.answers.record(ledger));
        Ok(Observed { proxies, records })
    }
}
