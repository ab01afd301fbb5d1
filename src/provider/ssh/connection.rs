//! One connection per host, shared by everything that uses it. A thread owns the session, because libssh2 sessions cannot be
//! used from two places at once; [`Loop`] is what the thread runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::error::SshError;
use super::event_loop::Loop;
use super::job::Request;
use super::quote::Privilege;
use super::session::{self, Target};
use crate::error::chain;

/// How long a host counts as away after a slow failure, for callers who only look which hosts are there: one run looks many times.
const AWAY: Duration = Duration::from_secs(30);
/// A failure that took less time than this cost nothing, and may be over at once, for example when sshd restarts.
const SLOW: Duration = Duration::from_secs(1);

/// Wakes the thread.
#[derive(Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    fn new() -> Result<Self, SshError> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(|fd| Waker(Arc::new(fd)))
            .map_err(|errno| SshError::Local { action: "making an eventfd", source: errno.into() })
    }

    /// if the counter is full, the thread wakes up anyway
    pub(super) fn wake(&self) {
        let _full = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// The descriptor to poll for input.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Resets it after a wake-up.
    pub(super) fn clear(&self) {
        let _empty = rustix::io::read(&*self.0, &mut [0_u8; 8]);
    }
}

/// An established connection. When the last clone is dropped, the thread disconnects.
pub(super) struct Live {
    requests: mpsc::UnboundedSender<Request>,
    waker: Waker,
    proven: AtomicBool,
}

impl Live {
    /// True once it is known that the login user can become root; this is tried only once.
    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Records that the login user can become root.
    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Hands over a command; failures arrive through its reply.
    pub(super) fn submit(&self, request: Request) {
        // a request that is not accepted drops its reply, which the caller notices
        let _ended = self.requests.send(request);
        self.waker.wake();
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let (nowhere, _) = mpsc::unbounded_channel();
        self.requests = nowhere;
        self.waker.wake();
    }
}

/// Why a host is not contacted.
#[derive(Debug, Clone)]
struct Away {
    reason: String,
    /// Until when it counts as away; none: as long as this program runs.
    until: Option<Instant>,
}

/// What is known of a host.
#[derive(Default)]
struct Known {
    live: Option<Arc<Live>>,
    away: Option<Away>,
}

/// The connection to one host; made on first use, and made again after a loss.
pub(super) struct Connection {
    pub(super) target: Target,
    pub(super) privilege: Privilege,
    known: Mutex<Known>,
}

impl Connection {
    pub(super) fn new(target: Target, privilege: Privilege) -> Self {
        Connection { target, privilege, known: Mutex::default() }
    }

    /// The existing connection, or a new one.
    pub(super) async fn live(&self) -> Result<Arc<Live>, SshError> {
        self.live_by(async { connect(self.target.clone(), self.privilege.clone()).await }).await
    }

    async fn live_by(&self, dial: impl Future<Output = Result<Live, SshError>>) -> Result<Arc<Live>, SshError> {
        let mut known = self.known.lock().await;
        if let Some(Away { reason, until: None }) = &known.away {
            return Err(SshError::Away { reason: reason.clone() });
        }
        if let Some(live) = known.live.as_ref().filter(|live| !live.requests.is_closed()) {
            return Ok(Arc::clone(live));
        }
        let begun = Instant::now();
        *known = Known::default();
        match dial.await {
            Ok(live) => Ok(Arc::clone(known.live.insert(Arc::new(live)))),
            Err(error) => {
                let until = (begun.elapsed() >= SLOW).then(|| Instant::now() + AWAY);
                known.away = until.map(|until| Away { reason: chain(&error), until: Some(until) });
                Err(error)
            }
        }
    }

    /// Why the host counts as away; none if it has to be contacted to find out.
    pub(super) async fn away(&self) -> Option<SshError> {
        let known = self.known.lock().await;
        let away = known.away.as_ref().filter(|away| away.until.is_none_or(|until| Instant::now() < until))?;
        Some(SshError::Away { reason: away.reason.clone() })
    }

    /// Never contacts the host again.
    pub(super) async fn give_up(&self, error: &SshError) {
        let reason = format!("{}; this run has no lease on it and leaves it alone", chain(error));
        *self.known.lock().await = Known { live: None, away: Some(Away { reason, until: None }) };
    }
}

async fn connect(target: Target, privilege: Privilege) -> Result<Live, SshError> {
    let (requests, queue) = mpsc::unbounded_channel();
    let (ready, connected) = oneshot::channel();
    let waker = Waker::new()?;
    let ours = waker.clone();
    let at = target.at.clone();
    std::thread::Builder::new()
        .name(format!("ssh {}", at.node))
        .spawn(move || match session::open(&target) {
            Ok(session) => {
                tracing::debug!(node = %target.at, "connected");
                if ready.send(Ok(())).is_ok() {
                    let reason = Loop::new(session, queue, ours, privilege).run();
                    tracing::debug!(node = %target.at, reason, "disconnected");
                }
            }
            Err(error) => _ = ready.send(Err(error)),
        })
        .map_err(|source| SshError::Local { action: "starting a connection's thread", source })?;
    match connected.await {
        Ok(outcome) => outcome.map(|()| Live { requests, waker, proven: AtomicBool::new(false) }),
        Err(_gone) => Err(SshError::Lost { at, reason: "its thread ended".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::time::sleep;

    use super::super::error::At;
    use super::super::hostkey::Policy;
    use super::super::secret::Environment;
    use super::*;

    fn connection() -> Connection {
        let at = At { node: "n3".into(), address: "10.0.0.13:22".into() };
        let (host, environment) = ([10, 0, 0, 13].into(), Environment::default());
        let (policy, user) = (Policy::Strict("known_hosts".into()), "root".into());
        let target = Target { at, host, port: 22, user, identity: None, policy, environment, jump: None };
        Connection::new(target, Privilege::Root)
    }

    #[tokio::test]
    async fn a_host_that_failed_slowly_is_away_for_a_while_and_one_that_was_given_up_for_good() {
        let (connection, dials) = (&connection(), &AtomicU32::new(0));
        let dial = |takes: Duration| {
            let dial = async move {
                dials.fetch_add(1, Ordering::Relaxed);
                sleep(takes).await;
                Err(SshError::Connect { at: connection.target.at.clone(), source: std::io::ErrorKind::TimedOut.into() })
            };
            async move { connection.live_by(dial).await.err().expect("it fails") }
        };
        let at_once = dial(Duration::ZERO).await;
        assert!(connection.away().await.is_none(), "{at_once}: it may be back at once");
        let slow = dial(SLOW).await;
        assert_eq!(connection.away().await.map(|away| away.to_string()), Some(chain(&slow)), "the message of the first failure");
        dial(Duration::ZERO).await;
        assert_eq!(dials.load(Ordering::Relaxed), 3, "callers that need the host try it nevertheless");
        assert!(connection.away().await.is_none(), "the last failure counts");
        connection.give_up(&slow).await;
        assert!(matches!(dial(Duration::ZERO).await, SshError::Away { .. }) && connection.away().await.is_some());
        assert_eq!(dials.load(Ordering::Relaxed), 3, "it was not contacted");
    }
}
