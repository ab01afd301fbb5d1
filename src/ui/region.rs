//! The lines at the bottom of a terminal that are drawn anew while a run goes on.

use anstream::adapter::strip_str;
use indicatif::{ProgressBar, ProgressStyle};

use super::Printer;
use super::visible::visible;

/// Lines below everything that was printed.
pub(super) struct Region {
    printer: Printer,
    lines: Vec<ProgressBar>,
}

impl Region {
    /// No line yet.
    pub fn new(printer: Printer) -> Region {
        Region { printer, lines: Vec::new() }
    }

    /// Shows these lines instead of those before; each is cut at the terminal's edge.
    pub fn show(&mut self, lines: &[String]) {
        while self.lines.len() > lines.len() {
            let Some(line) = self.lines.pop() else { break };
            line.finish_and_clear();
            self.printer.bars().remove(&line);
        }
        while self.lines.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.lines.push(self.printer.bars().add(ProgressBar::new_spinner().with_style(style)));
        }
        for (line, text) in self.lines.iter().zip(lines) {
            let text = if self.printer.colour() { text.clone() } else { strip_str(text).to_string() };
            line.set_message(visible(&text).into_owned());
        }
    }
}
