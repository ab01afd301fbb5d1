//! The shift: the difference at each quantile, with zero and the margin always in view.

use maud::{Markup, html};

use super::{Head, figure, missing, tone};
use crate::compare::record::Comparison;
use crate::report::comparison::names;
use crate::report::estimate::{ends, places};
use crate::report::html::Page;
use crate::report::html::scale::{Linear, with_sign};
use crate::report::html::svg::{ACROSS, Anchor, Caption, Frame, Svg, X, polyline};
use crate::report::html::table::{Table, numbers, text};
use crate::report::number::{fixed, interval, plain, signed};
use crate::report::sentence::capital;

const HEIGHT: f64 = 308.0;
/// Quantiles up to this one determine the scale; intervals of rarer ones may leave the plot.
const COMMON: f64 = 0.905;

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let [a, b] = names(of);
    let margin = of.metrics.first().and_then(|metric| metric.margin_ms).unwrap_or(0.0);
    let finding = if page.void.is_some() { None } else { finding(of, margin) };
    let head = Head {
        id,
        finding: finding.as_deref().unwrap_or("The difference at each quantile"),
        reading: &format!(
            "{} minus {a} at each quantile, 95\u{202f}% interval; up is slower, the band is the margin. An even shift means a \
             fixed cost per request.",
            capital(b)
        ),
    };
    if of.shift.is_empty() {
        return missing(page, &head, "No shift.", "Too few windows count to estimate a difference from.");
    }
    let scale = scale(of, margin);
    let x = |at: usize| (at as f64 + 0.5) / of.shift.len() as f64 * 100.0;
    let mut svg = Svg::new();
    let (top, bottom) = (scale.at(margin), scale.at(-margin));
    svg.rect("margin", (0.0, 100.0), (top, bottom - top));
    for tick in scale.ticks(5, with_sign) {
        svg.line("gr", (0.0, tick.at), (100.0, tick.at));
        svg.text("tk", X::Px(-8.0), tick.at + 4.0, Anchor::End, &tick.label);
    }
    svg.line("zero", (0.0, scale.at(0.0)), (100.0, scale.at(0.0)));
    let within = |value: f64| scale.at(value.clamp(scale.domain().0, scale.domain().1));
    svg.open(&format!("tone {}", tone(of)));
    let points = of.shift.iter().enumerate().map(|(at, one)| (x(at) * ACROSS / 100.0, within(one.estimate.value)));
    svg.layer(0.0, HEIGHT, |svg| svg.path("shl ns", &polyline(points)));
    for (at, one) in of.shift.iter().enumerate() {
        let (low, high) = ends(&one.estimate);
        svg.line("sh95", (x(at), within(low)), (x(at), within(high)));
        // an interval that leaves the plot ends in an arrow
        if high > scale.domain().1 {
            svg.at("", x(at), 0.0, |svg| svg.path("arr", "M-5 1L0-7 5 1z"));
        }
        if low < scale.domain().0 {
            svg.at("", x(at), HEIGHT, |svg| svg.path("arr", "M-5-1L0 7 5-1z"));
        }
        let percent = (one.quantile * 100.0).round();
        svg.circle("shd", x(at), within(one.estimate.value), if [50.0, 90.0, 99.0].contains(&percent) { 5.0 } else { 3.5 });
        svg.line("ax", (x(at), HEIGHT), (x(at), HEIGHT + 4.0));
        if [5.0, 25.0, 50.0, 75.0].contains(&percent) || at + 1 == of.shift.len() {
            svg.text("tk", x(at), HEIGHT + 18.0, Anchor::Middle, format!("p{percent}"));
        }
    }
    svg.close();
    svg.text("tk", 50.0, HEIGHT + 38.0, Anchor::Middle, "quantile of latency");
    let description = format!(
        "Difference in milliseconds from p5 to p99, slower upwards and faster downwards; the margin is {} ms either way.",
        plain((margin * 1e3).round() / 1e3)
    );
    let caption = Caption { id: &format!("{id}-s"), title: "Shift function", description: &description };
    let drawn = svg.figure(&caption, &Frame { height: 352.0, left: 52, right: 2, class: "" });
    figure(page, &head, html! { (drawn) (behind(of)) })
}

/// What all quantiles have in common; none if they have nothing in common.
fn finding(of: &Comparison, margin: f64) -> Option<String> {
    let spans: Vec<(f64, f64)> = of.shift.iter().map(|one| ends(&one.estimate)).collect();
    if spans.is_empty() {
        return None;
    }
    if margin > 0.0 && spans.iter().all(|(low, high)| *low > -margin && *high < margin) {
        return Some("At every quantile the difference is within the margin".to_owned());
    }
    let (faster, slower) = (spans.iter().all(|(_, high)| *high < 0.0), spans.iter().all(|(low, _)| *low > 0.0));
    let word = match (faster, slower) {
        (true, _) => "faster",
        (_, true) => "slower",
        _ => return None,
    };
    let sizes = of.shift.iter().map(|one| one.estimate.value.abs());
    let (least, most) = sizes.fold((f64::MAX, 0.0f64), |(least, most), size| (least.min(size), most.max(size)));
    Some(if most <= least * 1.25 {
        format!("Every quantile is {word} by about as much")
    } else {
        format!("Every quantile is {word}")
    })
}

fn scale(of: &Comparison, margin: f64) -> Linear {
    let common = of.shift.iter().filter(|one| one.quantile < COMMON).flat_map(|one| <[f64; 2]>::from(ends(&one.estimate)));
    let values = common.chain(of.shift.iter().map(|one| one.estimate.value)).filter(|value| value.is_finite());
    let (low, high) = values.fold((-margin * 1.2, margin * 1.2), |(low, high), end| (low.min(end), high.max(end)));
    Linear::rounded((low, high), (HEIGHT, 0.0), 5)
}

fn behind(of: &Comparison) -> Markup {
    let [a, b] = names(of);
    let columns = ["Quantile".to_owned(), format!("{a}, ms"), format!("{b} − {a}, ms"), "95\u{202f}% interval".to_owned()];
    let mut table = Table::new(format!("{}: difference per quantile", of.name), columns.map(numbers).to_vec());
    let places = of.metrics.first().map_or(3, |metric| places(metric).max(2));
    for one in &of.shift {
        let (low, high) = ends(&one.estimate);
        table.row(vec![
            text(format!("p{}", (one.quantile * 100.0).round())),
            text(one.a_ms.map_or_else(|| "failed".to_owned(), |value| fixed(value, places))),
            text(signed(one.estimate.value, places)),
            text(interval(low, high, places)),
        ]);
    }
    table.folded("shift per quantile")
}
