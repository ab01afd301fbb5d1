//! One connection of the generator: a non-blocking socket and the request it carries.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::http::{Reader, Response};
use super::ledger::Outcome;

/// A request being carried out; times in nanoseconds after the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub sequence: u32,
    pub target: usize,
    pub scheduled: u64,
    pub released: u64,
}

/// The state of a connection.
#[derive(Debug)]
pub(super) enum State {
    /// No socket.
    Closed,
    /// The handshake is running; the request is sent when it is done.
    Connecting(TcpStream, Request),
    /// Open and free.
    Idle(TcpStream),
    /// Carrying a request.
    Busy(Box<Exchange>),
}

/// A request and its response.
#[derive(Debug)]
pub(super) struct Exchange {
    pub stream: TcpStream,
    pub request: Request,
    pub sent: u64,
    unsent: Vec<u8>,
    reader: Reader,
}

/// The state of an exchange.
#[derive(Debug)]
pub(super) enum Progress {
    /// More bytes are needed.
    Waiting,
    /// The response is complete.
    Answered(Response),
    /// The exchange failed.
    Failed(Outcome),
}

impl Exchange {
    /// Starts to write `bytes` at time `sent`.
    pub fn start(stream: TcpStream, request: Request, sent: u64, bytes: Vec<u8>, reader: Reader) -> (Self, Progress) {
        let mut exchange = Exchange { stream, request, sent, unsent: bytes, reader };
        let whole = exchange.unsent.len();
        let progress = match exchange.write() {
            Ok(()) => Progress::Waiting,
            Err(_) if exchange.unsent.len() == whole => Progress::Failed(Outcome::ResetBeforeWrite),
            Err(_) => Progress::Failed(Outcome::ResetAfterWrite),
        };
        (exchange, progress)
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Called when the socket is readable or writable: writes the rest of the request, reads everything there is.
    pub fn proceed(&mut self, scratch: &mut [u8]) -> Progress {
        if !self.unsent.is_empty() && self.write().is_err() {
            return Progress::Failed(Outcome::ResetAfterWrite);
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return self.reader.end().map_or_else(|| self.cut(), Progress::Answered),
                Ok(count) => match self.reader.feed(&scratch[..count]) {
                    Ok(None) => {}
                    Ok(Some(response)) => return Progress::Answered(response),
                    Err(_) => return Progress::Failed(Outcome::Malformed),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Waiting,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.cut(),
            }
        }
    }

    fn cut(&self) -> Progress {
        Progress::Failed(if self.reader.has_head() { Outcome::TruncatedBody } else { Outcome::ResetAfterWrite })
    }
}

/// A socket whose handshake has begun.
pub(super) fn begin_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// The outcome that a failed handshake counts as.
pub(super) fn connect_outcome(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Outcome::ConnectRefused,
        io::ErrorKind::TimedOut => Outcome::ConnectTimeout,
        _ => Outcome::ConnectFailed,
    }
}

/// True when an idle connection is still usable: no unread bytes, and not closed.
pub(super) fn is_quiet(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
