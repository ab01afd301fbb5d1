//! Windows: the primary metric of both arms in each, and below it their difference; void ones are hatched.

use maud::{Markup, html};

use super::{Head, Stop, figure, missing, scrubber};
use crate::compare::Metric;
use crate::compare::record::{ArmWindow, Comparison, WindowRecord};
use crate::report::estimate::{ends, short};
use crate::report::html::Page;
use crate::report::html::scale::{Linear, Log, with_sign};
use crate::report::html::svg::{Anchor, Caption, Frame, Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::{fixed, signed};
use crate::report::sentence::of as part_of;

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let metric = of.declaration.content.metric;
    let pairs: Vec<Option<(f64, f64)>> = of.windows.iter().map(|window| pair(window, metric)).collect();
    let differences: Vec<f64> = pairs.iter().flatten().map(|(a, b)| b - a).collect();
    let below = differences.iter().filter(|difference| **difference < 0.0).count() as u64;
    let arms = [0, 1].map(|arm| of.declaration.content.arms[arm].name.as_str());
    let finding = format!("{} is faster in {} windows that count", arms[1], part_of(below, differences.len() as u64));
    let finding = if page.void.is_some() { "The windows, one by one".to_owned() } else { finding };
    let reading = format!("{} of each window, first arm ● and second ■ (log scale); below, their difference.", short(metric));
    let head = Head { id, finding: &finding, reading: &reading };
    if differences.is_empty() {
        return missing(page, &head, "No windows.", "No window counts.");
    }
    let values = pairs.iter().flatten().flat_map(|(a, b)| [*a, *b]);
    let (low, high) = values.fold((f64::MAX, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let level = Log::new((low / 1.1, high * 1.1), (190.0, 10.0));
    let (least, most) = differences.iter().fold((0.0f64, 0.0f64), |(low, high), d| (low.min(*d), high.max(*d)));
    let change = Linear::rounded((least, most), (340.0, 230.0), 4);
    let count = of.windows.len().max(1) as f64;
    let x = |at: usize| (at as f64 + 0.5) / count * 100.0;
    let mut svg = Svg::new();
    axes(&mut svg, of, &level, &change);
    for (at, window) in of.windows.iter().enumerate() {
        if !window.void.is_empty() {
            for (top, bottom) in [(10.0, 190.0), (230.0, 340.0)] {
                svg.rect("vd-r hat", (x(at) - 50.0 / count, 100.0 / count), (top, bottom - top));
            }
        } else if let Some((a, b)) = pairs[at] {
            svg.circle("ca dot", x(at), level.at(a), 4.0);
            svg.at("", x(at), level.at(b), |svg| svg.boxed("cb dot", (-3.5, 7.0), (-3.5, 7.0), 0.0));
            svg.circle("dd", x(at), change.at(b - a), 3.4);
        }
    }
    for at in [0, of.windows.len() / 2, of.windows.len() - 1] {
        svg.text("tk", x(at), 358.0, Anchor::Middle, (at + 1).to_string());
    }
    svg.text("tk", 50.0, 378.0, Anchor::Middle, "window, in order of time");
    svg.line("cur", (X::Px(0.0), 10.0), (X::Px(0.0), 340.0));
    let description = format!("{} windows, {} of them void.", of.void.of, of.void.windows);
    let caption = Caption { id: &format!("{id}-w"), title: "Windows of both arms", description: &description };
    let stops: Vec<Stop> = of.windows.iter().enumerate().map(|(at, window)| (x(at), readout(at, window, pairs[at]))).collect();
    figure(
        page,
        &head,
        html! {
            (svg.figure(&caption, &Frame { height: 384.0, left: 56, right: 2, class: "" }))
            (scrubber(&format!("{id}-scrub"), "Step through the windows", (56, 2), &stops))
            (behind(of, &pairs))
        },
    )
}

/// Both panels' axes, the estimate with its band, and zero.
fn axes(svg: &mut Svg, of: &Comparison, level: &Log, change: &Linear) {
    for (at, tick) in level.ticks().into_iter().enumerate() {
        svg.line("gr", (0.0, tick.at), (100.0, tick.at));
        if tick.at > 18.0 && !tick.minor {
            svg.text(
                "tk",
                X::Px(-8.0),
                tick.at + 4.0,
                Anchor::End,
                if at == 0 { format!("{} ms", tick.label) } else { tick.label },
            );
        }
    }
    for tick in change.ticks(4, with_sign) {
        svg.line("gr", (0.0, tick.at), (100.0, tick.at));
        svg.text("tk", X::Px(-8.0), tick.at + 4.0, Anchor::End, &tick.label);
    }
    if let Some(estimate) = of.estimate.as_ref() {
        let (low, high) = ends(estimate);
        let within = |value: f64| change.at(value.clamp(change.domain().0, change.domain().1));
        svg.rect("hlb", (0.0, 100.0), (within(high), within(low) - within(high)));
        svg.line("hll", (0.0, within(estimate.value)), (100.0, within(estimate.value)));
    }
    svg.line("zero", (0.0, change.at(0.0)), (100.0, change.at(0.0)));
    svg.text("lb sm", 0.0, 218.0, Anchor::Start, format!("{}, difference, ms", short(of.declaration.content.metric)));
}

/// The primary metric of both arms; none in a void window or where it falls on failed requests.
fn pair(window: &WindowRecord, metric: Metric) -> Option<(f64, f64)> {
    let value = |arm: &ArmWindow| match metric {
        Metric::P50 => arm.p50_ms,
        Metric::P90 => arm.p90_ms,
        Metric::P99 => arm.p99_ms,
        Metric::P999 => arm.p999_ms,
        Metric::Mean => arm.mean_ms,
    };
    value(&window.a).zip(value(&window.b)).filter(|_| window.void.is_empty())
}

fn readout(at: usize, window: &WindowRecord, pair: Option<(f64, f64)>) -> String {
    match pair {
        Some((a, b)) => format!("Window {}: {} and {} ms, difference {} ms.", at + 1, fixed(a, 3), fixed(b, 3), signed(b - a, 3)),
        None if window.void.is_empty() => format!("Window {}: falls on failed requests.", at + 1),
        None => format!("Window {}: void for both arms: {}.", at + 1, window.void.join("; ")),
    }
}

fn behind(of: &Comparison, pairs: &[Option<(f64, f64)>]) -> Markup {
    let columns =
        vec![numbers("Window"), numbers("First arm, ms"), numbers("Second arm, ms"), numbers("Difference"), words("State")];
    let mut table = Table::new(format!("{}: every window", of.name), columns);
    for (at, (window, pair)) in of.windows.iter().zip(pairs).enumerate() {
        let value = |of: Option<f64>| text(of.map_or_else(|| "none".to_owned(), |value| fixed(value, 3)));
        let state = if window.void.is_empty() { "used".to_owned() } else { format!("void: {}", window.void.join("; ")) };
        table.row(vec![
            text((at + 1).to_string()),
            value(pair.map(|(a, _)| a)),
            value(pair.map(|(_, b)| b)),
            text(pair.map_or_else(|| "none".to_owned(), |(a, b)| signed(b - a, 3))),
            text(state),
        ]);
    }
    table.folded("every window")
}
