//! The interval plot, as a table: after minus before for each metric, with both intervals and the margin.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::compare::record::{Comparison, Estimate, MetricRecord};
use crate::compare::{Metric, Verdict};
use crate::report::comparison::{brief, listed, names, too_few};
use crate::report::estimate::{ends, places, short};
use crate::report::html::scale::{Linear, with_sign};
use crate::report::html::svg::{Anchor, Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::html::{Page, badge};
use crate::report::number::{SPACE, count, fixed, interval, plain, signed};
use crate::report::sentence::capital;

/// Ends of intervals further from the centre than half of this many times their median width are left out.
const REACH: f64 = 6.0;

/// What every row is drawn with.
struct Plot {
    scale: Linear,
    margin: f64,
    decimals: usize,
}

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let void = page.void.is_some();
    let finding = if void { "The difference per metric".to_owned() } else { finding(of) };
    let [a, b] = names(of);
    let reading = format!(
        "{} minus {a}, per metric. The unit is the window ({}\u{202f}s, both arms at once), {} of them; never the single \
         request. Left of the band is faster.",
        capital(b),
        plain(of.declaration.content.window_ms / 1e3),
        count(of.void.of - of.void.windows)
    );
    let head = Head { id, finding: &finding, reading: &reading };
    let Some(primary) = of.metrics.first().filter(|metric| metric.estimate.is_some()) else {
        return missing(page, &head, "No estimate.", "Too few windows count to estimate a difference from.");
    };
    let margin = primary.margin_ms.unwrap_or(0.0);
    let plot = Plot { scale: scale(of, margin), margin, decimals: places(primary) };
    figure(
        page,
        &head,
        html! {
            (key(margin))
            table.forest role="table" aria-label=(format!("{}: difference per metric", of.name)) {
                colgroup { @for width in [19, 9, 9, 28, 21, 14] { col style=(format!("width:{width}%")); } }
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Latency" }
                    th.r role="columnheader" scope="col" { (brief(a)) ", ms" }
                    th.r role="columnheader" scope="col" { (brief(b)) ", ms" }
                    th.p role="columnheader" scope="col" { span aria-hidden="true" { "◂ " } (brief(b)) " is faster" }
                    th.r role="columnheader" scope="col" { "Difference (95\u{202f}% interval)" }
                    th role="columnheader" scope="col" { "Verdict" }
                } }
                tbody role="rowgroup" {
                    @for metric in in_order(of) { (metric_row(metric, &plot, void)) }
                    (other_ways(of, &plot))
                }
                tfoot role="rowgroup" { tr role="row" {
                    @for _ in 0..3 { td role="cell" {} }
                    td.p role="cell" { (axis(&plot.scale, [a, b])) }
                    @for _ in 0..2 { td role="cell" {} }
                } }
            }
            (behind(of, plot.decimals))
        },
    )
}

/// The metrics from the median to the tail, wherever the primary stands among them.
fn in_order(of: &Comparison) -> impl Iterator<Item = &MetricRecord> {
    Metric::ALL.iter().filter_map(|metric| of.metrics.iter().find(|record| record.metric == *metric))
}

/// What the metrics have in common, starting with the primary's verdict.
fn finding(of: &Comparison) -> String {
    let named = |keep: &dyn Fn(&MetricRecord) -> bool| -> Vec<String> {
        in_order(of).filter(|record| keep(record)).map(|record| short(record.metric).to_owned()).collect()
    };
    let mut order = vec![Verdict::Better, Verdict::Worse, Verdict::Equivalent, Verdict::Inconclusive];
    let first = of.metrics.first().and_then(|primary| primary.verdict);
    order.sort_by_key(|verdict| Some(*verdict) != first);
    let mut parts = Vec::new();
    for verdict in order {
        let names = named(&|record| record.verdict == Some(verdict));
        let one = names.len() == 1;
        let what = match verdict {
            Verdict::Better => {
                if one {
                    "falls"
                } else {
                    "fall"
                }
            }
            Verdict::Worse => {
                if one {
                    "rises"
                } else {
                    "rise"
                }
            }
            Verdict::Equivalent => {
                if one {
                    "is the same within the margin"
                } else {
                    "are the same within the margin"
                }
            }
            Verdict::Inconclusive | Verdict::Invalid => {
                if one {
                    "is open"
                } else {
                    "are open"
                }
            }
        };
        if !names.is_empty() {
            parts.push(format!("{} {what}", listed(&names)));
        }
    }
    let open = named(&|record| record.not_judged.is_some());
    if !open.is_empty() {
        parts.push(format!("{} cannot be judged", listed(&open)));
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
    let values = of.metrics.iter().filter(|metric| metric.not_judged.is_none()).filter_map(|metric| metric.estimate.as_ref());
    let values = values.map(|estimate| estimate.value);
    let ends = spans.iter().flat_map(|(low, high)| [*low, *high]).chain(values).filter(|end| near(*end));
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

fn metric_row(metric: &MetricRecord, plot: &Plot, void: bool) -> Markup {
    let decimals = plot.decimals;
    let judged = metric.not_judged.is_none();
    // a metric that was not judged was not estimated; that does not mean that it failed
    let none = if judged { "failed" } else { "" };
    let value = |value: Option<f64>| value.map_or_else(|| none.to_owned(), |value| fixed(value, decimals));
    let (a, b) = (value(metric.a_ms), value(metric.b_ms));
    let class = match metric.verdict {
        Some(Verdict::Better) if !void => "good",
        Some(Verdict::Worse) if !void => "bad",
        _ => "nul",
    };
    html! {
        tr.main[metric.primary] role="row" {
            th role="rowheader" scope="row" { (short(metric.metric)) @if metric.primary { " " span.sub { "primary" } } }
            td.r.ba role="cell" { (a) @if judged { span.n-in { " → " (b) } } }
            td.r.ba2 role="cell" { (b) }
            td.p role="cell" { (bar(metric.estimate.as_ref().filter(|_| judged), metric.equivalence.as_ref(), metric.bootstrap.as_ref().filter(|_| judged), plot, class)) }
            td.r.e role="cell" {
                @match (&metric.not_judged, &metric.estimate) {
                    (Some(why), _) => span.sub { "too few: " (too_few(why)) },
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

/// The same question asked in other ways, and the instrument compared with itself.
fn other_ways(of: &Comparison, plot: &Plot) -> Markup {
    let decimals = plot.decimals;
    let primary = short(of.declaration.content.metric);
    let held = |id: &str| of.checks.iter().find(|check| check.id == id).and_then(|check| check.holds);
    let row = |(name, sub): (&str, String), values: Option<(f64, f64)>, drawn: Markup, numbers: Markup, verdict: Markup| {
        let value = |value: f64| fixed(value, decimals);
        html! {
            tr role="row" {
                th role="rowheader" scope="row" { (name) " " span.sub { (sub) } }
                td.r.ba role="cell" { @if let Some((a, b)) = values { (value(a)) span.n-in { " → " (value(b)) } } }
                td.r.ba2 role="cell" { @if let Some((_, b)) = values { (value(b)) } }
                td.p role="cell" { (drawn) }
                td.r.e role="cell" { (numbers) }
                td.vd role="cell" { (verdict) }
            }
        }
    };
    let phase = |sub: String, estimate: &Estimate, verdict: Markup| {
        let drawn = bar(Some(estimate), None, None, plot, "nul");
        row((primary, sub), None, drawn, numbers_of(estimate, decimals), verdict)
    };
    let visits = of.visits.as_ref().and_then(|visits| Some((visits, visits.a.mean_ms.zip(visits.b.mean_ms)?)));
    let blocks = of.blocks.as_ref().and_then(|phase| phase.estimate.as_ref());
    let same = of.same_arm.as_ref().and_then(|phase| phase.estimate.as_ref());
    let group = |title: &str| html! { tr.grp role="row" { th role="columnheader" colspan="6" scope="colgroup" { (title) } } };
    html! {
        @if blocks.is_some() || visits.is_some() { (group("Asked another way")) }
        @if let Some(estimate) = blocks {
            (phase("arms in turn, ABBA".to_owned(), estimate, badge::held(held("blocks"), "agrees", "differs")))
        }
        @if let Some((visits, (a, b))) = visits {
            (row(
                ("mean", format!("{} one by one", count(visits.a.requests))),
                Some((a, b)),
                point(b - a, plot),
                html! { b { (signed(b - a, decimals)) } (SPACE) "ms " span.sub { "no interval" } },
                html! {},
            ))
        }
        @if let Some(estimate) = same {
            (group("Checks on the instrument"))
            (phase(
                format!("{} against itself, {:.0}{SPACE}%", brief(names(of)[0]), estimate.level * 100.0),
                estimate,
                badge::held(held("same-arm"), "held", "not held"),
            ))
        }
    }
}

/// An estimate without an interval.
fn point(value: f64, plot: &Plot) -> Markup {
    let none = Estimate { of: String::new(), value, unit: "ms".to_owned(), low: Some(value), high: Some(value), level: 0.0 };
    bar(Some(&none), None, None, plot, "nul")
}

fn bar(wide: Option<&Estimate>, narrow: Option<&Estimate>, boot: Option<&Estimate>, plot: &Plot, class: &str) -> Markup {
    let (scale, margin) = (&plot.scale, plot.margin);
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
        let ((low, high), (from, to)) = (ends(estimate), scale.domain());
        let end = |value: f64| if value.is_finite() { signed(value, plot.decimals) } else { "open".to_owned() };
        if low < from {
            svg.text("sm halo", 0.0, 40.0, Anchor::Start, format!("◂ {}", end(low)));
        }
        if high > to {
            svg.text("sm halo", 100.0, 40.0, Anchor::End, format!("{} ▸", end(high)));
        }
    }
    svg.cell()
}

fn axis(scale: &Linear, [a, b]: [&str; 2]) -> Markup {
    let [a, b] = [a, b].map(brief);
    let mut svg = Svg::new();
    for (at, tick) in scale.ticks(6, with_sign).into_iter().enumerate() {
        svg.line("ax", (tick.at, 0.0), (tick.at, 5.0));
        svg.text(if at % 2 == 1 && tick.value != 0.0 { "tk w" } else { "tk" }, tick.at, 19.0, Anchor::Middle, &tick.label);
    }
    svg.text("tk", 50.0, 39.0, Anchor::Middle, format!("{b} − {a}, ms"));
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
    for metric in in_order(of) {
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
