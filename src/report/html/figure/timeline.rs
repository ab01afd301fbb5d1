//! Timelines: each request is drawn at the moment it was due, at the height of its latency; claim and control side by side, on
//! the same axes.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::{Head, Stop, figure, missing, scrubber};
use crate::report::html::Page;
use crate::report::html::scale::{Linear, Log, without_sign};
use crate::report::html::scenario::Side;
use crate::report::html::svg::{ACROSS, Anchor, Caption, Frame, Svg, X, cell};
use crate::report::html::table::{Table, numbers, text};
use crate::report::number::{count, fixed, plain, time, times};
use crate::report::seen::Fault;
use crate::report::sentence::{of, plural};
use crate::scenario::record::Part;
use crate::scenario::timeline::Timeline;

/// Top and bottom of the plot, in pixels; failures are above it, phases below.
const TOP: f64 = 54.0;
const BOTTOM: f64 = 316.0;
const HEIGHT: f64 = 368.0;
/// Room for the labels of the y axis.
const LEFT: u32 = 52;
const RIGHT: u32 = 2;
/// Number of steps of darkness.
const STEPS: usize = 5;
/// Most retried requests that are drawn one by one in a panel; more would cover each other.
const DIAMONDS: usize = 1_200;

/// The axes shared by claim and control.
struct Axes {
    time: Linear,
    latency: Log,
    /// The smallest number of requests for each step of darkness, ascending.
    steps: Vec<u32>,
}

/// The figure; `sides` are the claim and its control, if there is one.
pub fn draw(page: &Page, id: &str, finding: &str, sides: &[Side]) -> Markup {
    let head = Head {
        id,
        finding,
        reading: "Each request at the moment it was due; height is its time to the answer (log scale). \
                  A vertical line is a fault, shaded until it was healed.",
    };
    let drawn: Vec<(&Side, &Timeline)> = sides.iter().filter_map(|side| Some((side, side.trial.timeline.as_ref()?))).collect();
    let Some(axes) = axes(&drawn) else {
        return missing(page, &head, "No timeline.", "The record holds no single requests.");
    };
    figure(
        page,
        &head,
        html! {
            (key(&axes, sides))
            div.pair[drawn.len() > 1] {
                @for (at, (side, timeline)) in drawn.iter().enumerate() {
                    div.col id=(format!("{id}-{at}")) { (panel(&format!("{id}-{at}"), side, timeline, &axes)) }
                }
            }
        },
    )
}

fn axes(drawn: &[(&Side, &Timeline)]) -> Option<Axes> {
    let mut range = (f64::MAX, 0.0f64);
    let (mut last, mut most) = (0.0f64, 0u32);
    for (side, timeline) in drawn {
        let per_decade = f64::from(timeline.cells_per_decade.max(1));
        for (column, cell, requests) in &timeline.first {
            let from = 10f64.powf(f64::from(*cell) / per_decade);
            range = (range.0.min(from), range.1.max(from * 10f64.powf(1.0 / per_decade)));
            last = last.max(f64::from(column + 1) * timeline.column_ms);
            most = most.max(*requests);
        }
        for (due, latency, _) in timeline.retried.iter().chain(&timeline.slow) {
            range = (range.0.min(*latency), range.1.max(*latency));
            last = last.max(*due);
        }
        last = timeline.failed.iter().fold(last, |last, (due, _)| last.max(*due));
        last = side.trial.parts.iter().fold(last, |last, part| last.max(part.to_ms));
    }
    if last <= 0.0 {
        return None;
    }
    // without any answer there still is an axis
    let range = if range.1 > 0.0 { (range.0.max(1e-3) / 1.15, range.1 * 1.3) } else { (1.0, 1e3) };
    let seconds = (last / 1e3).ceil();
    Some(Axes {
        time: Linear::new((0.0, seconds * 1e3), (0.0, 100.0)),
        latency: Log::new(range, (BOTTOM, TOP)),
        steps: steps(most),
    })
}

/// Limits of the steps of darkness: constant factors, up to half of the fullest cell.
fn steps(most: u32) -> Vec<u32> {
    let mut limits: Vec<u32> =
        (0..STEPS).map(|step| (f64::from(most).powf(step as f64 / STEPS as f64)).round().max(1.0) as u32).collect();
    limits.dedup();
    limits
}

fn key(axes: &Axes, sides: &[Side]) -> Markup {
    let mut ramp = Svg::new();
    for at in 0..axes.steps.len() {
        ramp.boxed(&darkness(at, axes.steps.len()), (at as f64 * 12.0, 11.0), (0.0, 14.0), 0.0);
    }
    let limits = axes.steps.iter().map(|limit| count(u64::from(*limit))).collect::<Vec<_>>().join(", ");
    let mut retried = Svg::new();
    retried.mark("dm", X::Px(7.0), 7.0);
    let mut failed = Svg::new();
    failed.mark("fx", X::Px(7.0), 7.0);
    let mut fault = Svg::new();
    fault.boxed("kb", (0.0, 26.0), (0.0, 14.0), 0.0);
    fault.line("kl", (X::Px(1.0), 0.0), (X::Px(1.0), 14.0));
    let faults = sides.iter().flat_map(|side| &side.faults).next();
    html! {
        ul.key {
            li { (ramp.icon((axes.steps.len() as u32 * 12, 14), None)) "from " (limits) " requests, first attempt" }
            li { (retried.icon((14, 14), None)) "answered after a retry" }
            li { (failed.icon((14, 14), None)) "failed" }
            @if let Some(one) = faults { li { (fault.icon((26, 14), None)) (one.noun) ", until " (one.healed_word) } }
        }
    }
}

fn darkness(at: usize, of: usize) -> String {
    // if there are few steps, use the dark ones, so that a single request can be seen
    format!("hn{}", (at + 1 + STEPS - of).min(STEPS))
}

fn panel(id: &str, side: &Side, timeline: &Timeline, axes: &Axes) -> Markup {
    let mut svg = Svg::new();
    shades(&mut svg, &side.faults, axes);
    latency_axis(&mut svg, axes);
    cells(&mut svg, timeline, axes);
    svg.line("ax", (0.0, BOTTOM), (100.0, BOTTOM));
    diamonds(&mut svg, timeline, axes);
    failures(&mut svg, side, timeline, axes);
    time_axis(&mut svg, axes);
    phases(&mut svg, side, axes);
    outliers(&mut svg, timeline, axes);
    svg.line("cur", (X::Px(0.0), TOP), (X::Px(0.0), BOTTOM));
    let trial = side.trial;
    let at: Vec<String> = side.faults.iter().map(|fault| fixed(fault.at_ms / 1e3, 1)).collect();
    let description = format!(
        "{} at {} s. {} failed, {} answered after a retry.",
        plural(at.len() as u64, "One fault", "Faults"),
        if at.is_empty() { "no".to_owned() } else { at.join(", ") },
        of(trial.failed, trial.requests),
        count(trial.repeated),
    );
    let caption = Caption { id, title: &format!("Timeline, {}", side.name), description: &description };
    html! {
        div.colh {
            span.tag { (side.tag) }
            h4 { (side.heading) }
            p {
                @if trial.failed == 0 { b.yes { (of(trial.failed, trial.requests)) " requests failed" } }
                @else { b.no { (of(trial.failed, trial.requests)) " requests failed" } }
                "; " (count(trial.repeated)) " answered after a retry."
            }
        }
        (svg.figure(&caption, &Frame { height: HEIGHT, left: LEFT, right: RIGHT, class: "" }))
        (scrubber(&format!("{id}-s"), "Step through the seconds", (LEFT, RIGHT), &stops(side, timeline, axes)))
        (seconds(side, timeline))
    }
}

/// Shades from each fault until it was healed.
fn shades(svg: &mut Svg, faults: &[Fault], axes: &Axes) {
    let mut labelled = f64::MIN;
    for (at, fault) in faults.iter().enumerate() {
        let from = axes.time.at(fault.at_ms);
        let to = axes.time.at(fault.healed_ms.unwrap_or(fault.done_ms)).min(100.0);
        svg.rect("kb", (from, to - from), (TOP, BOTTOM - TOP));
        svg.line("kl", (from, 4.0), (from, BOTTOM));
        let next = faults.get(at + 1).map_or(100.0, |next| axes.time.at(next.at_ms));
        // a number needs 18 pixels: 7 % of a narrow plot, 5 % of a wide one
        if from - labelled >= 5.0 {
            let class = if from - labelled >= 7.0 { "lb" } else { "lb w" };
            // the kind needs 28 pixels more: 12 % of a medium plot, 9.6 % of a wide one
            let wide = if next - from >= 12.0 { "w" } else { "xw" };
            let noun = (at == 0 && next - from >= 9.6).then(|| format!("{} ", fault.noun));
            svg.at("", from, 0.0, |svg| {
                let label = html! { @if let Some(noun) = noun { tspan class=(wide) { (noun) } } (fault.number) };
                svg.text(class, X::Px(5.0), 13.0, Anchor::Start, label);
            });
            labelled = from;
        }
    }
}

fn latency_axis(svg: &mut Svg, axes: &Axes) {
    let mut ticks = axes.latency.ticks();
    ticks.retain(|tick| (TOP + 8.0..BOTTOM - 4.0).contains(&tick.at));
    let last = ticks.len().saturating_sub(1);
    for (at, tick) in ticks.into_iter().enumerate() {
        let y = tick.at;
        svg.line("gr", (0.0, y), (100.0, y));
        let seconds = tick.value >= 1e3;
        let label = if seconds { plain(tick.value / 1e3) } else { tick.label };
        let unit = match (seconds, (tick.value - 1e3).abs() < 1.0, at) {
            (true, true, _) => " s",
            (true, _, at) if at == last => " s",
            (false, _, 0) => " ms",
            _ => "",
        };
        svg.text("tk", X::Px(-8.0), y + 4.0, Anchor::End, format!("{label}{unit}"));
    }
}

/// Draws one path for each step of darkness.
fn cells(svg: &mut Svg, timeline: &Timeline, axes: &Axes) {
    let per_decade = f64::from(timeline.cells_per_decade.max(1));
    let mut paths = vec![String::new(); axes.steps.len()];
    let across = ACROSS / 100.0;
    for (column, latency, requests) in &timeline.first {
        let step = axes.steps.iter().rposition(|limit| requests >= limit).unwrap_or(0);
        let from = axes.time.at(f64::from(*column) * timeline.column_ms) * across;
        let to = axes.time.at(f64::from(column + 1) * timeline.column_ms) * across;
        let low = axes.latency.at(10f64.powf(f64::from(*latency) / per_decade)) - TOP;
        let high = axes.latency.at(10f64.powf(f64::from(latency + 1) / per_decade)) - TOP;
        paths[step].push_str(&cell(from, to - from - 1.0, high, low - high));
    }
    svg.layer(TOP, BOTTOM - TOP, |svg| {
        for (at, path) in paths.iter().enumerate() {
            svg.path(&darkness(at, paths.len()), path);
        }
    });
}

fn diamonds(svg: &mut Svg, timeline: &Timeline, axes: &Axes) {
    let mut drawn = std::collections::BTreeSet::new();
    for (due, latency, _) in timeline.retried.iter().chain(timeline.slow.iter().filter(|(_, _, attempt)| *attempt <= 1)) {
        let (x, y) = (axes.time.at(*due), axes.latency.at(*latency));
        // marks that would cover each other to a fraction of a pixel are drawn once
        if drawn.insert(((x * 20.0) as i64, y as i64)) && drawn.len() <= DIAMONDS {
            svg.mark("dm", x, y);
        }
    }
}

/// Draws failures in a lane above the plot, each counted for the fault before it.
fn failures(svg: &mut Svg, side: &Side, timeline: &Timeline, axes: &Axes) {
    let class = if timeline.failed.is_empty() { "okt" } else { "flt" };
    svg.text(if timeline.failed.is_empty() { "tk" } else { "flt" }, X::Px(-8.0), 40.0, Anchor::End, "failed");
    svg.line("ax", (0.0, TOP), (100.0, TOP));
    let starts = std::iter::once(0.0).chain(side.faults.iter().map(|fault| fault.at_ms));
    let groups: Vec<(f64, u64)> = starts
        .enumerate()
        .map(|(at, from)| {
            let to = side.faults.get(at).map_or(f64::MAX, |next| next.at_ms);
            (axes.time.at(from), timeline.failed.iter().filter(|(due, _)| *due >= from && *due < to).count() as u64)
        })
        .collect();
    if timeline.failed.is_empty() {
        let x = side.faults.first().map_or(0.0, |fault| axes.time.at(fault.at_ms));
        svg.at("", x, 0.0, |svg| svg.text(class, X::Px(6.0), 40.0, Anchor::Start, "0"));
        return;
    }
    // a cross and its number need 34 pixels: 14 % of a narrow plot, 9.4 % of a wide one; closer ones are added up
    for (class, apart) in [("w", 9.4), ("n-only", 14.0)] {
        let mut shown: Vec<(f64, u64)> = Vec::new();
        for (x, failed) in groups.iter().filter(|(_, failed)| *failed > 0) {
            match shown.last_mut() {
                Some((before, sum)) if x - *before < apart => *sum += failed,
                _ => shown.push((*x, *failed)),
            }
        }
        for (x, failed) in shown {
            svg.at(class, x, 36.0, |svg| {
                svg.mark("fx", X::Px(10.0), 0.0);
                svg.text("flt", X::Px(18.0), 4.5, Anchor::Start, count(failed));
            });
        }
    }
}

fn time_axis(svg: &mut Svg, axes: &Axes) {
    let seconds = Linear::new((0.0, axes.time.domain().1 / 1e3), (0.0, 100.0));
    let ticks = seconds.ticks(6, without_sign);
    let last = ticks.len().saturating_sub(1);
    for (at, tick) in ticks.into_iter().enumerate() {
        svg.line("ax", (tick.at, BOTTOM), (tick.at, BOTTOM + 4.0));
        let label = if at == last { format!("{} s", tick.label) } else { tick.label };
        let anchor = if tick.at > 96.0 { Anchor::End } else { Anchor::Middle };
        svg.text("tk", tick.at, BOTTOM + 18.0, anchor, label);
    }
}

fn phases(svg: &mut Svg, side: &Side, axes: &Axes) {
    for part in side.trial.parts.iter().filter(|part| part.part != Part::Run) {
        let (from, to) = (axes.time.at(part.from_ms), axes.time.at(part.to_ms).min(100.0));
        svg.line("ax", (from + 0.3, 346.0), (to - 0.3, 346.0));
        // the words need up to 40 pixels: 16 % of a narrow plot, 11 % of a wide one
        let class = if to - from >= 16.0 { "sm" } else { "sm w" };
        if to - from >= 11.0 {
            svg.text(class, (from + to) / 2.0, 362.0, Anchor::Middle, part.part.name());
        }
    }
}

/// Describes, beside their marks, answers that no expectation covers.
fn outliers(svg: &mut Svg, timeline: &Timeline, axes: &Axes) {
    let Some((lines, due, latency)) = outlier_lines(timeline) else { return };
    let (x, y) = (axes.time.at(due), axes.latency.at(latency));
    let y = (y + 34.0).clamp(TOP + 22.0, BOTTOM - 40.0);
    let wide = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) as f64 * 6.7 + 12.0;
    // a narrow plot has room for the words only from its left edge or to its right one
    for (class, place) in [("w", if x < 30.0 { x } else { 100.0 }), ("n-only", if x < 30.0 { x.min(8.0) } else { 100.0 })] {
        svg.at(class, place, y, |svg| {
            let from = if x < 30.0 { 10.0 } else { -wide - 2.0 };
            svg.boxed("pl", (from, wide), (-17.0, 36.0), 3.0);
            for (at, line) in lines.iter().enumerate() {
                svg.text("nt", X::Px(from + 6.0), -2.0 + 16.0 * at as f64, Anchor::Start, line);
            }
        });
    }
}

/// Two lines about answers that were very slow, and the place of the slowest.
fn outlier_lines(timeline: &Timeline) -> Option<([String; 2], f64, f64)> {
    let slowest = timeline.slow.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let fastest = timeline.slow.iter().map(|(_, latency, _)| *latency).fold(f64::MAX, f64::min);
    let number = timeline.slow.len() as u64;
    let waited = if number == 1 { time(slowest.1) } else { times(fastest, slowest.1) };
    let mut attempts: Vec<u8> = timeline.slow.iter().map(|(_, _, attempt)| (*attempt).max(1)).collect();
    attempts.sort_unstable();
    attempts.dedup();
    let attempt = match attempts.as_slice() {
        [1] => "answered at the first attempt",
        [2] => "answered at the second attempt",
        [3] => "answered at the third attempt",
        _ => "before they were answered",
    };
    let what = format!("{} {} waited {waited},", count(number), plural(number, "request", "requests"));
    Some(([what, attempt.to_owned()], slowest.0, slowest.1))
}

fn stops(side: &Side, timeline: &Timeline, axes: &Axes) -> Vec<Stop> {
    let stop = |window: &crate::scenario::record::WindowRecord| {
        let second = window.from_ms / 1e3;
        let mut text = format!("{} to {} s: {} due, ", fixed(second, 0), fixed(second + 1.0, 0), count(window.requests));
        let failed = if window.failed == 0 { "none".to_owned() } else { count(window.failed) };
        let _ = write!(text, "{failed} failed, {} answered after a retry; ", count(retried(timeline, window.from_ms)));
        let _ = write!(text, "p50 {}, p99 {}.", time(window.latency_p50_ms), time(window.latency_p99_ms));
        if window.void {
            text.push_str(" Void: the generator was late.");
        }
        (axes.time.at(window.from_ms + 500.0), text)
    };
    side.trial.windows.iter().map(stop).collect()
}

fn retried(timeline: &Timeline, from: f64) -> u64 {
    timeline.retried.iter().filter(|(due, _, _)| *due >= from && *due < from + 1e3).count() as u64
}

fn seconds(side: &Side, timeline: &Timeline) -> Markup {
    let columns = vec![
        numbers("Second"),
        numbers("Due"),
        numbers("Failed"),
        numbers("After a retry"),
        numbers("p50"),
        numbers("p99"),
        numbers("State"),
    ];
    let mut table = Table::new(format!("{}: every second", side.caption), columns);
    for window in &side.trial.windows {
        table.row(vec![
            text(fixed(window.from_ms / 1e3, 0)),
            text(count(window.requests)),
            if window.failed > 0 {
                html! { b.no { (count(window.failed)) } }
            } else {
                text("0")
            },
            text(count(retried(timeline, window.from_ms))),
            text(time(window.latency_p50_ms)),
            text(time(window.latency_p99_ms)),
            text(if window.void { "void" } else { "used" }),
        ]);
    }
    if table.len() == 0 { PreEscaped(String::new()) } else { table.folded("every second") }
}
