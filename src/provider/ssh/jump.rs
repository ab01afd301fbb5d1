//! A host behind another: the jump host connects to it (`direct-tcpip`), and a second session runs over that connection.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{Channel, Session};

use super::again::is_outbound;
use super::error::SshError;
use super::event_loop::{KEEPALIVE, is_writable, timespec};
use super::session::Target;

/// Pause before a blocked write is tried again.
const BLOCKED: Duration = Duration::from_millis(2);
/// Bytes moved at once: as much as a packet of a channel holds.
const CHUNK: usize = 32 * 1024;

/// The near end of a connection from the jump host to `target`. A thread moves the bytes while both ends are open.
pub(super) fn tunnel(session: Session, target: &Target) -> Result<UnixStream, SshError> {
    let channel = session
        .channel_direct_tcpip(&target.host.to_string(), target.port, None)
        .map_err(|source| SshError::Tunnel { at: target.at.clone(), source })?;
    session.set_blocking(false);
    session.set_keepalive(true, KEEPALIVE.as_secs() as u32); // ten seconds fit
    let local = |source| SshError::Local { action: "starting a tunnel's thread", source };
    let (near, far) = UnixStream::pair().map_err(local)?;
    far.set_nonblocking(true).map_err(local)?;
    std::thread::Builder::new()
        .name(format!("jump {}", target.at.node))
        .spawn(move || {
            // however it ends, dropping `far` shows that to the session above
            let mut channel = channel;
            let _ended = bridge(&session, &mut channel, far);
            let _farewell = session.disconnect(None, "done", None);
            // otherwise the library would wait for answers when the channel is dropped
            let _closed = rustix::net::shutdown(socket(&session), rustix::net::Shutdown::Both);
        })
        .map_err(local)?;
    Ok(near)
}

/// Reads from a channel; the library returns "nothing" also if there is nothing yet.
struct Incoming<'a>(&'a mut Channel);

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !self.0.eof() => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

/// One direction, with the bytes that were read but not yet written.
struct Pipe {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    closed: bool,
}

impl Pipe {
    fn new() -> Self {
        Pipe { buffer: vec![0; CHUNK], start: 0, end: 0, closed: false }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Moves what can be moved without blocking; true if anything was.
    fn pump(&mut self, from: &mut impl Read, to: &mut impl Write) -> io::Result<bool> {
        let mut moved = false;
        if self.is_empty() && !self.closed {
            match from.read(&mut self.buffer) {
                Ok(0) => self.closed = true,
                Ok(count) => (self.start, self.end, moved) = (0, count, true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        while !self.is_empty() {
            match to.write(&self.buffer[self.start..self.end]) {
                Ok(0) => break,
                Ok(count) => (self.start, moved) = (self.start + count, true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }
}

fn socket(session: &Session) -> BorrowedFd<'_> {
    // the session owns the socket, and is borrowed for as long as this is
    unsafe { BorrowedFd::borrow_raw(session.as_raw_fd()) }
}

fn bridge(session: &Session, channel: &mut Channel, mut far: UnixStream) -> io::Result<()> {
    let (mut out, mut back) = (Pipe::new(), Pipe::new());
    loop {
        let moved_out = out.pump(&mut far, channel)?;
        let outbound = is_outbound(session);
        let moved_back = back.pump(&mut Incoming(channel), &mut far)?;
        if (out.closed && out.is_empty()) || (back.closed && back.is_empty()) {
            return Ok(());
        }
        if moved_out || moved_back {
            continue;
        }
        let outbound = outbound || is_outbound(session);
        let socket = socket(session);
        if !outbound && is_writable(socket) {
            session.keepalive_send()?;
        }
        let mut local = PollFlags::empty();
        local.set(PollFlags::IN, out.is_empty());
        local.set(PollFlags::OUT, !back.is_empty());
        let remote = if outbound { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = [PollFd::from_borrowed_fd(socket, remote), PollFd::new(&far, local)];
        // the other side may have just enlarged its window, so a blocked write is retried soon
        let limit = if out.is_empty() { KEEPALIVE } else { BLOCKED };
        let _ready = poll(&mut fds, Some(&timespec(limit)));
    }
}
