//! One remote command on its channel, as a state machine that never blocks.
//!
//! libssh2's rule for non-blocking sessions: an operation that returns "again" while data is going out owns the half-sent
//! packet, and nothing else can be sent until that very operation is repeated. So a cancelled job first repeats the operation
//! it has begun, and only then closes its channel.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use ssh2::{Channel, Session};
use tokio::sync::{mpsc, oneshot};

use super::again::{MaybeAgain, is_outbound, is_refusal};
use super::quote::{drop_greeting, take_group};
use super::signal::signal_number;
use crate::provider::Output;

/// Reads of a stream and writes per turn, so that one job does not starve the others.
const OPERATIONS: usize = 32;
/// How long a cancelled command may take to report its process group and to end; on a busy host the first takes seconds.
const END_WAIT: Duration = Duration::from_secs(10);

/// Size of a terminal: columns and rows.
pub(super) type Size = (u32, u32);

/// Where output goes.
pub(super) enum Sink {
    /// Into the reply, from the start of the command's own output.
    Collect,
    /// To a reader as it arrives; true marks standard error.
    Forward(mpsc::Sender<(bool, Bytes)>),
}

/// A command to run.
pub(super) struct Request {
    /// A command line for the login shell; without one, the shell itself.
    pub command: Option<String>,
    /// Its standard input; it ends when the sender is dropped.
    pub input: mpsc::Receiver<Bytes>,
    /// Where output goes.
    pub sink: Sink,
    /// A terminal of this type, and the changes of its size.
    pub terminal: Option<(String, tokio::sync::watch::Receiver<Size>)>,
    /// Whether its processes are ended once nobody waits for the result.
    pub ends: bool,
    /// Where the result goes. Dropping the receiver cancels the command; without one it runs to its end.
    pub reply: Option<oneshot::Sender<Result<Output, Failure>>>,
}

/// Why a command has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection broke.
    Lost(String),
    /// The host did not start it.
    Refused(ssh2::Error),
    /// The login shell ended without running it; with what it printed.
    NotRun(String),
}

enum Phase {
    Opening,
    Starting,
    Running,
    /// Nobody waits any more; its processes are being ended.
    Cancelled(Instant),
    Closing,
    Done,
}

/// A request being carried out.
pub(super) struct Job {
    reply: Option<oneshot::Sender<Result<Output, Failure>>>,
    command: Option<String>,
    input: mpsc::Receiver<Bytes>,
    sink: Sink,
    terminal: Option<(String, tokio::sync::watch::Receiver<Size>)>,
    ends: bool,
    phase: Phase,
    channel: Option<Channel>,
    has_terminal: bool,
    chunk: Bytes,
    input_ended: bool,
    eof_sent: bool,
    /// Operations that were begun and have to be repeated: a write, reads of both streams.
    stuck_write: bool,
    stuck_read: [bool; 2],
    group: Option<u32>,
    /// True once the command's own output has begun; there is no mark if output is passed on as it arrives.
    begun: bool,
    output: Output,
    /// The process group to be ended, once it is known.
    pub after: Option<u32>,
    /// True if this turn left a packet half sent.
    pub outbound: bool,
    /// The host has no session left; opening a channel can be tried again later.
    pub refused: Option<ssh2::Error>,
}

/// Whether a turn made progress; an error is the connection's.
type Turn = Result<bool, String>;

impl Job {
    /// A job that uses `channel`, or opens one.
    pub(super) fn new(request: Request, channel: Option<Channel>) -> Self {
        let Request { command, input, sink, terminal, ends, reply } = request;
        Job {
            reply,
            command,
            input,
            sink,
            terminal,
            ends,
            phase: if channel.is_some() { Phase::Starting } else { Phase::Opening },
            channel,
            has_terminal: false,
            chunk: Bytes::new(),
            input_ended: false,
            eof_sent: false,
            stuck_write: false,
            stuck_read: [false; 2],
            group: None,
            begun: !ends,
            output: Output::default(),
            after: None,
            outbound: false,
            refused: None,
        }
    }

    /// True while its channel is being opened: libssh2 opens one at a time.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening)
    }

    /// True once nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// True if nobody waits for the result.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    /// True if only time can move it on.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Cancelled(_))
    }

    /// Ends it with a failure.
    pub(super) fn fail(&mut self, failure: Failure) {
        if let Some(reply) = self.reply.take() {
            let _nobody_waits = reply.send(Err(failure));
        }
        self.phase = Phase::Done;
    }

    /// Does what can be done without blocking. An error is the connection's: nothing works any more.
    pub(super) fn turn(&mut self, session: &Session, buffer: &mut [u8]) -> Turn {
        self.outbound = false;
        let mut progress = false;
        loop {
            let before = std::mem::discriminant(&self.phase);
            progress |= match self.phase {
                Phase::Opening => self.open(session)?,
                Phase::Starting => self.start(session)?,
                Phase::Running => self.run(session, buffer)?,
                Phase::Cancelled(since) => self.cancelled(session, buffer, since)?,
                Phase::Closing => self.close(session, buffer)?,
                Phase::Done => false,
            };
            if std::mem::discriminant(&self.phase) == before {
                return Ok(progress);
            }
            progress = true;
        }
    }

    fn open(&mut self, session: &Session) -> Turn {
        match session.channel_session() {
            Ok(channel) => self.channel = Some(channel),
            Err(error) if is_refusal(&error) => {
                self.refused = Some(error);
                return Ok(true);
            }
            Err(error) => return self.again(session, error).map(|_| false),
        }
        self.phase = Phase::Starting;
        Ok(true)
    }

    fn start(&mut self, session: &Session) -> Turn {
        let Some(channel) = &mut self.channel else { return Ok(false) };
        if let Some((name, size)) = self.terminal.as_ref().filter(|_| !self.has_terminal) {
            let (columns, rows) = *size.borrow();
            match channel.request_pty(name, None, Some((columns, rows, 0, 0))) {
                Ok(()) => self.has_terminal = true,
                Err(error) => return self.again_or_refused(session, error),
            }
        }
        let started = match &self.command {
            Some(command) => channel.exec(command),
            None => channel.shell(),
        };
        match started {
            Ok(()) => self.phase = Phase::Running,
            Err(error) => return self.again_or_refused(session, error),
        }
        Ok(true)
    }

    fn run(&mut self, session: &Session, buffer: &mut [u8]) -> Turn {
        if self.is_abandoned() {
            self.phase = Phase::Cancelled(Instant::now());
            return Ok(true);
        }
        let mut progress = self.read(session, buffer)? | self.write(session)?;
        let Some(channel) = &mut self.channel else { return Ok(false) };
        if let Some((_, size)) = &mut self.terminal
            && size.has_changed().unwrap_or(false)
        {
            let (columns, rows) = *size.borrow_and_update();
            // a size that cannot be sent now is sent with the next change
            let _told = channel.request_pty_size(columns, rows, None, None);
        }
        // the end of output is not the end of the program; the host closes the channel after it has sent the status
        if channel.eof() {
            match channel.wait_close() {
                Ok(()) => {
                    self.finish();
                    progress = true;
                }
                Err(error) => _ = self.again(session, error)?,
            }
        }
        Ok(progress)
    }

    fn finish(&mut self) {
        let Some(channel) = &self.channel else { return };
        let signal = channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
        let status = i64::from(channel.exit_status().unwrap_or(-1));
        let mut output = std::mem::take(&mut self.output);
        output.status = signal.map_or(status, |name| 128 + signal_number(&name));
        let outcome = match self.begun {
            true => Ok(output),
            false => Err(Failure::NotRun(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned())),
        };
        if let Some(reply) = self.reply.take() {
            let _nobody_waits = reply.send(outcome);
        }
        self.phase = Phase::Closing;
    }

    /// Reads both streams; true if anything arrived.
    fn read(&mut self, session: &Session, buffer: &mut [u8]) -> Turn {
        let mut progress = false;
        for stream in 0..2 {
            for _ in 0..OPERATIONS {
                let permit = match &self.sink {
                    Sink::Forward(sender) if !sender.is_closed() => match sender.try_reserve() {
                        Ok(permit) => Some(permit),
                        Err(_full) => break,
                    },
                    _ => None,
                };
                let Some(channel) = &self.channel else { return Ok(false) };
                let read = channel.stream(stream).read(buffer);
                self.stuck_read[stream as usize] = false;
                match read {
                    Ok(0) => break,
                    Ok(count) => {
                        progress = true;
                        match permit {
                            Some(permit) => permit.send((stream == 1, Bytes::copy_from_slice(&buffer[..count]))),
                            None if stream == 0 => self.output.stdout.extend_from_slice(&buffer[..count]),
                            None => self.output.stderr.extend_from_slice(&buffer[..count]),
                        }
                    }
                    Err(error) => {
                        drop(permit);
                        let stuck = self.again(session, error)?;
                        self.stuck_read[stream as usize] = stuck;
                        break;
                    }
                }
            }
        }
        if self.group.is_none() && self.ends {
            self.group = take_group(&mut self.output.stderr);
        }
        self.begun = self.begun || drop_greeting(&mut self.output.stdout);
        Ok(progress)
    }

    fn write(&mut self, session: &Session) -> Turn {
        let mut progress = false;
        for _ in 0..OPERATIONS {
            if self.chunk.is_empty() && !self.input_ended {
                match self.input.try_recv() {
                    Ok(chunk) => self.chunk = chunk,
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => self.input_ended = true,
                }
                continue;
            }
            let Some(channel) = &mut self.channel else { break };
            if self.chunk.is_empty() {
                if !self.eof_sent {
                    match channel.send_eof() {
                        Ok(()) => (self.eof_sent, progress) = (true, true),
                        Err(error) => _ = self.again(session, error)?,
                    }
                }
                break;
            }
            match channel.write(&self.chunk) {
                Ok(count) => {
                    self.chunk.advance(count);
                    (self.stuck_write, progress) = (false, true);
                }
                Err(error) => {
                    self.stuck_write = self.again(session, error)?;
                    break;
                }
            }
        }
        Ok(progress)
    }

    /// Repeats what was begun; true once nothing is left half done.
    fn settle(&mut self, session: &Session, buffer: &mut [u8]) -> Turn {
        if self.stuck_read.contains(&true) {
            self.sink = Sink::Collect;
            self.read(session, buffer)?;
        }
        if self.stuck_write {
            let Some(channel) = &mut self.channel else { return Ok(true) };
            self.stuck_write = match channel.write(&self.chunk) {
                Ok(_) => false,
                Err(error) => self.again(session, error)?,
            };
        }
        Ok(!self.stuck_write && !self.stuck_read.contains(&true))
    }

    /// Has the command's processes ended and waits for that, because only then does the host free the session. If they do not
    /// end in time, the channel is closed.
    fn cancelled(&mut self, session: &Session, buffer: &mut [u8], since: Instant) -> Turn {
        self.sink = Sink::Collect;
        self.read(session, buffer)?;
        self.output.stdout.clear();
        if self.ends && self.group.is_some() {
            self.ends = false;
            self.after = self.group;
        }
        let settled = self.settle(session, buffer)?;
        let mut over = since.elapsed() > END_WAIT || (self.group.is_none() && !self.ends);
        if let Some(channel) = self.channel.as_mut().filter(|channel| channel.eof()) {
            match channel.wait_close() {
                Ok(()) => over = true,
                Err(error) => _ = self.again(session, error)?,
            }
        }
        if over && settled {
            self.phase = Phase::Closing;
        }
        Ok(false)
    }

    fn close(&mut self, session: &Session, buffer: &mut [u8]) -> Turn {
        if !self.settle(session, buffer)? {
            return Ok(false);
        }
        if let Some(channel) = &mut self.channel
            && let Err(error) = channel.close()
        {
            self.again(session, error)?;
            return Ok(false);
        }
        self.channel = None;
        self.phase = Phase::Done;
        Ok(true)
    }

    /// "Again" is not an error; true if a packet is half sent.
    fn again(&mut self, session: &Session, error: impl MaybeAgain) -> Turn {
        if !error.is_again() {
            return Err(error.text());
        }
        let outbound = is_outbound(session);
        self.outbound |= outbound;
        Ok(outbound)
    }

    /// A host that refuses to start a program still answers: this is not the end of the connection.
    fn again_or_refused(&mut self, session: &Session, error: ssh2::Error) -> Turn {
        if !is_refusal(&error) {
            return self.again(session, error).map(|_| false);
        }
        self.fail(Failure::Refused(error));
        self.phase = Phase::Closing;
        Ok(true)
    }
}
