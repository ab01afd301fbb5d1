//! The thread that owns a session: gives every job a turn, then polls the host and our side.

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{Channel, Session};
use tokio::sync::{mpsc, oneshot};

use super::again::{MaybeAgain, is_outbound, is_refusal};
use super::connection::Waker;
use super::job::{Failure, Job, Request, Sink};
use super::quote::{Line, Privilege, end_groups, privileged};

/// Commands at once. OpenSSH's MaxSessions is 10; one is left for ending commands, and one because the host counts a session
/// for a moment longer than we do. A host that allows fewer refuses, and then gets fewer.
const CHANNELS: usize = 8;
/// How often the host is asked for a sign of life.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(10);
/// After this long without a sign of life, the host is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// Size of a read, in bytes.
const BUFFER: usize = 64 * 1024;
/// The state of the thread.
pub(super) struct Loop {
    session: Session,
    requests: mpsc::UnboundedReceiver<Request>,
    waker: Waker,
    queue: VecDeque<Request>,
    /// Jobs for which the host had no session left.
    parked: VecDeque<Job>,
    room: usize,
    /// Process groups to end; and how commands become root.
    ending: Vec<u32>,
    privilege: Privilege,
    /// A channel that is opened ahead of the next command. The library reads only on behalf of a channel, and the host's
    /// requests have to be answered between commands too.
    spare: Option<Channel>,
    spare_refused: bool,
    active: Vec<Job>,
    buffer: Vec<u8>,
    /// Turns since the last progress, see [`pause`].
    quiet: u32,
    heard: Instant,
    asked: Instant,
}

impl Loop {
    pub(super) fn new(session: Session, requests: mpsc::UnboundedReceiver<Request>, waker: Waker, privilege: Privilege) -> Self {
        session.set_blocking(false);
        session.set_keepalive(true, KEEPALIVE.as_secs() as u32); // ten seconds fit
        let now = Instant::now();
        Loop {
            session,
            requests,
            waker,
            queue: VecDeque::new(),
            parked: VecDeque::new(),
            room: CHANNELS,
            ending: Vec::new(),
            privilege,
            spare: None,
            spare_refused: false,
            active: Vec::new(),
            buffer: vec![0; BUFFER],
            quiet: 0,
            heard: now,
            asked: now,
        }
    }

    /// Runs until nobody needs the connection or it breaks; returns the reason.
    pub(super) fn run(mut self) -> String {
        let reason = match self.serve() {
            Ok(()) => "not needed any more".to_owned(),
            Err(reason) => reason,
        };
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            self.queue.push_back(request);
        }
        self.active.extend(self.parked.drain(..));
        self.active.extend(self.queue.drain(..).map(|request| Job::new(request, None)));
        for job in &mut self.active {
            job.fail(Failure::Lost(reason.clone()));
        }
        let _farewell = self.session.disconnect(None, "done", None);
        // otherwise the library would wait for answers when its channels are dropped
        let _closed = rustix::net::shutdown(self.socket(), rustix::net::Shutdown::Both);
        reason
    }

    fn serve(&mut self) -> Result<(), String> {
        let mut outbound = false;
        loop {
            self.wait(outbound)?;
            let wanted = self.admit();
            if !wanted && self.active.is_empty() {
                return Ok(());
            }
            let progress;
            (progress, outbound) = self.turn()?;
            self.quiet = if progress { 0 } else { self.quiet.saturating_add(1) };
            // a half-sent keepalive could not be repeated: it is sent only when there is room for it
            if !outbound && self.asked.elapsed() >= KEEPALIVE && is_writable(self.socket()) {
                self.session.keepalive_send().map_err(MaybeAgain::text)?;
                self.asked = Instant::now();
            }
        }
    }

    /// Accepts new requests and starts as many as there is room for; false if no more can come.
    fn admit(&mut self) -> bool {
        let open = loop {
            match self.requests.try_recv() {
                Ok(request) => self.queue.push_back(request),
                Err(mpsc::error::TryRecvError::Empty) => break true,
                Err(mpsc::error::TryRecvError::Disconnected) => break false,
            }
        };
        self.queue.retain(|request| !request.reply.as_ref().is_some_and(oneshot::Sender::is_closed));
        self.parked.retain(|job| !job.is_abandoned());
        if self.active.len() <= CHANNELS && !self.ending.is_empty() {
            let ender = privileged(&self.privilege, &end_groups(&std::mem::take(&mut self.ending)));
            // fixed words and numbers contain no NUL byte, so there always is a line
            self.active.extend(ender.map(|line| Job::new(unattended(line), None)));
        }
        while self.active.len() < self.room {
            let next = self.parked.pop_front();
            let Some(job) = next.or_else(|| Some(Job::new(self.queue.pop_front()?, self.spare.take()))) else { break };
            self.active.push(job);
        }
        open || !(self.queue.is_empty() && self.parked.is_empty() && self.ending.is_empty())
    }

    /// Gives every job a turn; returns whether there was progress, and whether a packet is half sent. Only one channel is
    /// opened at a time.
    fn turn(&mut self) -> Result<(bool, bool), String> {
        if self.active.is_empty() {
            return self.idle();
        }
        let (mut progress, mut outbound, mut opening) = (false, false, false);
        for job in &mut self.active {
            if job.is_opening() && std::mem::replace(&mut opening, true) {
                continue;
            }
            progress |= job.turn(&self.session, &mut self.buffer)?;
            outbound |= job.outbound;
            self.ending.extend(job.after.take());
        }
        let before = self.active.len();
        self.active.retain(|job| !job.is_done());
        self.room = (self.room + before - self.active.len()).min(CHANNELS);
        if let Some(at) = self.active.iter().position(|job| job.refused.is_some()) {
            let job = self.active.remove(at);
            self.park(job);
        }
        // continue at once with an ender, or with the spare channel
        let next = self.active.is_empty() || !self.ending.is_empty() && self.active.len() <= CHANNELS;
        Ok((progress || next, outbound))
    }

    /// A command for which the host has no session left waits until another one ends, unless it is the only one.
    fn park(&mut self, mut job: Job) {
        let Some(error) = job.refused.take() else { return };
        if self.active.is_empty() {
            job.fail(Failure::Refused(error));
        } else {
            self.room = self.active.len();
            self.parked.push_front(job);
        }
    }

    /// Keeps the spare channel open between commands.
    fn idle(&mut self) -> Result<(bool, bool), String> {
        let Some(channel) = &mut self.spare else { return self.open_spare() };
        match channel.read(&mut [0]) {
            Err(error) if error.is_again() => Ok((false, is_outbound(&self.session))),
            Err(error) => Err(error.text()),
            Ok(_) => {
                if channel.eof() {
                    // the host does not want an idle channel
                    let _closed = channel.close();
                    (self.spare, self.spare_refused) = (None, true);
                }
                Ok((false, false))
            }
        }
    }

    fn open_spare(&mut self) -> Result<(bool, bool), String> {
        if self.spare_refused {
            return Ok((false, false));
        }
        match self.session.channel_session() {
            Ok(channel) => self.spare = Some(channel),
            Err(error) if error.is_again() => return Ok((false, is_outbound(&self.session))),
            Err(error) if is_refusal(&error) => self.spare_refused = true,
            Err(error) => return Err(error.text()),
        }
        Ok((true, false))
    }

    fn socket(&self) -> BorrowedFd<'_> {
        // the session owns the socket, and is borrowed for as long as this is
        unsafe { BorrowedFd::borrow_raw(self.session.as_raw_fd()) }
    }

    /// Waits for the host, for our side, or for a timer.
    fn wait(&mut self, outbound: bool) -> Result<(), String> {
        let limit = if self.active.iter().any(Job::is_waiting) {
            Duration::from_millis(200)
        } else {
            let (question, end) = (KEEPALIVE.saturating_sub(self.asked.elapsed()), SILENCE.saturating_sub(self.heard.elapsed()));
            question.min(end).max(Duration::from_millis(50))
        };
        let limit = limit.min(pause(self.quiet));
        // without a channel nothing is read: then only a closed connection matters
        let deaf = self.active.is_empty() && self.spare_refused;
        let mut events = if deaf { PollFlags::RDHUP } else { PollFlags::IN };
        events.set(PollFlags::OUT, outbound);
        let (host, us) = {
            let mut fds = [PollFd::from_borrowed_fd(self.socket(), events), PollFd::new(self.waker.fd(), PollFlags::IN)];
            match poll(&mut fds, Some(&timespec(limit))) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.to_string()),
            }
            (fds[0].revents(), !fds[1].revents().is_empty())
        };
        if us {
            self.waker.clear();
        }
        if us || host.intersects(PollFlags::IN | PollFlags::OUT) {
            self.quiet = 0;
        }
        if host.intersects(PollFlags::IN) || deaf && host.is_empty() {
            self.heard = Instant::now();
        } else if host.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR) {
            return Err("the host closed it".to_owned());
        }
        if self.heard.elapsed() > SILENCE {
            return Err(format!("the host has been silent for {} seconds", SILENCE.as_secs()));
        }
        Ok(())
    }
}

/// How long to wait at most after this many turns without progress. Any operation that reads from the socket also accepts
/// packets for other jobs, whose turn may be over; the socket then shows no more input. So the next turn follows at once, and
/// further ones at growing intervals.
fn pause(quiet: u32) -> Duration {
    match quiet {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_millis(1 << (quiet - 2).min(20)),
    }
}

/// A command whose result nobody waits for.
fn unattended(line: Line) -> Request {
    let (command, input) = (Some(line.command), input_of(line.preamble));
    Request { command, input, sink: Sink::Collect, terminal: None, ends: false, reply: None }
}

/// Standard input that is known in full.
pub(super) fn input_of(bytes: Option<Vec<u8>>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(1);
    if let Some(bytes) = bytes {
        // a new channel has room for one message
        let _sent = sender.try_send(Bytes::from(bytes));
    }
    receiver
}

/// True if the kernel would accept a small packet in full.
pub(super) fn is_writable(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
    poll(&mut fds, Some(&timespec(Duration::ZERO))).is_ok() && fds[0].revents().contains(PollFlags::OUT)
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}
