//! Latency by phase: the median, the tail, and the slowest request.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::report::html::Page;
use crate::report::html::scale::Log;
use crate::report::html::scenario::Side;
use crate::report::html::svg::{Anchor, Svg};
use crate::report::number::{count, plain, time};
use crate::scenario::record::Part;
use crate::scenario::record::PartRecord;

/// The figure; `timeout_ms` is the latency that a failed request counts as.
pub fn draw(page: &Page, id: &str, sides: &[Side], timeout_ms: f64) -> Markup {
    let parts = |side: &Side| side.trial.parts.iter().filter(|part| part.part != Part::Run && part.latency.count > 0).count();
    let finding = finding(&sides[0]);
    let head = Head {
        id,
        finding: &finding,
        reading: "From the moment each request was due. A failed request counts as slower than the timeout, so a quantile \
                  that falls on one reads “failed”.",
    };
    if sides.iter().map(parts).sum::<usize>() == 0 {
        return missing(page, &head, "No latencies.", "No phase has a request that counts.");
    }
    let latencies = || sides.iter().flat_map(|side| &side.trial.parts).filter(|part| part.latency.count > 0);
    let low = latencies().map(|part| part.latency.p50_ms).fold(f64::MAX, f64::min);
    let high = latencies().map(|part| part.latency.max_ms).fold(0.0, f64::max);
    let scale = Log::new((low / 1.4, high * 1.2), (0.0, 100.0));
    figure(
        page,
        &head,
        html! {
            table.forest.low.ph role="table" aria-label=(format!("{}: latency by phase", sides[0].caption)) {
                colgroup { col style="width:13%"; col style="width:10%"; col style="width:41%"; @for _ in 0..4 { col style="width:9%"; } }
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Phase" }
                    th.r role="columnheader" scope="col" { "Requests" }
                    th role="columnheader" scope="col" { "p50 ●, p90 and p99 |, to the slowest" }
                    @for name in ["p50", "p90", "p99", "max"] { th.r role="columnheader" scope="col" { (name) } }
                } }
                tbody role="rowgroup" {
                    @for side in sides {
                        @if sides.len() > 1 { tr.grp role="row" { th role="columnheader" colspan="7" scope="colgroup" { (side.heading) } } }
                        @for part in side.trial.parts.iter().filter(|part| part.part != Part::Run) { (row(part, &scale, timeout_ms)) }
                    }
                }
                tfoot role="rowgroup" { tr role="row" {
                    td role="cell" {} td role="cell" {}
                    td.p role="cell" { (axis(&scale)) }
                    @for _ in 0..4 { td role="cell" {} }
                } }
            }
        },
    )
}

/// The median and the tail during faults, compared with the time before.
fn finding(claim: &Side) -> String {
    let of = |wanted: Part| claim.trial.parts.iter().find(|part| part.part == wanted && part.latency.count > 0);
    let (Some(before), Some(faults)) = (of(Part::Before), of(Part::Faults)) else { return "Latency by phase".to_owned() };
    let median = faults.latency.p50_ms / before.latency.p50_ms;
    let tail = faults.latency.p99_ms / before.latency.p99_ms;
    match (median, tail) {
        (..1.25, 1.5..) => "The median barely moves during the faults; the tail pays for them".to_owned(),
        (..1.25, _) => "Latency during the faults is much as before them".to_owned(),
        (median, _) => {
            format!("The median during the faults is {} times that before them", plain((median * 10.0).round() / 10.0))
        }
    }
}

fn row(part: &PartRecord, scale: &Log, timeout_ms: f64) -> Markup {
    let of = &part.latency;
    // a failed request counts as slow as the timeout, at least
    let failed = |ms: f64| part.failed > 0 && ms >= timeout_ms * 0.999;
    let cell = |ms: f64| match (of.count, failed(ms)) {
        (0, _) => html! { "none" },
        (_, true) => html! { b.no { "failed" } },
        (_, false) => html! { (time(ms)) },
    };
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { (part.part.name()) }
            td.r.ba role="cell" { (count(part.requests)) }
            td.p role="cell" { @if of.count > 0 { (range(part, scale, failed(of.max_ms))) } }
            @for ms in [of.p50_ms, of.p90_ms, of.p99_ms, of.max_ms] { td.r.q role="cell" { (cell(ms)) } }
        }
    }
}

fn range(part: &PartRecord, scale: &Log, ends_failed: bool) -> Markup {
    let of = &part.latency;
    let mut svg = Svg::new();
    for tick in scale.ticks() {
        svg.line("gr", (tick.at, 0.0), (tick.at, 38.0));
    }
    let (median, max) = (scale.at(of.p50_ms), scale.at(of.max_ms));
    svg.line("rg", (median, 19.0), (max, 19.0));
    for quantile in [of.p90_ms, of.p99_ms] {
        let x = scale.at(quantile);
        svg.line("rt-k", (x, 13.0), (x, 25.0));
    }
    svg.circle("rdot", median, 19.0, 4.5);
    if ends_failed {
        svg.mark("fx", max, 19.0);
    }
    svg.cell()
}

fn axis(scale: &Log) -> Markup {
    let mut svg = Svg::new();
    let (mut last, mut last_narrow) = (f64::MIN, f64::MIN);
    for tick in scale.ticks() {
        svg.line("ax", (tick.at, 0.0), (tick.at, 5.0));
        // a label needs 42 pixels of 400, or of 290 on a narrow page; units are written where they start to apply
        let class = if tick.at - last_narrow >= 15.0 { "tk" } else { "tk w" };
        if tick.at - last >= 10.4 && (3.0..=97.0).contains(&tick.at) {
            let unit = match tick.value {
                value if (value - 1e3).abs() < 1.0 => " s",
                value if value < 1e3 && last < 0.0 => " ms",
                _ => "",
            };
            let label = if tick.value >= 1e3 { plain(tick.value / 1e3) } else { tick.label };
            svg.text(class, tick.at, 19.0, Anchor::Middle, format!("{label}{unit}"));
            last = tick.at;
            if class == "tk" {
                last_narrow = tick.at;
            }
        }
    }
    svg.cell()
}
