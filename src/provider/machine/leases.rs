//! The leases of a run, of every host that it works on.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::MachineError;
use super::lease::{RENEWAL, acquire, release};
use crate::error::Result;
use crate::provider::Node;
use crate::provider::ssh::SshNode;

/// The leases of a run, renewed while it lasts; none of containers.
#[derive(Default)]
pub struct Leases {
    hosts: Vec<SshNode>,
    desk: String,
    renewal: Option<JoinHandle<()>>,
}

impl Leases {
    /// Takes the lease of every host.
    ///
    /// # Errors
    /// [`MachineError::Leased`] names who holds one; those taken are given back.
    pub async fn take(hosts: Vec<SshNode>, desk: &str, who: &str) -> Result<Leases> {
        let taken = try_join_all(hosts.iter().map(|host| acquire(host, desk, who))).await;
        let leases = Leases { hosts, desk: desk.to_owned(), renewal: None };
        let held = match taken {
            Ok(taken) => taken.into_iter().zip(&leases.hosts).find_map(|(holder, host)| Some((holder?, host.name().to_owned()))),
            Err(error) => {
                leases.release().await;
                return Err(error.into());
            }
        };
        if let Some((holder, host)) = held {
            leases.release().await;
            return Err(MachineError::Leased { host, holder }.into());
        }
        Ok(leases.keep(who.to_owned(), RENEWAL))
    }

    fn keep(mut self, who: String, every: Duration) -> Leases {
        let (hosts, desk) = (self.hosts.clone(), self.desk.clone());
        self.renewal = Some(tokio::spawn(async move {
            loop {
                sleep(every).await;
                // a host that is away for a while is renewed when it is back
                let _away = join_all(hosts.iter().map(|host| acquire(host, &desk, &who))).await;
            }
        }));
        self
    }

    /// Gives them back; a host that is away keeps its lease until it ends.
    pub async fn release(self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        let _away = join_all(self.hosts.iter().map(|host| release(host, Some(&self.desk)))).await;
    }
}
