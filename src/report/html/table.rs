//! Tables: the numbers behind a figure, and figures that are tables themselves.

use maud::{Markup, html};

/// The heading and look of a column.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    right: bool,
    wide: bool,
}

impl Column {
    /// The column, left out on narrow pages.
    pub fn wide(self) -> Column {
        Column { wide: true, ..self }
    }
}

/// A column of words, aligned left.
pub fn words(name: impl Into<String>) -> Column {
    Column { name: name.into(), right: false, wide: false }
}

/// A column of numbers, aligned right.
pub fn numbers(name: impl Into<String>) -> Column {
    Column { name: name.into(), right: true, wide: false }
}

/// A table; the first cell of each row is its heading.
#[derive(Debug)]
pub struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Markup>>,
    sum: bool,
}

impl Table {
    /// An empty table. The caption is also its name for screen readers; it is unique on the page.
    pub fn new(caption: impl Into<String>, columns: Vec<Column>) -> Table {
        Table { caption: caption.into(), columns, rows: Vec::new(), sum: false }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Markup>) {
        self.rows.push(cells);
    }

    /// Marks the last row as a sum.
    pub fn with_sum(mut self) -> Table {
        self.sum = true;
        self
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The table behind a figure: folded away, in a region that scrolls.
    pub fn folded(self, summary: &str) -> Markup {
        html! {
            details.data { summary { "Table: " (summary) } (self.scrolling(true)) }
        }
    }

    /// The table as it is; scrolls sideways if it is too wide.
    pub fn scrolling(self, captioned: bool) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table.t {
                    @if captioned { caption { (self.caption) } } @else { caption.vh { (self.caption) } }
                    thead { tr { @for column in &self.columns { th.r[column.right].w[column.wide] scope="col" { (column.name) } } } }
                    tbody {
                        @for (at, row) in self.rows.iter().enumerate() {
                            tr.sum[self.sum && at + 1 == self.rows.len()] {
                                @for (cell, column) in row.iter().zip(&self.columns).take(1) {
                                    th.r[column.right] scope="row" { (cell) }
                                }
                                @for (cell, column) in row.iter().zip(&self.columns).skip(1) {
                                    td.r[column.right].w[column.wide] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A table as a figure of its own: on narrow pages each row becomes lines of label and value. Roles are given explicitly
    /// because the style sheet then removes the implicit ones.
    pub fn cards(self, class: &str) -> Markup {
        html! {
            div.scroll {
                table class={ "t cards " (class) } role="table" {
                    caption.vh { (self.caption) }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for column in &self.columns {
                                th.r[column.right] role="columnheader" scope="col" { (column.name) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for (at, row) in self.rows.iter().enumerate() {
                            tr.sum[self.sum && at + 1 == self.rows.len()] role="row" {
                                @for cell in row.iter().take(1) { th role="rowheader" scope="row" { (cell) } }
                                @for (cell, column) in row.iter().zip(&self.columns).skip(1) {
                                    td.r[column.right] role="cell" data-l=(column.name) { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A cell of plain text.
pub fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}
