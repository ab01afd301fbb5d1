//! Where every line to the terminal goes through.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::terminal::{self, Terminal};
use super::visible::visible;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Data and errors only.
    Quiet,
    /// What happens.
    #[default]
    Normal,
    /// What happens in detail, as plain lines.
    Verbose,
}

/// Writes data to stdout and talk to stderr, without colour where it is not wanted, and around a progress
/// display if one is shown. Cheap to clone. A reader that went away is no error.
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
    /// Whether it takes colours.
    colour: bool,
}

impl Stream {
    fn new(writer: impl Write + Send + 'static, colour: bool) -> Stream {
        Stream { writer: Mutex::new(Box::new(writer)), colour }
    }

    fn write(&self, text: &str) {
        let text = if self.colour { visible(text) } else { visible(&strip_str(text).to_string()).into_owned().into() };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to be told about a closed terminal or pipe.
        let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
    }
}

impl Printer {
    /// The process's own streams. Colours follow `NO_COLOR`, `CLICOLOR_FORCE` and whether a terminal is there.
    pub fn new(verbosity: Verbosity) -> Printer {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        // A display that redraws needs a terminal to itself.
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

    /// Streams of the caller's, without colour or display.
    pub fn into_streams(verbosity: Verbosity, out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Printer {
        Self::with(verbosity, Stream::new(out, false), Stream::new(err, false), ProgressDrawTarget::hidden())
    }

    fn with(verbosity: Verbosity, out: Stream, err: Stream, target: ProgressDrawTarget) -> Printer {
        let bars = MultiProgress::with_draw_target(target);
        Printer { inner: Arc::new(Inner { verbosity, out, err, bars }) }
    }

    /// A line of data.
    pub fn out(&self, text: impl Display) {
        self.write(&self.inner.out, &format!("{text}\n"));
    }

    /// Data as it is, for a file's content: no newline is added.
    pub fn raw(&self, text: &str) {
        self.write(&self.inner.out, text);
    }

    /// A value as indented JSON, as data.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.out(text),
            Err(error) => self.error(format!("cannot be written as JSON: {error}")),
        }
    }

    /// A line of talk; not when quiet.
    pub fn err(&self, text: impl Display) {
        if self.inner.verbosity > Verbosity::Quiet {
            self.error(text);
        }
    }

    /// A line of talk that only the verbose see.
    pub fn detail(&self, text: impl Display) {
        if self.inner.verbosity == Verbosity::Verbose {
            self.error(text);
        }
    }

    /// A line on stderr that is shown however quiet.
    pub fn error(&self, text: impl Display) {
        self.write(&self.inner.err, &format!("{text}\n"));
    }

    /// A question on stderr, however quiet; the answer is typed behind it.
    pub fn prompt(&self, text: &str) {
        self.write(&self.inner.err, text);
    }

    /// How much is told.
    pub fn verbosity(&self) -> Verbosity {
        self.inner.verbosity
    }

    /// Whether a display that redraws can be shown.
    pub fn is_live(&self) -> bool {
        !self.inner.bars.is_hidden()
    }

    /// Whether stderr takes colours.
    pub fn colour(&self) -> bool {
        self.inner.err.colour
    }

    /// Columns of the terminal on stderr; 100 when there is none.
    pub fn width(&self) -> usize {
        usize::from(terminal::size().0)
    }

    /// Takes the progress display off the terminal, for a process that is about to end where it stands.
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
