//! Windows: a heat map per arm, and below them the primary metric's difference in each window; void ones are hatched in all
//! panels.

use maud::{Markup, html};

use super::{Head, Stop, figure, heat, missing, scrubber, tone};
use crate::compare::Metric;
use crate::compare::record::{ArmWindow, Comparison, WindowRecord};
use crate::report::comparison::{brief, names};
use crate::report::estimate::{ends, places, short};
use crate::report::html::Page;
use crate::report::html::scale::{Linear, with_sign};
use crate::report::html::svg::{Anchor, Caption, Frame, Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::{count, fixed, plain, signed, words as in_words};
use crate::report::sentence::{capital, of as part_of, plural};

/// Tops of the panels, and the height of the last one, in pixels.
const TOPS: [f64; 3] = [44.0, 184.0, 328.0];
const CHANGE: f64 = 100.0;
/// Room for labels on both sides.
const SIDES: (u32, u32) = (56, 2);
/// Most stops of the scrubber; if there are more windows, it stops at every second, third … one.
const STOPS: usize = 240;

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let metric = of.declaration.content.metric;
    let pairs: Vec<Option<(f64, f64)>> = of.windows.iter().map(|window| pair(window, metric)).collect();
    let [a, b] = names(of);
    let finding = if page.void.is_some() { "The windows, one by one".to_owned() } else { finding(of, &pairs) };
    let reading = format!(
        "Each column is one window, {a} above and {b} below it; darker cells hold more of its requests (log scale), the dash is \
         its {}. A void window is void for both arms, and the gate that voided it did not know the arms.",
        short(metric)
    );
    let head = Head { id, finding: &finding, reading: &reading };
    let columns = heat::columns(&of.windows);
    let Some(scale) = heat::scale(&columns, &of.windows) else {
        return missing(page, &head, "No windows.", "No window that counts has a good answer.");
    };
    let x = |at: usize| (at as f64 + 0.5) / of.windows.len() as f64 * 100.0;
    let mut svg = Svg::new();
    for (arm, class) in ["ca", "cb"].into_iter().enumerate() {
        heat::draw(&mut svg, (arm, TOPS[arm]), &columns, &of.windows, (&scale, metric));
        svg.text(class, 0.0, TOPS[arm] - 7.0, Anchor::Start, brief([a, b][arm]));
    }
    change(&mut svg, of, &pairs);
    deployments(&mut svg, of);
    void(&mut svg, of);
    time_axis(&mut svg, of);
    svg.line("cur", (X::Px(0.0), TOPS[0]), (X::Px(0.0), TOPS[2] + CHANGE));
    let description = format!(
        "Two heat maps over {} windows, {a} and {b}, and the difference of {} in each. {} void. {finding}.",
        of.void.of,
        short(metric),
        count(of.void.windows)
    );
    let caption = Caption { id: &format!("{id}-w"), title: "Window by window", description: &description };
    let every = of.windows.len().div_ceil(STOPS).max(1);
    let stops: Vec<Stop> = (0..of.windows.len()).step_by(every).map(|at| (x(at), readout(of, at, pairs[at]))).collect();
    let body = html! {
        (key(of))
        (svg.figure(&caption, &Frame { height: 470.0, left: SIDES.0, right: SIDES.1, class: "" }))
        (scrubber(&format!("{id}-scrub"), "Step through the windows", SIDES, &stops))
        (behind(of, &pairs))
    };
    figure(page, &head, body)
}

/// How many windows agree with the estimate.
fn finding(of: &Comparison, pairs: &[Option<(f64, f64)>]) -> String {
    let differences: Vec<f64> = pairs.iter().flatten().map(|(a, b)| b - a).collect();
    let falls = of.estimate.as_ref().map_or(0.0, |estimate| estimate.value) <= 0.0;
    let agree = differences.iter().filter(|one| if falls { **one < 0.0 } else { **one > 0.0 }).count() as u64;
    let last = of.windows.last().map_or(0, |window| window.deployment);
    let deployments = if last > 0 { format!(", on {} deployments", in_words(u64::from(last) + 1)) } else { String::new() };
    let (b, word) = (capital(names(of)[1]), if falls { "faster" } else { "slower" });
    format!("{b} is {word} in {} windows{deployments}", part_of(agree, differences.len() as u64))
}

fn key(of: &Comparison) -> Markup {
    let mut ramp = Svg::new();
    for step in 0..heat::STEPS.len() {
        ramp.boxed(&format!("hn{}", step + 1), (step as f64 * 15.0, 14.0), (0.0, 14.0), 0.0);
    }
    let mut dash = Svg::new();
    dash.line("pq", (X::Px(1.0), 7.0), (X::Px(17.0), 7.0));
    let mut hatch = Svg::new();
    hatch.boxed("vd-r hat", (0.5, 15.0), (0.5, 13.0), 0.0);
    html! {
        ul.key {
            li { (ramp.icon((74, 14), None)) (heat::limits()) "\u{202f}% of the window’s requests" }
            li { (dash.icon((18, 14), None)) (short(of.declaration.content.metric)) }
            li { (hatch.icon((16, 14), None)) "void: " (part_of(of.void.windows, of.void.of)) }
        }
    }
}

/// Draws the lowest panel: a dot for each window, the estimate with its band, and zero.
fn change(svg: &mut Svg, of: &Comparison, pairs: &[Option<(f64, f64)>]) {
    let differences = || pairs.iter().flatten().map(|(a, b)| b - a);
    let (least, most) = differences().fold((0.0f64, 0.0f64), |(low, high), d| (low.min(d), high.max(d)));
    let scale = Linear::rounded((least, most), (TOPS[2] + CHANGE, TOPS[2]), 4);
    for tick in scale.ticks(4, with_sign) {
        svg.line("gr", (0.0, tick.at), (100.0, tick.at));
        svg.text("tk", X::Px(-8.0), tick.at + 4.0, Anchor::End, &tick.label);
    }
    let metric = short(of.declaration.content.metric);
    let [a, b] = names(of).map(brief);
    let mut line = String::new();
    svg.line("zero", (0.0, scale.at(0.0)), (100.0, scale.at(0.0)));
    if let Some(estimate) = of.estimate.as_ref() {
        let (low, high) = ends(estimate);
        let within = |value: f64| scale.at(value.clamp(scale.domain().0, scale.domain().1));
        svg.open(&format!("tone {}", tone(of)));
        svg.rect("hlb", (0.0, 100.0), (within(high), within(low) - within(high)));
        svg.line("hll", (0.0, within(estimate.value)), (100.0, within(estimate.value)));
        svg.close();
        line = format!("; line: the estimate {}", signed(estimate.value, of.metrics.first().map_or(3, places)));
    }
    svg.text("lb sm w", 0.0, TOPS[2] - 12.0, Anchor::Start, format!("{metric}, {b} − {a}, ms{line}"));
    svg.text("lb sm n-only", 0.0, TOPS[2] - 12.0, Anchor::Start, format!("{metric}, difference, ms"));
    let x = |at: usize| (at as f64 + 0.5) / pairs.len() as f64 * 100.0;
    for (at, (pair, window)) in pairs.iter().zip(&of.windows).enumerate() {
        match pair {
            Some((a, b)) => svg.circle("dd", x(at), scale.at(b - a), if pairs.len() > 150 { 2.0 } else { 3.4 }),
            None if window.void.is_empty() => svg.mark("fs", x(at), TOPS[2] + CHANGE - 8.0),
            None => {}
        }
    }
}

/// Draws a dashed line where a deployment begins.
fn deployments(svg: &mut Svg, of: &Comparison) {
    if of.windows.last().is_none_or(|window| window.deployment == 0) {
        return;
    }
    let starts = of.windows.chunk_by(|one, other| one.deployment == other.deployment).scan(0usize, |at, chunk| {
        let start = *at;
        *at += chunk.len();
        Some((start, chunk[0].deployment + 1))
    });
    for (start, number) in starts {
        let x = start as f64 / of.windows.len() as f64 * 100.0;
        if start == 0 {
            let text = format!("deployment {number}");
            svg.text("sm w", 0.0, 12.0, Anchor::Start, &text);
            // nothing else stands left of the plot at this height
            svg.text("sm n-only", X::Px(-f64::from(SIDES.0)), 12.0, Anchor::Start, &text);
            continue;
        }
        for (top, high) in TOPS.into_iter().zip([heat::HEIGHT, heat::HEIGHT, CHANGE]) {
            svg.line("rd", (x, top), (x, top + high));
        }
        svg.at("w", x, 12.0, |svg| svg.text("sm", X::Px(6.0), 0.0, Anchor::Start, format!("redeployed: {number}")));
        svg.at("n-only", x, 12.0, |svg| svg.text("sm", X::Px(4.0), 0.0, Anchor::Start, number.to_string()));
    }
}

fn void(svg: &mut Svg, of: &Comparison) {
    let wide = 100.0 / of.windows.len() as f64;
    for (at, _) in of.windows.iter().enumerate().filter(|(_, window)| !window.void.is_empty()) {
        for (top, high) in TOPS.into_iter().zip([heat::HEIGHT, heat::HEIGHT, CHANGE]) {
            svg.rect("vd-r hat", (wide * at as f64, wide), (top, high));
        }
    }
}

fn time_axis(svg: &mut Svg, of: &Comparison) {
    let (windows, bottom) = (of.windows.len(), TOPS[2] + CHANGE);
    let x = |number: usize| (number as f64 - 0.5) / windows as f64 * 100.0;
    svg.line("ax", (0.0, bottom), (100.0, bottom));
    // 1, 5, 10, 20 … so that there are at most eight numbers in a row; narrow pages show the first, the last and half of the
    // others
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].into_iter().find(|step| windows / step <= 8).unwrap_or(5_000);
    let clear = |number: usize| x(number) - x(1) > 8.0 && x(windows) - x(number) > 8.0;
    svg.text("tk", x(1), bottom + 18.0, Anchor::Middle, "1");
    for (at, number) in (step..windows).step_by(step).filter(|number| clear(*number)).enumerate() {
        svg.text(if at % 2 == 0 { "tk w" } else { "tk" }, x(number), bottom + 18.0, Anchor::Middle, count(number as u64));
    }
    if windows > 1 {
        svg.text("tk", x(windows), bottom + 18.0, Anchor::Middle, count(windows as u64));
    }
    let length = plain(of.declaration.content.window_ms / 1e3);
    svg.text("tk", 50.0, bottom + 36.0, Anchor::Middle, format!("window of {length}\u{202f}s, in order of time"));
}

/// The metric of one arm in one window; none if it falls on failed requests.
pub fn primary(arm: &ArmWindow, metric: Metric) -> Option<f64> {
    match metric {
        Metric::P50 => arm.p50_ms,
        Metric::P90 => arm.p90_ms,
        Metric::P99 => arm.p99_ms,
        Metric::P999 => arm.p999_ms,
        Metric::Mean => arm.mean_ms,
    }
}

/// The primary metric of both arms; none if the window is void.
fn pair(window: &WindowRecord, metric: Metric) -> Option<(f64, f64)> {
    primary(&window.a, metric).zip(primary(&window.b, metric)).filter(|_| window.void.is_empty())
}

fn readout(of: &Comparison, at: usize, pair: Option<(f64, f64)>) -> String {
    let (window, number) = (&of.windows[at], at + 1);
    let [a, b] = names(of);
    match pair {
        Some((one, other)) => {
            let failed = window.a.failed + window.b.failed;
            let lost = if failed > 0 {
                format!(" {} {} failed.", count(failed), plural(failed, "request", "requests"))
            } else {
                String::new()
            };
            let metric = short(of.declaration.content.metric);
            format!(
                "Window {number}: {metric} {} ms {a}, {} ms {b}, {} ms.{lost}",
                fixed(one, 3),
                fixed(other, 3),
                signed(other - one, 3)
            )
        }
        None if window.void.is_empty() => format!("Window {number}: falls on failed requests."),
        None => format!("Window {number}: void for both arms: {}.", window.void.join("; ")),
    }
}

fn behind(of: &Comparison, pairs: &[Option<(f64, f64)>]) -> Markup {
    let ([a, b], metric) = (names(of), short(of.declaration.content.metric));
    let columns = vec![
        numbers("Window"),
        numbers(format!("{metric} {a}, ms")),
        numbers(format!("{metric} {b}, ms")),
        numbers("Difference, ms"),
        numbers("Failed"),
        words("State"),
    ];
    let mut table = Table::new(format!("{}: every window", of.name), columns);
    for (at, (window, pair)) in of.windows.iter().zip(pairs).enumerate() {
        let value = |of: Option<f64>| text(of.map_or_else(|| "none".to_owned(), |value| fixed(value, 3)));
        let state = if window.void.is_empty() { "used".to_owned() } else { format!("void: {}", window.void.join("; ")) };
        table.row(vec![
            text((at + 1).to_string()),
            value(pair.map(|(a, _)| a)),
            value(pair.map(|(_, b)| b)),
            text(pair.map_or_else(|| "none".to_owned(), |(a, b)| signed(b - a, 3))),
            text(format!("{} and {}", window.a.failed, window.b.failed)),
            text(state),
        ]);
    }
    table.folded(&format!("{} windows", of.windows.len()))
}
