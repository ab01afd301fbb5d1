//! A comparison for the terminal: the verdict, a table, and the intervals drawn against the margin.

use std::fmt::Write;

use super::claim;
use super::estimate::{ends, places, short};
use super::number::{SPACE, decimals, fixed, interval, signed};
use super::sentence::{self, Measured};
use crate::compare::record::{Comparison, MetricRecord};
use crate::compare::{Metric, Verdict};

/// Columns of the drawing.
const WIDTH: usize = 49;
/// How far the drawing extends beyond the margin and the primary's interval, as a factor.
const REACH: f64 = 1.3;

/// The whole comparison as text.
pub fn comparison(of: &Comparison) -> String {
    let mut text = format!("{}: {}\n", of.verdict.name(), told(of));
    for reason in of.reasons.iter().skip(1) {
        let _ = writeln!(text, "  and {reason}");
    }
    if !of.metrics.is_empty() {
        text.push('\n');
        table(&mut text, of);
        drawing(&mut text, of);
    }
    if !of.claim.is_empty() {
        text.push('\n');
        claims(&mut text, of);
    }
    text.push('\n');
    details(&mut text, of);
    text.trim_end().to_owned()
}

/// The verdict, and what it would take to get another.
pub(super) fn told(of: &Comparison) -> String {
    match what_it_takes(of) {
        Some(takes) => format!("{} {takes}", verdict(of)),
        None => verdict(of),
    }
}

/// What an inconclusive comparison could have detected, and what it would take to detect the margin.
pub(super) fn what_it_takes(of: &Comparison) -> Option<String> {
    let primary = of.metrics.first().filter(|_| of.verdict == Verdict::Inconclusive)?;
    let seconds = of.declaration.content.window_ms / 1e3;
    let needed = primary.windows_needed.map(|windows| (windows, lasts(windows as f64 * seconds)));
    let measured = measured(of, primary, "")?;
    Some(sentence::what_it_takes(&measured, primary.detectable_ms, needed)).filter(|text| !text.is_empty())
}

/// The verdict in one sentence.
pub(super) fn verdict(of: &Comparison) -> String {
    let arms = &of.declaration.content.arms;
    let subject = format!("From {} to {}", arms[0].name, arms[1].name);
    let Some(measured) = of.metrics.first().and_then(|primary| measured(of, primary, &subject)) else {
        return sentence::invalid(reason(of));
    };
    match of.verdict {
        Verdict::Better | Verdict::Worse => sentence::differs(&measured),
        Verdict::Equivalent => sentence::equivalent(&measured),
        Verdict::Inconclusive => sentence::inconclusive(&measured, of.void.of - of.void.windows),
        Verdict::Invalid => sentence::invalid(reason(of)),
    }
}

/// The primary metric in the form that sentences need; none without an estimate.
fn measured<'a>(of: &Comparison, primary: &MetricRecord, subject: &'a str) -> Option<Measured<'a>> {
    let (estimate, equivalence) = primary.estimate.as_ref().zip(primary.equivalence.as_ref())?;
    Some(Measured {
        subject,
        metric: words(primary.metric),
        unit: "ms",
        alpha: of.declaration.content.alpha,
        estimate: estimate.value,
        wide: ends(estimate),
        narrow: ends(equivalence),
        // a share of the first arm's value has more digits than anybody declared
        margin: primary.margin_ms.map_or(0.0, |margin| (margin * 1e3).round() / 1e3),
        decimals: places(primary),
    })
}

fn reason(of: &Comparison) -> &str {
    of.reasons.first().map_or("nothing was measured", String::as_str)
}

/// `p99 latency`.
fn words(metric: Metric) -> &'static str {
    match metric {
        Metric::P50 => "p50 latency",
        Metric::P90 => "p90 latency",
        Metric::P99 => "p99 latency",
        Metric::P999 => "p99.9 latency",
        Metric::Mean => "mean latency",
    }
}

/// A length of time in words.
fn lasts(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0}{SPACE}s"),
        s if s < 7200.0 => format!("{:.0}{SPACE}min", s / 60.0),
        s => format!("{:.0}{SPACE}h", s / 3600.0),
    }
}

fn table(text: &mut String, of: &Comparison) {
    let [a, b] = [0, 1].map(|arm| of.declaration.content.arms[arm].name.as_str());
    let level = (1.0 - of.declaration.content.alpha) * 100.0;
    let head = format!("{level:.0}{SPACE}% interval");
    let _ = writeln!(text, "{:<12} {a:>10} {b:>10} {:>10}  {head:<20} verdict", "ms", "difference");
    for metric in &of.metrics {
        let name = short(metric.metric);
        let name = if metric.primary { format!("{name} *") } else { name.to_owned() };
        let Some(estimate) = &metric.estimate else {
            let _ = writeln!(text, "{name:<12} not judged: {}", metric.not_judged.as_deref().unwrap_or("nothing was measured"));
            continue;
        };
        let places = places(metric);
        let value = |value: Option<f64>| value.map_or("failed".into(), |value| fixed(value, places));
        let ((low, high), verdict) = (ends(estimate), metric.verdict.map_or("not judged", Verdict::name));
        let _ = writeln!(
            text,
            "{name:<12} {:>10} {:>10} {:>10}  {:<20} {verdict}",
            value(metric.a_ms),
            value(metric.b_ms),
            signed(estimate.value, places),
            interval(low, high, places),
        );
    }
}

/// One line per metric: the interval from `├` to `┤`, the estimate `●`, zero `│`, the margin of the primary `░`.
fn drawing(text: &mut String, of: &Comparison) {
    let Some((estimate, margin)) = of.metrics[0].estimate.as_ref().zip(of.metrics[0].margin_ms) else { return };
    let (low, high) = ends(estimate);
    let reach = [low, high].into_iter().filter(|end| end.is_finite()).map(f64::abs).fold(margin, f64::max) * REACH;
    if reach <= 0.0 {
        return;
    }
    let places = decimals(reach / 4.0);
    let (left, right) = (signed(-reach, places), signed(reach, places));
    let middle = WIDTH.saturating_sub(left.chars().count() + right.chars().count());
    let _ = writeln!(text, "\n{:<12} {left}{:^middle$}{right}", "", "0");
    let column = |value: f64| {
        let place = (value / reach + 1.0) / 2.0 * (WIDTH - 1) as f64;
        (place.round().clamp(0.0, (WIDTH - 1) as f64)) as usize
    };
    for metric in of.metrics.iter().filter(|metric| metric.estimate.is_some()) {
        let Some(estimate) = &metric.estimate else { continue };
        let ((low, high), margin) = (ends(estimate), metric.margin_ms.unwrap_or_default());
        let mut line = vec![' '; WIDTH];
        line[column(-margin)..=column(margin)].fill('░');
        line[column(0.0)] = '│';
        line[column(low)..=column(high)].fill('─');
        line[column(low)] = if low < -reach { '◀' } else { '├' };
        line[column(high)] = if high > reach { '▶' } else { '┤' };
        line[column(estimate.value)] = '●';
        let name = short(metric.metric);
        let _ = writeln!(text, "{name:<12} {}", line.into_iter().collect::<String>().trim_end());
    }
}

/// The published figures, line by line.
fn claims(text: &mut String, of: &Comparison) {
    for line in &of.claim {
        let (claimed, judgement, why) = (claim::claimed(line.claim), line.judgement.name(), &line.why);
        let measured = line.estimate.as_ref().map(|_| format!("{}; ", claim::measured(line))).unwrap_or_default();
        let _ = writeln!(text, "claimed {claimed:<30} {judgement:<14} {measured}{why}");
    }
}

fn details(text: &mut String, of: &Comparison) {
    let declared = &of.declaration.content;
    let _ = writeln!(
        text,
        "{} windows of {} ms, {} void; {} requests a window and arm, {} connections each",
        of.void.of, declared.window_ms, of.void.windows, declared.requests_per_window, declared.load.connections
    );
    for arm in &of.arms {
        let (low, high) = (arm.failed_share_low * 100.0, arm.failed_share_high * 100.0);
        let bound = format!("95{SPACE}% interval {low:.3} to {high:.3}{SPACE}%");
        let _ = writeln!(text, "{}: {} of {} requests failed ({bound})", arm.name, arm.failed, arm.requests);
    }
    for note in &of.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "declared {} sha256 {}", of.declaration.sealed, of.declaration.sha256);
}
