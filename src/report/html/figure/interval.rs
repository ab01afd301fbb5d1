//! The interval plot, a table: after minus before for each metric, with both intervals and the margin.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::compare::record::{Comparison, Estimate, MetricRecord, PhaseRecord};
use crate::compare::{Metric, Verdict};
use crate::report::estimate::{ends, places, short};
use crate::report::html::scale::{Linear, with_sign};
use crate::report::html::svg::{Anchor, Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::html::{Page, badge};
use crate::report::number::{SPACE, fixed, interval, plain, signed};

/// The plot does not reach further than this many widths of the widest judged interval's median.
const REACH: f64 = 6.0;

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let void = page.void.is_some();
    let finding = if void { "The difference per metric".to_owned() } else { finding(of) };
    let head = Head {
        id,
        finding: &finding,
        reading: "Second arm minus first, per metric. The unit is the window, both arms at once; never the single request. \
                  Left of the band is faster.",
    };
    let Some(primary) = of.metrics.first().filter(|metric| metric.estimate.is_some()) else {
        return missing(page, &head, "No estimate.", "Too few windows count to estimate a difference from.");
    };
    let margin = primary.margin_ms.unwrap_or(0.0);
    let scale = scale(of, margin);
    let decimals = places(primary);
    let [a, b] = [0, 1].map(|arm| of.declaration.content.arms[arm].name.as_str());
    figure(
        page,
        &head,
        html! {
            (key(margin))
            table.forest role="table" aria-label=(format!("{}: difference per metric", of.name)) {
                colgroup { @for width in [19, 9, 9, 31, 20, 12] { col style=(format!("width:{width}%")); } }
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Latency" }
                    th.r role="columnheader" scope="col" { (a) ", ms" }
                    th.r role="columnheader" scope="col" { (b) ", ms" }
                    th role="columnheader" scope="col" { "faster with " (b) " is left" }
                    th.r role="columnheader" scope="col" { "Difference (95\u{202f}% interval)" }
                    th role="columnheader" scope="col" { "Verdict" }
                } }
                tbody role="rowgroup" {
                    @for metric in &of.metrics { (metric_row(metric, &scale, margin, decimals, void)) }
                    (other_ways(of, &scale, margin, decimals))
                }
                tfoot role="rowgroup" { tr role="row" {
                    @for _ in 0..3 { td role="cell" {} }
                    td.p role="cell" { (axis(&scale)) }
                    @for _ in 0..2 { td role="cell" {} }
                } }
            }
            (behind(of, decimals))
        },
    )
}

fn finding(of: &Comparison) -> String {
    let judged = |wanted: Verdict| {
        let names: Vec<&str> = of.metrics.iter().filter(|m| m.verdict == Some(wanted)).map(|m| short(m.metric)).collect();
        names.join(", ")
    };
    let open: Vec<&str> = of.metrics.iter().filter(|m| m.not_judged.is_some()).map(|m| short(m.metric)).collect();
    let mut parts = Vec::new();
    for (verdict, what) in [
        (Verdict::Better, "faster"),
        (Verdict::Worse, "slower"),
        (Verdict::Equivalent, "the same within the margin"),
        (Verdict::Inconclusive, "open"),
    ] {
        let names = judged(verdict);
        if !names.is_empty() {
            parts.push(format!("{names}: {what}"));
        }
    }
    if !open.is_empty() {
        parts.push(format!("{} cannot be judged", open.join(", ")));
    }
    if parts.is_empty() { "The difference per metric".to_owned() } else { parts.join("; ") }
}

fn scale(of: &Comparison, margin: f64) -> Linear {
    let judged = of.metrics.iter().filter(|metric| metric.not_judged.is_none());
    let spans: Vec<(f64, f64)> = judged.filter_map(|metric| metric.estimate.as_ref()).map(ends).collect();
    let mut widths: Vec<f64> = spans.iter().map(|(low, high)| high - low).filter(|width| width.is_finite()).collect();
    widths.sort_unstable_by(f64::total_cmp);
    let median = widths.get(widths.len() / 2).copied().unwrap_or(margin);
    let middle = of.estimate.as_ref().map_or(0.0, |estimate| estimate.value);
    let reach = (REACH / 2.0 * median).max(margin * 1.2);
    let near = |value: f64| value.is_finite() && (value - middle).abs() <= reach.max(middle.abs() + margin);
    let ends = spans.iter().flat_map(|(low, high)| [*low, *high]).filter(|end| near(*end));
    let (low, high) = ends.fold((-margin * 1.2, margin * 1.2), |(low, high), end| (low.min(end), high.max(end)));
    Linear::rounded((low, high), (0.0, 100.0), 6)
}

fn key(margin: f64) -> Markup {
    let mut mark = Svg::new();
    mark.open("iv nul");
    mark.line("i95", (X::Px(2.0), 7.0), (X::Px(52.0), 7.0));
    mark.line("i90", (X::Px(8.0), 7.0), (X::Px(46.0), 7.0));
    mark.circle("", X::Px(27.0), 7.0, 5.0);
    mark.close();
    let mut boot = Svg::new();
    boot.open("iv nul");
    boot.line("ib", (X::Px(2.0), 7.0), (X::Px(32.0), 7.0));
    boot.close();
    let mut band = Svg::new();
    band.boxed("margin", (0.0, 30.0), (0.0, 14.0), 0.0);
    html! {
        ul.key {
            li { (mark.icon((54, 14), None)) "estimate; 90\u{202f}% (thick) and 95\u{202f}% (thin) interval" }
            li { (boot.icon((34, 14), None)) "second opinion (bootstrap)" }
            li { (band.icon((30, 14), None)) "margin ±" (plain((margin * 1e3).round() / 1e3)) "\u{202f}ms: too small to matter" }
        }
    }
}

fn metric_row(metric: &MetricRecord, scale: &Linear, margin: f64, decimals: usize, void: bool) -> Markup {
    let value = |value: Option<f64>| value.map_or_else(|| "failed".to_owned(), |value| fixed(value, decimals));
    let (a, b) = (value(metric.a_ms), value(metric.b_ms));
    let judged = metric.not_judged.is_none();
    let class = match metric.verdict {
        Some(Verdict::Better) if !void => "good",
        Some(Verdict::Worse) if !void => "bad",
        _ => "nul",
    };
    html! {
        tr.main[metric.primary] role="row" {
            th role="rowheader" scope="row" { (short(metric.metric)) @if metric.primary { " " span.sub { "primary" } } }
            td.r.ba role="cell" { (a) span.n-in { " → " (b) } }
            td.r.ba2 role="cell" { (b) }
            td.p role="cell" { (bar(metric.estimate.as_ref().filter(|_| judged), metric.equivalence.as_ref(), metric.bootstrap.as_ref(), scale, margin, class)) }
            td.r.e role="cell" {
                @match (&metric.not_judged, &metric.estimate) {
                    (Some(why), _) => span.sub { "too few: " (why) },
                    (None, Some(estimate)) => (numbers_of(estimate, decimals)),
                    (None, None) => span.sub { "not measured" },
                }
            }
            td.vd role="cell" {
                @match metric.verdict.filter(|_| judged && !void) {
                    Some(Verdict::Better) => (badge::worded("good", "ok", "Better")),
                    Some(Verdict::Worse) => (badge::worded("bad", "no", "Worse")),
                    Some(Verdict::Equivalent) => (badge::worded("eq", "eq", "Equivalent")),
                    Some(Verdict::Inconclusive) => (badge::worded("inc", "inc", "Inconclusive")),
                    _ => (badge::worded("skip-v", "skip", "Not judged")),
                }
            }
        }
    }
}

fn numbers_of(estimate: &Estimate, decimals: usize) -> Markup {
    let (low, high) = ends(estimate);
    html! { b { (signed(estimate.value, decimals)) } (SPACE) "ms " span.sub.nb { (interval(low, high, decimals)) } }
}

fn other_ways(of: &Comparison, scale: &Linear, margin: f64, decimals: usize) -> Markup {
    let primary = short(of.declaration.content.metric);
    let row = |name: &str, phase: &PhaseRecord| {
        html! {
            @if let Some(estimate) = &phase.estimate {
                tr role="row" {
                    th role="rowheader" scope="row" { (primary) " " span.sub { (name) } }
                    td.r.ba role="cell" {} td.r.ba2 role="cell" {}
                    td.p role="cell" { (bar(Some(estimate), None, None, scale, margin, "nul")) }
                    td.r.e role="cell" { (numbers_of(estimate, decimals)) }
                    td.vd role="cell" {}
                }
            }
        }
    };
    html! {
        @if let Some(blocks) = of.blocks.as_ref().filter(|phase| phase.estimate.is_some()) {
            tr.grp role="row" { th role="columnheader" colspan="6" scope="colgroup" { "Asked another way" } }
            (row("arms in turn, blocks", blocks))
        }
        @if let Some(same) = of.same_arm.as_ref().filter(|phase| phase.estimate.is_some()) {
            tr.grp role="row" { th role="columnheader" colspan="6" scope="colgroup" { "Checks on the instrument" } }
            (row("an arm against itself", same))
        }
    }
}

fn bar(
    wide: Option<&Estimate>,
    narrow: Option<&Estimate>,
    boot: Option<&Estimate>,
    scale: &Linear,
    margin: f64,
    class: &str,
) -> Markup {
    let at = |value: f64| scale.at(value).clamp(0.0, 100.0);
    let mut svg = Svg::new();
    svg.rect("margin", (at(-margin), at(margin) - at(-margin)), (0.0, 42.0));
    svg.line("zero", (at(0.0), 0.0), (at(0.0), 42.0));
    if let Some(estimate) = wide {
        svg.open(&format!("iv {class}"));
        for (one, name, y) in [(Some(estimate), "i95", 17.0), (narrow, "i90", 17.0), (boot, "ib", 28.0)] {
            if let Some((low, high)) = one.map(ends) {
                svg.line(name, (at(low), y), (at(high), y));
            }
        }
        svg.circle("", at(estimate.value), 17.0, 5.0);
        svg.close();
        let (low, high) = ends(estimate);
        if low < scale.domain().0 {
            svg.text("sm", 0.0, 38.0, Anchor::Start, "◂");
        }
        if high > scale.domain().1 {
            svg.text("sm", 100.0, 38.0, Anchor::End, "▸");
        }
    }
    svg.cell()
}

fn axis(scale: &Linear) -> Markup {
    let mut svg = Svg::new();
    for (at, tick) in scale.ticks(6, with_sign).into_iter().enumerate() {
        svg.line("ax", (tick.at, 0.0), (tick.at, 5.0));
        svg.text(if at % 2 == 1 { "tk w" } else { "tk" }, tick.at, 19.0, Anchor::Middle, &tick.label);
    }
    svg.text("tk", 50.0, 39.0, Anchor::Middle, "difference, ms");
    svg.cell()
}

fn behind(of: &Comparison, decimals: usize) -> Markup {
    let columns =
        ["Estimate, ms", "95\u{202f}% (sign-flip)", "90\u{202f}% (equivalence)", "95\u{202f}% (bootstrap)", "p", "p, Holm"];
    let columns = std::iter::once(words("Metric")).chain(columns.map(numbers)).collect();
    let mut table = Table::new(format!("{}: estimates, intervals, tests", of.name), columns);
    let span = |of: &Option<Estimate>| of.as_ref().map(ends).map_or_else(|| "none".to_owned(), |(l, h)| interval(l, h, decimals));
    let chance = |p: Option<f64>| match p {
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) => fixed(p, 3),
        None => "none".to_owned(),
    };
    for metric in &of.metrics {
        let value = metric.estimate.as_ref().map_or_else(|| "none".to_owned(), |one| signed(one.value, decimals));
        let name: Metric = metric.metric;
        table.row(vec![
            text(short(name)),
            text(value),
            text(span(&metric.estimate)),
            text(span(&metric.equivalence)),
            text(span(&metric.bootstrap)),
            text(chance(metric.p_difference)),
            text(chance(metric.p_difference_holm)),
        ]);
    }
    table.folded("estimates, intervals, tests")
}
