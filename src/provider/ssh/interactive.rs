//! Interactive use of a host: a shell or one command, with a terminal if there is one here.

use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::connection::Waker;
use super::error::SshError;
use super::job::{Request, Sink, Size};
use super::node::SshNode;
use super::quote::plain;

impl SshNode {
    /// Runs the login shell, or a command, as the login user, with this process's input and output; returns its exit status. If
    /// there is a terminal here, it gets one there that follows the window's size; else its streams are pipes.
    ///
    /// # Errors
    /// The connection cannot be made or breaks, or the terminal cannot be set up. The terminal is restored in any case.
    pub async fn interactive(&self, argv: Option<Vec<String>>) -> Result<i32, SshError> {
        let local = |action| move |source: io::Error| SshError::Local { action, source };
        let command = argv.map(|argv| plain(&argv)).transpose()?;
        let live = self.connection.live().await?;
        let waker = live.waker();

        let raw = if io::stdin().is_terminal() { Some(Raw::enter().map_err(local("setting up the terminal"))?) } else { None };
        let (resized, size) = watch::channel(window());
        let terminal = raw.is_some().then(|| (std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned()), size));
        let mut changes = signal(SignalKind::window_change()).map_err(local("watching the terminal"))?;

        let (typed, input) = mpsc::channel(4);
        let stop = Stop::new().map_err(local("reading standard input"))?;
        read_input(typed, waker.clone(), &stop).map_err(local("reading standard input"))?;
        let (sink, mut output) = mpsc::channel(16);
        let (reply, outcome) = oneshot::channel();
        live.submit(Request { command, input, sink: Sink::Forward(sink), terminal, ends: false, reply: Some(reply) });

        let print = async {
            while let Some((is_error, bytes)) = output.recv().await {
                waker.wake();
                write_out(is_error, &bytes);
            }
        };
        let follow = async {
            while changes.recv().await.is_some() {
                let _nobody_there = resized.send(window());
                waker.wake();
            }
        };
        let ended = async {
            let (outcome, ()) = tokio::join!(outcome, print);
            outcome
        };
        let outcome = tokio::select! {
            outcome = ended => outcome,
            () = follow => return Err(local("watching the terminal")(io::ErrorKind::BrokenPipe.into())),
        };
        drop((stop, raw));
        // exit statuses have eight bits
        self.outcome(outcome).map(|output| i32::try_from(output.status).unwrap_or(255))
    }
}

/// Passes output on as it arrives; a reader that has gone away is no reason to stop.
fn write_out(is_error: bool, bytes: &[u8]) {
    let _reader_gone = if is_error {
        io::stderr().lock().write_all(bytes)
    } else {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())
    };
}

fn window() -> Size {
    let size = tcgetwinsize(io::stdin()).ok().filter(|size| size.ws_col > 0);
    size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// A terminal in raw mode, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _terminal_gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Ends the thread that reads standard input, when dropped.
struct Stop(Arc<OwnedFd>);

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Stop(Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?)))
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let _counted = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// Reads in a thread, because standard input may be a file, which no event loop accepts.
fn read_input(typed: mpsc::Sender<Bytes>, waker: Waker, stop: &Stop) -> io::Result<()> {
    let stop = Arc::clone(&stop.0);
    let read = move || {
        let mut buffer = [0; 16 * 1024];
        loop {
            let input = io::stdin();
            let mut fds = [PollFd::new(&input, PollFlags::IN), PollFd::new(&*stop, PollFlags::IN)];
            if poll(&mut fds, None).is_err() || !fds[1].revents().is_empty() {
                break;
            }
            // not through std's buffer, whose content `poll` does not see
            match rustix::io::read(&input, &mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if typed.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_err() {
                        break;
                    }
                    waker.wake();
                }
            }
        }
        drop(typed);
        waker.wake();
    };
    std::thread::Builder::new().name("standard input".to_owned()).spawn(read).map(drop)
}
