//! Heat maps: each column is a window, darker where more of its requests took that long.

use super::windows::primary;
use crate::compare::Metric;
use crate::compare::record::{ArmWindow, WindowRecord};
use crate::load::Distribution;
use crate::report::html::scale::Log;
use crate::report::html::svg::{ACROSS, Anchor, Svg, X, cell};
use crate::report::number::plain;

/// Height of one map, in pixels, and the height of its cells.
pub const HEIGHT: f64 = 112.0;
const CELL: f64 = 4.0;
/// Least share of a window's requests for each step of darkness, in percent.
pub const STEPS: [f64; 5] = [0.2, 1.0, 3.0, 8.0, 16.0];
/// Shares of the requests at which the maps end, so that a single straggler does not squeeze the rest.
const ENDS: (f64, f64) = (0.001, 0.999);

/// Both arms of one window; none if it is void.
pub type Column = Option<[Distribution; 2]>;

/// The contents of the windows, void ones empty.
pub fn columns(windows: &[WindowRecord]) -> Vec<Column> {
    let read = |window: &WindowRecord| {
        let arm = |arm: &ArmWindow| Distribution::from_base64(&arm.hdr).filter(|times| !times.is_empty());
        let arms = arm(&window.a).zip(arm(&window.b)).filter(|_| window.void.is_empty());
        arms.map(|(a, b)| [a, b])
    };
    windows.iter().map(read).collect()
}

/// The scale that all maps share, from `HEIGHT` up to 0; none if no window counts. Failed requests, which count as slower
/// than all others, do not stretch it.
pub fn scale(columns: &[Column], windows: &[WindowRecord]) -> Option<Log> {
    let measured = columns.iter().zip(windows).filter_map(|(column, window)| Some((column.as_ref()?, window)));
    let arms: Vec<(&Distribution, f64)> = measured
        .flat_map(|(arms, window)| arms.iter().zip([window.a.failed, window.b.failed]))
        .map(|(times, failed)| (times, 1.0 - failed as f64 / times.len() as f64))
        .filter(|(_, good)| *good > 0.0)
        .collect();
    let at = |share: f64| arms.iter().map(move |(times, good)| times.quantile_ms(share * good));
    let low = at(ENDS.0).fold(f64::MAX, f64::min);
    let high = at(ENDS.1).fold(0.0, f64::max);
    // a straggler in one window must not set the scale for all
    let usual = at(0.9).fold(0.0, f64::max) * 6.0;
    (high > 0.0).then(|| Log::new((low / 1.1, high.min(usual) * 1.15), (HEIGHT, 0.0)))
}

/// One arm's map, its top at `y`.
pub fn draw(svg: &mut Svg, (arm, y): (usize, f64), columns: &[Column], windows: &[WindowRecord], look: (&Log, Metric)) {
    let (scale, metric) = look;
    svg.rect("pan", (0.0, 100.0), (y, HEIGHT));
    for (label, at) in labels(scale) {
        svg.text("tk", X::Px(-8.0), y + at + 4.0, Anchor::End, label);
    }
    let rows = (HEIGHT / CELL) as usize;
    let (low, high) = scale.domain();
    let ends: Vec<f64> = (0..=rows).map(|row| low * (high / low).powf(row as f64 / rows as f64)).collect();
    let wide = ACROSS / columns.len().max(1) as f64;
    // wide columns have gaps between them
    let gap = if columns.len() <= 80 { 1.0 } else { 0.0 };
    let mut paths = vec![String::new(); STEPS.len()];
    let mut dashes = String::new();
    for (at, (column, window)) in columns.iter().zip(windows).enumerate() {
        let Some(times) = column.as_ref().map(|arms| &arms[arm]) else { continue };
        let x = wide * at as f64;
        for (row, requests) in times.counts(&ends).into_iter().enumerate() {
            let percent = requests as f64 / times.len() as f64 * 100.0;
            if let Some(step) = STEPS.iter().rposition(|least| percent >= *least) {
                paths[step].push_str(&cell(x, wide - gap, HEIGHT - CELL * (row + 1) as f64, CELL));
            }
        }
        let one = if arm == 0 { &window.a } else { &window.b };
        if let Some(value) = primary(one, metric) {
            dashes.push_str(&format!("M{x:.1} {:.1}h{:.1}", scale.at(value), wide - gap));
        }
    }
    let name = if arm == 0 { "ha" } else { "hb" };
    svg.layer(y, HEIGHT, |svg| {
        for (step, path) in paths.iter().enumerate() {
            svg.path(&format!("{name}{}", step + 1), path);
        }
        svg.path("pq ns", &dashes);
    });
}

/// The labels of the axis for which there is room, the top one with the unit.
fn labels(scale: &Log) -> Vec<(String, f64)> {
    let mut ticks = scale.ticks();
    ticks.retain(|tick| (8.0..HEIGHT - 2.0).contains(&tick.at));
    ticks.sort_by_key(|tick| tick.minor);
    let mut kept: Vec<(String, f64)> = Vec::new();
    for tick in ticks {
        if kept.iter().all(|(_, at)| (at - tick.at).abs() >= 22.0) {
            kept.push((tick.label, tick.at));
        }
    }
    if let Some((label, _)) = kept.iter_mut().min_by(|one, other| one.1.total_cmp(&other.1)) {
        label.push_str("\u{202f}ms");
    }
    kept
}

/// The limits of the steps, in words: `0.2, 1, 3, 8, 16`.
pub fn limits() -> String {
    STEPS.map(plain).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 requests, the good ones of up to 10 ms, the failed ones at the timeout.
    fn arm(failed: u64) -> ArmWindow {
        // the last good one is the slowest of all 200 that could have been
        let times = (failed..200).map(|at| 5_000 + (at * 5_000 / 199) as u32);
        let hdr = Distribution::of(times.chain((0..failed).map(|_| 5_000_000))).to_base64();
        let none = None;
        ArmWindow { requests: 200, failed, p50_ms: none, p90_ms: none, p99_ms: none, p999_ms: none, mean_ms: none, hdr }
    }

    #[test]
    fn failed_requests_do_not_stretch_the_scale() {
        let window = |failed: u64| WindowRecord {
            from_ms: 0.0,
            to_ms: 1e3,
            deployment: 0,
            void: Vec::new(),
            release_error_p99_ms: 0.05,
            a: arm(0),
            b: arm(failed),
        };
        for windows in [[window(0), window(0)], [window(0), window(3)], [window(0), window(200)]] {
            let (low, high) = scale(&columns(&windows), &windows).expect("windows that count").domain();
            assert!((low - 5.0 / 1.1).abs() < 0.02 && (high - 10.0 * 1.15).abs() < 0.02, "{low} to {high}");
        }
    }
}
