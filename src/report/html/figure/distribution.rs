//! The distribution of both arms: how many requests took how long, and below it the share that took longer.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::compare::record::{ArmDistribution, Comparison, Distribution as Record};
use crate::load::Distribution;
use crate::report::comparison::{brief, names};
use crate::report::html::Page;
use crate::report::html::scale::Log;
use crate::report::html::svg::{ACROSS, Anchor, Caption, Frame, Svg, X, area, polyline};
use crate::report::html::table::{Table, numbers, text};
use crate::report::number::{count, decimals, fixed, signed};
use crate::report::sentence::capital;

/// Height of the density, and top and bottom of the plot of shares below it, in pixels.
const DENSITY: f64 = 66.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 308.0;
/// Room for labels on both sides.
const SIDES: (u32, u32) = (84, 6);
/// Quantiles that are joined across the arms and listed in the table.
const JOINED: [(f64, &str); 3] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")];
const LISTED: [(f64, &str); 5] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")];

/// Scales, and the latencies of both arms.
struct Plot<'a> {
    record: &'a Record,
    latency: Log,
    share: Log,
    arms: [Option<Distribution>; 2],
}

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let [a, b] = names(of);
    let plot = of.distribution.as_ref().and_then(|record| Plot::of(of, record));
    let finding = match &plot {
        Some(plot) if page.void.is_none() => plot.finding(b),
        _ => "How long the requests took".to_owned(),
    };
    let failed = of.distribution.as_ref().map_or([0, 0], |record| [record.a.failed, record.b.failed]);
    let failures = match failed {
        [0, 0] => "None failed.".to_owned(),
        [one, other] => format!("Failed requests ({} and {}) count as slower than all that is shown.", count(one), count(other)),
    };
    let requests = plot.as_ref().map_or(0, Plot::requests);
    let reading = format!(
        "Share of requests slower than a given time, {} per arm: {a} ● and {b} ■. {failures} Bands: 95\u{202f}%, by windows.",
        count(requests)
    );
    let head = Head { id, finding: &finding, reading: &reading };
    let Some(plot) = plot else { return missing(page, &head, "No distribution.", "No window that counts has a good answer.") };
    let mut svg = Svg::new();
    plot.axes(&mut svg);
    plot.curves(&mut svg);
    plot.names(&mut svg, [a, b]);
    let joined: Vec<String> = JOINED.iter().filter_map(|quantile| plot.join(&mut svg, quantile)).collect();
    svg.text("tk", 50.0, 346.0, Anchor::Middle, "latency, ms (log scale)");
    let description = format!("Two curves of falling shares on logarithmic axes, {a} and {b}. {}.", joined.join("; "));
    let caption = Caption { id: &format!("{id}-d"), title: "Latency distribution of both arms", description: &description };
    let frame = Frame { height: 352.0, left: SIDES.0, right: SIDES.1, class: "" };
    figure(page, &head, html! { (svg.figure(&caption, &frame)) (plot.behind(of)) })
}

impl<'a> Plot<'a> {
    /// None if there is no good answer.
    fn of(of: &Comparison, record: &'a Record) -> Option<Plot<'a>> {
        let (low, high) = (record.edges_ms.first()?, record.edges_ms.last()?);
        let arm = |index: usize| of.arms.get(index)?.hdr.as_deref().and_then(Distribution::from_base64);
        let all = [&record.a, &record.b].map(|arm| arm.counts.iter().sum::<u64>() + arm.failed);
        let most = all[0].max(all[1]).max(2) as f64;
        Some(Plot {
            record,
            latency: Log::new((low / 1.04, high * 1.04), (0.0, 100.0)),
            share: Log::new((1.0 / most, 1.0), (BOTTOM, TOP)),
            arms: [arm(0), arm(1)],
        })
    }

    fn sides(&self) -> [&ArmDistribution; 2] {
        [&self.record.a, &self.record.b]
    }

    fn requests(&self) -> u64 {
        self.record.a.counts.iter().sum::<u64>() + self.record.a.failed
    }

    /// The quantile of one arm in milliseconds; none if it falls on failed requests, or is not known.
    fn quantile(&self, arm: usize, share: f64) -> Option<f64> {
        let times = self.arms[arm].as_ref().filter(|times| !times.is_empty())?;
        let good = 1.0 - self.sides()[arm].failed as f64 / times.len() as f64;
        // the largest value is that of the good ones
        (share <= good || share == 1.0).then(|| times.quantile_ms(if share == 1.0 { good } else { share }))
    }

    fn pair(&self, share: f64) -> Option<(f64, f64)> {
        self.quantile(0, share).zip(self.quantile(1, share))
    }

    fn finding(&self, b: &str) -> String {
        let change = |share: f64| self.pair(share).map(|(a, b)| b / a - 1.0);
        let (Some(half), Some(tenth), Some(tail)) = (change(0.5), change(0.9), change(0.99)) else {
            return "How long the requests took".to_owned();
        };
        // less than one percent cannot be seen in the plot
        let moves = |change: f64| if change.abs() < 0.01 { 0.0 } else { change.signum() };
        match [half, tenth, tail].map(moves) {
            [h, n, t] if h == n && n == t && h != 0.0 => {
                format!("The whole distribution of {b} is {}", if h < 0.0 { "faster" } else { "slower" })
            }
            [h, n, _] if h == n && h != 0.0 => {
                format!("{} is {} but for its slowest requests", capital(b), if h < 0.0 { "faster" } else { "slower" })
            }
            [h, _, t] if h == 0.0 && t != 0.0 => {
                format!("The half is the same, the tail of {b} is {}", if t < 0.0 { "shorter" } else { "longer" })
            }
            [0.0, 0.0, 0.0] => "The two distributions lie on each other".to_owned(),
            _ => "How long the requests took".to_owned(),
        }
    }

    fn axes(&self, svg: &mut Svg) {
        for tick in self.latency.ticks() {
            svg.line("gr", (tick.at, 0.0), (tick.at, BOTTOM));
            svg.text(if tick.minor { "tk w" } else { "tk" }, tick.at, 326.0, Anchor::Middle, &tick.label);
        }
        svg.text("tk", X::Px(-8.0), DENSITY - 3.0, Anchor::End, "density");
        let mut last = 0.0;
        for one_in in [1u64, 2, 10, 100, 1_000, 10_000, 100_000, 1_000_000] {
            let y = self.share.at(1.0 / one_in as f64);
            if one_in > 1 && self.share.at(1.0 / (one_in as f64 * 0.999)) >= BOTTOM {
                break;
            }
            svg.line("gr", (0.0, y), (100.0, y));
            let label = if one_in == 1 { "all".to_owned() } else { format!("1 in {}", count(one_in)) };
            if y - last > 15.0 {
                svg.text("tk", X::Px(-8.0), y + 4.0, Anchor::End, label);
                last = y;
            }
        }
    }

    /// Draws densities above, and curves with their bands below.
    fn curves(&self, svg: &mut Svg) {
        let across = |ms: f64| self.latency.at(ms) * ACROSS / 100.0;
        let edges = &self.record.edges_ms;
        let most = self.sides().iter().flat_map(|arm| &arm.counts).copied().max().unwrap_or(1).max(1) as f64;
        svg.layer(0.0, DENSITY, |svg| {
            for (arm, class) in self.sides().into_iter().zip(["da", "db"]) {
                let top =
                    arm.counts.iter().zip(edges.windows(2)).map(|(count, ends)| {
                        (across((ends[0] * ends[1]).sqrt()), DENSITY - *count as f64 / most * (DENSITY - 5.0))
                    });
                svg.path(class, &format!("M0 {DENSITY}{}L1000 {DENSITY}Z", polyline(top).replacen('M', "L", 1)));
            }
        });
        svg.line("ax", (0.0, DENSITY), (100.0, DENSITY));
        svg.line("ax", (0.0, BOTTOM), (100.0, BOTTOM));
        let y = |share: f64| self.share.at(share) - TOP;
        svg.layer(TOP, BOTTOM - TOP, |svg| {
            let of = |shares: &[f64]| edges.iter().zip(shares).map(|(ms, share)| (across(*ms), y(*share))).collect::<Vec<_>>();
            for (arm, class) in self.sides().into_iter().zip(["bda", "bdb"]) {
                svg.path(class, &area(&of(&arm.slower_high), &of(&arm.slower_low)));
            }
            for (arm, class) in self.sides().into_iter().zip(["sa ns", "sb ns"]) {
                svg.path(class, &polyline(of(&arm.slower)));
            }
        });
    }

    /// Writes the arms' names beside the peaks of their densities, on the side with more room.
    fn names(&self, svg: &mut Svg, names: [&str; 2]) {
        let edges = &self.record.edges_ms;
        let most = self.sides().iter().flat_map(|arm| &arm.counts).copied().max().unwrap_or(1) as f64;
        let mut high = (0..edges.len().saturating_sub(1))
            .filter(|bin| self.sides().iter().any(|arm| arm.counts.get(*bin).copied().unwrap_or(0) as f64 > most * 0.18));
        let (first, last) = (high.clone().next().unwrap_or(0), high.next_back().unwrap_or(0));
        let (left, right) = (self.latency.at(edges[first]), self.latency.at(edges[last + 1]));
        let (x, from, anchor) = if 100.0 - right >= left { (right, 10.0, Anchor::Start) } else { (left, -10.0, Anchor::End) };
        for ((name, class), y) in names.into_iter().zip(["ca halo", "cb halo"]).zip([26.0, 44.0]) {
            svg.at("", x, y, |svg| svg.text(class, X::Px(from), 0.0, anchor, brief(name)));
        }
    }

    /// Draws one quantile of both arms, joined and labelled; returns the same in words.
    fn join(&self, svg: &mut Svg, (share, name): &(f64, &str)) -> Option<String> {
        let (a, b) = self.pair(*share)?;
        let ([xa, xb], y) = ([a, b].map(|ms| self.latency.at(ms)), self.share.at(1.0 - share));
        svg.line("cn", (xa.min(xb), y), (xa.max(xb), y));
        svg.circle("ca dot", xa, y, 4.5);
        svg.at("", xb, y, |svg| svg.boxed("cb dot", (-4.0, 8.0), (-4.0, 8.0), 0.0));
        let places = places(a, b);
        let words = format!("{name}: {} → {}", fixed(a, places), fixed(b, places));
        let (left, right) = (xa.min(xb), xa.max(xb));
        for (class, text, most) in
            [("w", format!("{words} ms"), 70.0), ("n-only", format!("{name} {}", signed(b - a, places)), 62.0)]
        {
            let (x, from, anchor, above) = match (right < most, left > 100.0 - most) {
                (true, _) => (right, 10.0, Anchor::Start, true),
                // falling curves leave room to the left below them, where that is still the plot
                (false, true) => (left, -10.0, Anchor::End, y > BOTTOM - 24.0),
                // far apart: above the line between the two
                (false, false) => (left, 10.0, Anchor::Start, true),
            };
            svg.at(class, x, y, |svg| svg.text("lb halo sm", X::Px(from), if above { -6.0 } else { 15.0 }, anchor, &text));
        }
        Some(words)
    }

    fn behind(&self, of: &Comparison) -> Markup {
        let [a, b] = names(of);
        let columns = ["Quantile".to_owned(), format!("{a}, ms"), format!("{b}, ms"), "Difference, ms".to_owned()];
        let windows = of.void.of - of.void.windows;
        let mut table = Table::new(format!("{}: pooled over {windows} windows", of.name), columns.map(numbers).to_vec());
        for (share, name) in LISTED {
            let both = [self.quantile(0, share), self.quantile(1, share)];
            let known = both.map(|value| value.unwrap_or(f64::NAN));
            let places = places(known[0], known[1]);
            let value = |value: Option<f64>| text(value.map_or_else(|| "failed".to_owned(), |value| fixed(value, places)));
            let difference = self.pair(share).map_or_else(|| "none".to_owned(), |(a, b)| signed(b - a, places));
            table.row(vec![text(name), value(both[0]), value(both[1]), text(difference)]);
        }
        table.folded("pooled quantiles")
    }
}

/// Number of decimals that shows three digits of the smaller value.
fn places(a: f64, b: f64) -> usize {
    let least = a.min(b);
    if least.is_finite() && least > 0.0 { decimals(least / 10.0).min(3) } else { 2 }
}
