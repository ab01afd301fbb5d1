//! The shift: the difference at each quantile, with zero and margin always in view.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::compare::record::Comparison;
use crate::report::estimate::ends;
use crate::report::html::Page;
use crate::report::html::scale::{Linear, with_sign};
use crate::report::html::svg::{ACROSS, Anchor, Caption, Frame, Svg, X, polyline};
use crate::report::html::table::{Table, numbers, text};
use crate::report::number::{fixed, interval, plain, signed};

const HEIGHT: f64 = 308.0;

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let head = Head {
        id,
        finding: "The difference at each quantile",
        reading: "Second arm minus first, 95 % interval; an even shift means a fixed cost per request.",
    };
    let margin = of.metrics.first().and_then(|metric| metric.margin_ms).unwrap_or(0.0);
    if of.shift.is_empty() {
        return missing(page, &head, "No shift.", "Too few windows count to estimate a difference from.");
    }
    let bounds = of.shift.iter().flat_map(|one| <[f64; 2]>::from(ends(&one.estimate))).filter(|end| end.is_finite());
    let (low, high) = bounds.fold((-margin * 1.2, margin * 1.2), |(low, high), end| (low.min(end), high.max(end)));
    let scale = Linear::rounded((low, high), (HEIGHT, 0.0), 5);
    let x = |at: usize| (at as f64 + 0.5) / of.shift.len() as f64 * 100.0;
    let mut svg = Svg::new();
    let (top, bottom) = (scale.at(margin), scale.at(-margin));
    svg.rect("margin", (0.0, 100.0), (top, bottom - top));
    for tick in scale.ticks(5, with_sign) {
        svg.line("gr", (0.0, tick.at), (100.0, tick.at));
        svg.text("tk", X::Px(-8.0), tick.at + 4.0, Anchor::End, &tick.label);
    }
    svg.line("zero", (0.0, scale.at(0.0)), (100.0, scale.at(0.0)));
    let points = of.shift.iter().enumerate().map(|(at, one)| (x(at) * ACROSS / 100.0, scale.at(one.estimate.value)));
    svg.layer(0.0, HEIGHT, |svg| svg.path("shl ns", &polyline(points)));
    for (at, one) in of.shift.iter().enumerate() {
        let (low, high) = ends(&one.estimate);
        let within = |value: f64| scale.at(value.clamp(scale.domain().0, scale.domain().1));
        svg.line("sh95", (x(at), within(low)), (x(at), within(high)));
        svg.circle("shd", x(at), scale.at(one.estimate.value), 3.5);
        let percent = (one.quantile * 100.0).round();
        if [5.0, 25.0, 50.0, 75.0, 99.0].contains(&percent) {
            svg.text("tk", x(at), HEIGHT + 18.0, Anchor::Middle, format!("p{percent}"));
        }
    }
    svg.text("tk", 50.0, HEIGHT + 38.0, Anchor::Middle, "quantile of latency");
    let description = format!("Difference in milliseconds from p5 to p99; the margin is {} ms either way.", plain(margin));
    let caption = Caption { id: &format!("{id}-s"), title: "Shift function", description: &description };
    figure(page, &head, html! { (svg.figure(&caption, &Frame { height: 352.0, left: 48, right: 2, class: "" })) (behind(of)) })
}

fn behind(of: &Comparison) -> Markup {
    let columns = vec![numbers("Quantile"), numbers("First arm, ms"), numbers("Difference"), numbers("95\u{202f}% interval")];
    let mut table = Table::new(format!("{}: difference per quantile", of.name), columns);
    for one in &of.shift {
        let (low, high) = ends(&one.estimate);
        table.row(vec![
            text(format!("p{}", (one.quantile * 100.0).round())),
            text(one.a_ms.map_or_else(|| "failed".to_owned(), |value| fixed(value, 3))),
            text(signed(one.estimate.value, 3)),
            text(interval(low, high, 3)),
        ]);
    }
    table.folded("shift per quantile")
}
