//! Every line to the terminal goes through here.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::terminal::{self, Terminal};
use super::visible::visible;
use crate::error::{Explain, Family};

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Data and errors only.
    Quiet,
    /// Data, errors and messages.
    #[default]
    Normal,
    /// All messages, in detail, as plain lines.
    Verbose,
}

/// Writes data to stdout and messages to stderr, without colour where it is not wanted, and works around a progress display if
/// one is shown. Cheap to clone. A reader that has gone away does not matter; [`Printer::delivered`] tells of any other failure.
#[derive(Clone)]
pub struct Printer {
    inner: Arc<Inner>,
}

struct Inner {
    verbosity: Verbosity,
    out: Stream,
    err: Stream,
    bars: MultiProgress,
}

struct Stream {
    writer: Mutex<Box<dyn Write + Send>>,
    /// Whether the stream accepts colours.
    colour: bool,
    /// The first failure to write to it.
    failure: Mutex<Option<io::Error>>,
}

impl Stream {
    fn new(writer: impl Write + Send + 'static, colour: bool) -> Stream {
        Stream { writer: Mutex::new(Box::new(writer)), colour, failure: Mutex::default() }
    }

    fn write(&self, text: &str) {
        let text = if self.colour { visible(text) } else { visible(&strip_str(text).to_string()).into_owned().into() };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writer.write_all(text.as_bytes()).and_then(|()| writer.flush()) {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

impl Printer {
    /// Uses the process's own streams. Colours depend on `NO_COLOR`, `CLICOLOR_FORCE` and whether it is a terminal.
    pub fn new(verbosity: Verbosity) -> Printer {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        // a display that redraws needs a terminal to itself
        let live = verbosity == Verbosity::Normal && err.is_terminal();
        let target = if live {
            ProgressDrawTarget::term_like_with_hz(Box::new(Terminal::default()), 20)
        } else {
            ProgressDrawTarget::hidden()
        };
        let out_colour = AutoStream::choice(&out) != ColorChoice::Never;
        let err_colour = AutoStream::choice(&err) != ColorChoice::Never;
        Self::with(verbosity, Stream::new(out, out_colour), Stream::new(err, err_colour), target)
    }

    /// Uses the caller's streams, without colour or display.
    pub fn into_streams(verbosity: Verbosity, out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Printer {
        Self::with(verbosity, Stream::new(out, false), Stream::new(err, false), ProgressDrawTarget::hidden())
    }

    fn with(verbosity: Verbosity, out: Stream, err: Stream, target: ProgressDrawTarget) -> Printer {
        let bars = MultiProgress::with_draw_target(target);
        Printer { inner: Arc::new(Inner { verbosity, out, err, bars }) }
    }

    /// Prints a line of data.
    pub fn out(&self, text: impl Display) {
        self.write(&self.inner.out, &format!("{text}\n"));
    }

    /// Prints data unchanged, such as a file's content: no newline is added.
    pub fn raw(&self, text: &str) {
        self.write(&self.inner.out, text);
    }

    /// Prints a value as indented JSON.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.out(text),
            Err(error) => self.error(format!("cannot be written as JSON: {error}")),
        }
    }

    /// Whether all data has got to where stdout leads. A closed pipe counts as delivered: its reader wanted no more.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn delivered(&self) -> Result<(), OutputError> {
        let failure = self.inner.out.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), OutputError::unless_closed)
    }

    /// Prints a message, unless quiet.
    pub fn err(&self, text: impl Display) {
        if self.inner.verbosity > Verbosity::Quiet {
            self.error(text);
        }
    }

    /// Prints a message only if verbose.
    pub fn detail(&self, text: impl Display) {
        if self.inner.verbosity == Verbosity::Verbose {
            self.error(text);
        }
    }

    /// Prints a line on stderr, even if quiet.
    pub fn error(&self, text: impl Display) {
        self.write(&self.inner.err, &format!("{text}\n"));
    }

    /// Prints a question on stderr, even if quiet; the answer is typed after it.
    pub fn prompt(&self, text: &str) {
        self.write(&self.inner.err, text);
    }

    /// How much is printed.
    pub fn verbosity(&self) -> Verbosity {
        self.inner.verbosity
    }

    /// Whether a display that redraws can be shown.
    pub fn is_live(&self) -> bool {
        !self.inner.bars.is_hidden()
    }

    /// Whether stderr accepts colours.
    pub fn colour(&self) -> bool {
        self.inner.err.colour
    }

    /// Columns of the terminal on stderr; 100 if there is none.
    pub fn width(&self) -> usize {
        usize::from(terminal::size().0)
    }

    /// Removes the progress display from the terminal, for a process that is about to exit at once.
    pub fn abandon_display(&self) {
        let _ = self.inner.bars.clear();
        self.inner.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.inner.bars
    }

    fn write(&self, stream: &Stream, text: &str) {
        if self.is_live() { self.inner.bars.suspend(|| stream.write(text)) } else { stream.write(text) }
    }
}

/// The result could not be written to stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] io::Error);

impl OutputError {
    /// The error for a failed write; none if the reader has gone away.
    pub fn unless_closed(error: io::Error) -> Result<(), OutputError> {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(OutputError(error)),
        }
    }
}

impl Explain for OutputError {
    fn family(&self) -> Family {
        Family::Preflight
    }

    fn hint(&self) -> Option<String> {
        Some("only what would have been printed is lost; write it to another place".to_owned())
    }
}
