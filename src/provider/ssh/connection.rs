//! One connection per host, shared by everything that uses it. A thread owns the session, because libssh2 sessions cannot be
//! used from two places at once; [`Loop`] is what the thread runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::error::SshError;
use super::event_loop::Loop;
use super::job::Request;
use super::quote::Privilege;
use super::session::{self, Target};

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

/// The connection to one host; made on first use, and made again after a loss.
pub(super) struct Connection {
    pub(super) target: Target,
    pub(super) privilege: Privilege,
    live: Mutex<Option<Arc<Live>>>,
}

impl Connection {
    pub(super) fn new(target: Target, privilege: Privilege) -> Self {
        Connection { target, privilege, live: Mutex::new(None) }
    }

    /// The existing connection, or a new one.
    pub(super) async fn live(&self) -> Result<Arc<Live>, SshError> {
        let mut slot = self.live.lock().await;
        if let Some(live) = slot.as_ref().filter(|live| !live.requests.is_closed()) {
            return Ok(Arc::clone(live));
        }
        *slot = None;
        let live = Arc::new(connect(self.target.clone(), self.privilege.clone()).await?);
        Ok(Arc::clone(slot.insert(live)))
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
