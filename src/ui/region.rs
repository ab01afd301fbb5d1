//! The lines at the bottom of a terminal that are redrawn while a run goes on.

use anstream::adapter::strip_str;
use indicatif::{ProgressBar, ProgressStyle};

use super::Printer;
use super::terminal;
use super::visible::{cut, visible};

/// Lines below everything that was printed. The terminal gets them in one write: a redraw shows all of them as of the same
/// moment, or changes none.
pub(super) struct Region {
    printer: Printer,
    drawn: Option<ProgressBar>,
}

impl Region {
    /// An empty region.
    pub fn new(printer: Printer) -> Region {
        Region { printer, drawn: None }
    }

    /// Replaces the lines with these; each is cut at the terminal's edge.
    pub fn show(&mut self, lines: &[String]) {
        if lines.is_empty() {
            if let Some(drawn) = self.drawn.take() {
                drawn.finish_and_clear();
                self.printer.bars().remove(&drawn);
            }
            return;
        }
        let width = usize::from(terminal::size().0);
        let shown = lines.iter().map(|line| {
            let text = if self.printer.colour() { line.clone() } else { strip_str(line).to_string() };
            cut(&visible(&text), width)
        });
        let text = shown.collect::<Vec<_>>().join("\n");
        let drawn = self.drawn.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.printer.bars().add(ProgressBar::new_spinner().with_style(style))
        });
        drawn.set_message(text);
    }
}
