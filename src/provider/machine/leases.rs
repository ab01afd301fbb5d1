//! The leases that a run holds, one for each host it works on.

use std::time::{Duration, SystemTime};

use futures_util::future::{join_all, select_all, try_join_all};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::MachineError;
use super::lease::{Holder, RENEWAL, TERM, acquire, release};
use crate::error::Result;
use crate::provider::Node;
use crate::provider::ssh::SshNode;

/// How often to check whether renewal is due. Uses the wall clock, not the time this machine was awake: after a sleep the hosts
/// may belong to another run, and must not be touched.
const LOOK: Duration = Duration::from_secs(2);

/// Pause before retrying a host that did not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// A lease was lost: somebody else took it, or it could not be renewed before it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The host's name.
    pub host: String,
    /// The new holder, if known.
    pub holder: Option<Holder>,
}

/// The leases of a run, renewed while it lasts; none for containers.
pub struct Leases {
    hosts: Vec<SshNode>,
    desk: String,
    renewal: Option<JoinHandle<()>>,
    lost: watch::Receiver<Option<Lost>>,
}

impl Default for Leases {
    fn default() -> Self {
        Leases::of(Vec::new(), "")
    }
}

impl Leases {
    /// Takes the lease of every host.
    ///
    /// # Errors
    /// [`MachineError::Leased`] names the holder; leases taken so far are given back.
    pub async fn take(hosts: Vec<SshNode>, desk: &str, who: &str) -> Result<Leases> {
        let taken = try_join_all(hosts.iter().map(|host| acquire(host, desk, who))).await;
        let leases = Leases::of(hosts, desk);
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
        Ok(leases.keep(who.to_owned()))
    }

    fn of(hosts: Vec<SshNode>, desk: &str) -> Leases {
        Leases { hosts, desk: desk.to_owned(), renewal: None, lost: watch::channel(None).1 }
    }

    fn keep(mut self, who: String) -> Leases {
        let (hosts, desk) = (self.hosts.clone(), self.desk.clone());
        let (tell, lost) = watch::channel(None);
        self.lost = lost;
        self.renewal = Some(tokio::spawn(async move {
            let held: Vec<_> = hosts.iter().map(|host| Box::pin(hold(host, &desk, &who))).collect();
            if !held.is_empty() {
                let (lost, ..) = select_all(held).await;
                let _nobody_watches = tell.send(Some(lost));
            }
        }));
        self
    }

    /// Returns when a lease is lost; never if there are none.
    pub fn watch(&self) -> impl Future<Output = Lost> + Send + 'static {
        let mut lost = self.lost.clone();
        async move {
            match lost.wait_for(Option::is_some).await.map(|lost| lost.clone()) {
                Ok(Some(lost)) => lost,
                _nobody_renews => std::future::pending().await,
            }
        }
    }

    /// Gives the leases back. A host that is away keeps its lease until it ends, and a lease that somebody else took is not
    /// touched.
    pub async fn release(self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        let _away = join_all(self.hosts.iter().map(|host| release(host, Some(&self.desk)))).await;
    }
}

/// Renews the lease of a host until it is lost. If the host is away for less than the term, the lease is still valid when it is
/// back.
async fn hold(host: &SshNode, desk: &str, who: &str) -> Lost {
    let (mut tried, mut renewed, mut pause) = (SystemTime::now(), SystemTime::now(), RENEWAL);
    loop {
        sleep(LOOK).await;
        if since(tried) < pause {
            continue;
        }
        tried = SystemTime::now();
        let holder = match acquire(host, desk, who).await {
            // if it had ended in the meantime, somebody else may have held it since
            Ok(None) if since(renewed) >= TERM => None,
            Ok(None) => {
                (renewed, pause) = (SystemTime::now(), RENEWAL);
                continue;
            }
            Ok(holder) => holder,
            Err(_away) if since(renewed) < TERM => {
                pause = AGAIN;
                continue;
            }
            Err(_away) => None,
        };
        return Lost { host: host.name().to_owned(), holder };
    }
}

/// Time since then; zero if the clock was set back.
fn since(time: SystemTime) -> Duration {
    time.elapsed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loss_is_told_to_all_who_watch_and_nothing_is_lost_where_nothing_is_held() {
        let none = Leases::default();
        assert!(tokio::time::timeout(Duration::from_millis(20), none.watch()).await.is_err());
        let (tell, lost) = watch::channel(None);
        let leases = Leases { lost, ..Leases::default() };
        let (one, other) = (leases.watch(), leases.watch());
        let loss = Lost { host: "n1".into(), holder: None };
        tell.send(Some(loss.clone())).expect("somebody watches");
        assert_eq!((one.await, other.await), (loss.clone(), loss));
    }
}
