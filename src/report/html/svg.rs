//! Drawings for all widths: x in percent of the plot, y in pixels, text never scaled. Paths that need both axes are in a nested
//! layer that is stretched to the plot, without stretching its strokes.

use std::fmt::{self, Display, Write};

use maud::{Markup, PreEscaped, Render};

/// Width of a stretched layer in its own units.
pub const ACROSS: f64 = 1000.0;

/// A place on the x axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum X {
    /// Percent of the plot's width.
    Of(f64),
    /// Pixels from the plot's left edge, or from the middle of a [`Svg::at`].
    Px(f64),
}

impl Display for X {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            X::Of(percent) => write!(f, "{}%", short(*percent)),
            X::Px(pixels) => f.write_str(&short(*pixels)),
        }
    }
}

impl From<f64> for X {
    fn from(percent: f64) -> X {
        X::Of(percent)
    }
}

/// How a text is aligned to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// A drawing under construction.
#[derive(Debug, Default)]
pub struct Svg(String);

/// The texts that describe a finished drawing.
pub struct Caption<'a> {
    /// Unique on the page; prefix of the ids of title and description.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What it shows, for readers who cannot see it.
    pub description: &'a str,
}

/// Room around the plot.
pub struct Frame {
    /// Height in pixels.
    pub height: f64,
    /// Room for labels on the left, in pixels.
    pub left: u32,
    /// Room on the right, in pixels.
    pub right: u32,
    /// `w` or `n-only` for a drawing that only wide or narrow pages show.
    pub class: &'static str,
}

impl Svg {
    /// An empty drawing.
    pub fn new() -> Svg {
        Svg::default()
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (impl Into<X>, f64), to: (impl Into<X>, f64)) {
        let (x1, x2, y1, y2) = (from.0.into(), to.0.into(), short(from.1), short(to.1));
        self.write(format_args!(r#"<line class="{class}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>"#));
    }

    /// A rectangle: x and width, y and height.
    pub fn rect(&mut self, class: &str, (x, width): (f64, f64), (y, height): (f64, f64)) {
        let (x, width) = (X::Of(x), X::Of(width.max(0.0)));
        let (y, height) = (short(y), short(height.max(0.0)));
        self.write(format_args!(r#"<rect class="{class}" x="{x}" width="{width}" y="{y}" height="{height}"/>"#));
    }

    /// A rectangle in pixels, inside [`Svg::at`].
    pub fn boxed(&mut self, class: &str, (x, width): (f64, f64), (y, height): (f64, f64), radius: f64) {
        let [x, width, y, height, radius] = [x, width, y, height, radius].map(short);
        self.write(format_args!(r#"<rect class="{class}" x="{x}" width="{width}" y="{y}" height="{height}" rx="{radius}"/>"#));
    }

    /// A circle; the radius in pixels.
    pub fn circle(&mut self, class: &str, x: impl Into<X>, y: f64, radius: f64) {
        let (x, y, radius) = (x.into(), short(y), short(radius));
        self.write(format_args!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#));
    }

    /// One of the page's marks: `dm` is a diamond, `fx` a cross.
    pub fn mark(&mut self, mark: &str, x: impl Into<X>, y: f64) {
        let (x, y) = (x.into(), short(y));
        self.write(format_args!(r##"<use href="#{mark}" x="{x}" y="{y}"/>"##));
    }

    /// A text, escaped.
    pub fn text(&mut self, class: &str, x: impl Into<X>, y: f64, anchor: Anchor, text: impl Render) {
        let (x, y, text) = (x.into(), short(y), text.render().0);
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        self.write(format_args!(r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#));
    }

    /// A group with its own coordinates in pixels around this place; `class` is `w` or `n-only` if only wide or narrow pages
    /// show it.
    pub fn at(&mut self, class: &str, x: f64, y: f64, draw: impl FnOnce(&mut Svg)) {
        let (x, y) = (X::Of(x), short(y));
        let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
        self.write(format_args!(r#"<svg{class} x="{x}" y="{y}" overflow="visible">"#));
        draw(self);
        self.0.push_str("</svg>");
    }

    /// Opens a group with a class, until [`Svg::close`].
    pub fn open(&mut self, class: &str) {
        self.write(format_args!(r#"<g class="{class}">"#));
    }

    /// Closes the group.
    pub fn close(&mut self) {
        self.0.push_str("</g>");
    }

    /// Paths in a layer that is stretched to the plot: x from 0 to [`ACROSS`], y in pixels from `y` down.
    pub fn layer(&mut self, y: f64, height: f64, draw: impl FnOnce(&mut Svg)) {
        let (y, height) = (short(y), short(height));
        self.write(format_args!(
            r#"<svg viewBox="0 0 1000 {height}" preserveAspectRatio="none" width="100%" height="{height}" y="{y}" aria-hidden="true">"#
        ));
        draw(self);
        self.0.push_str("</svg>");
    }

    /// A path; nothing if `data` is empty.
    pub fn path(&mut self, class: &str, data: &str) {
        if !data.is_empty() {
            self.write(format_args!(r#"<path class="{class}" d="{data}"/>"#));
        }
    }

    /// The finished drawing, with title and description.
    pub fn figure(self, caption: &Caption, frame: &Frame) -> Markup {
        let Caption { id, title, description } = caption;
        let (title, description) = (title.render().0, description.render().0);
        let Frame { height, left, right, class } = frame;
        let (height, body) = (short(*height), self.0);
        PreEscaped(format!(
            r#"<svg class="fl {class}" height="{height}" style="--l:{left}px;--r:{right}px" role="img" aria-labelledby="{id}-t {id}-d"><title id="{id}-t">{title}</title><desc id="{id}-d">{description}</desc>{body}</svg>"#
        ))
    }

    /// A small drawing in a table cell, where the same is also written in words.
    pub fn cell(self) -> Markup {
        PreEscaped(format!(r#"<svg aria-hidden="true">{}</svg>"#, self.0))
    }

    /// A small drawing of fixed size; without a label it is hidden from screen readers.
    pub fn icon(self, (width, height): (u32, u32), label: Option<&str>) -> Markup {
        let label = label.map_or_else(
            || r#"aria-hidden="true""#.to_owned(),
            |label| format!(r#"role="img" aria-label="{}""#, label.render().0),
        );
        PreEscaped(format!(r#"<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" {label}>{}</svg>"#, self.0))
    }

    fn write(&mut self, text: fmt::Arguments) {
        // writing to a String cannot fail
        let _ = self.0.write_fmt(text);
    }
}

/// A line through points, for [`Svg::path`].
pub fn polyline(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut data = String::new();
    for (at, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(data, "{}{} {}", if at == 0 { 'M' } else { 'L' }, tenth(x), tenth(y));
    }
    data
}

/// The area between two lines, for [`Svg::path`].
pub fn area(upper: &[(f64, f64)], lower: &[(f64, f64)]) -> String {
    if upper.is_empty() { String::new() } else { polyline(upper.iter().chain(lower.iter().rev()).copied()) + "Z" }
}

/// A rectangle as part of a path.
pub fn cell(x: f64, width: f64, y: f64, height: f64) -> String {
    let [x, width, y, height] = [x, width, y, height].map(tenth);
    format!("M{x} {y}h{width}v{height}h-{width}z")
}

/// At most two decimals, without trailing zeros.
fn short(value: f64) -> String {
    trimmed(format!("{value:.2}"))
}

/// At most one decimal: enough inside a path.
fn tenth(value: f64) -> String {
    trimmed(format!("{value:.1}"))
}

fn trimmed(text: String) -> String {
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_texts_escaped() {
        let mut svg = Svg::new();
        svg.line("ax", (0.0, 1.0 / 3.0), (100.0, 2.0));
        svg.text("tk", X::Px(-8.0), 4.0, Anchor::End, "a<b>\"");
        svg.at("", 33.333_3, 0.0, |svg| svg.mark("dm", X::Px(0.0), -0.001));
        let text = svg.cell().0;
        assert!(text.contains(r#"x1="0%" x2="100%" y1="0.33" y2="2""#), "{text}");
        assert!(text.contains("a&lt;b&gt;&quot;</text>"), "{text}");
        assert!(text.contains(r##"<svg x="33.33%" y="0" overflow="visible"><use href="#dm" x="0" y="0"/></svg>"##), "{text}");
        assert_eq!(cell(1.0, 2.0, 3.0, 4.0), "M1 3h2v4h-2z");
    }
}
