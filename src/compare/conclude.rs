//! From the measurements to the result: checks, verdict, records. Pure.

use super::analysis::{Units, dominance, metrics, phase, shift};
use super::arm::Ready;
use super::claim;
use super::distribution::distribution;
use super::metric::Metric;
use super::plan::Declaration;
use super::record::{
    ArmRecord, ArmVisits, ArmWindow, CheckRecord, Comparison, PhaseRecord, VisitsRecord, Void, WindowRecord, tidy,
};
use super::resources::{self, ResourcesRecord};
use super::run::Found;
use super::verdict::{Verdict, exceeds};
use super::window::{Sent, Window};
use crate::load::Visit;
use crate::statistics::{Interval, clopper_pearson};

/// Level of the interval that can void a run by itself, that of A/A. It is wide, since every run has one.
const STRICT: f64 = 0.99;

/// Fills in everything that follows from the measurements.
pub(super) fn conclude(record: &mut Comparison, found: &Found, arms: &[Ready]) {
    let declaration = record.declaration.content.clone();
    let timeout_ms = declaration.load.timeout.0.as_secs_f64() * 1e3;
    record.calibration = found.calibration.clone();
    record.warm_up = found.warm_up;
    record.windows = found.duet.iter().map(|window| window_record(window, timeout_ms)).collect();
    record.void = void(&found.duet);
    record.arms = (0..2).map(|arm| arm_record(&declaration, found, &arms[arm], arm, timeout_ms)).collect();
    let units = Units::of(found.duet.iter().map(|window| (0, window)), &declaration);
    if units.len() > 0 {
        record.metrics = metrics(&units, &declaration);
        record.shift = shift(&units, &declaration);
        record.dominance = dominance(&units, &declaration);
        record.distribution = distribution(&found.duet);
        record.estimate = record.metrics[0].estimate.clone();
    }
    let some = |windows: &[Window], level| (!windows.is_empty()).then(|| phase(windows, &declaration, level));
    record.same_arm = some(&found.same_arm, STRICT);
    record.blocks = some(&found.blocks, 1.0 - declaration.alpha);
    record.visits = visits(found, declaration.expect.status);
    record.resources = found.turns.as_ref().map(|turns| match turns {
        Ok(turns) => resources::conclude(turns, declaration.load.rate.0, 1.0 - declaration.alpha),
        Err(why) => ResourcesRecord::unknown(why),
    });
    record.incomplete = found.interrupted;
    record.checks = checks(record, found, &declaration);
    judge(record, found, &declaration);
    record.claim = claim::judge(record);
    record.notes = notes(record, &declaration);
}

fn judge(record: &mut Comparison, found: &Found, declaration: &Declaration) {
    record.reasons.extend(found.stopped.clone());
    if found.interrupted {
        let (done, all) = (found.duet.len(), declaration.windows);
        record.reasons.push(format!("stopped after {done} of the {all} windows that were declared"));
    }
    if found.stopped.is_none() && !found.interrupted {
        let broken = record.checks.iter().filter(|check| check.decides && check.holds != Some(true));
        record.reasons.extend(broken.map(in_words));
    }
    let primary = record.metrics.first();
    record.verdict = match primary.and_then(|metric| metric.verdict) {
        Some(verdict) if record.reasons.is_empty() => verdict,
        _ => Verdict::Invalid,
    };
    if record.verdict == Verdict::Invalid && record.reasons.is_empty() {
        record.reasons.push("there is nothing to judge from".into());
    }
    let found_one = matches!(record.verdict, Verdict::Better | Verdict::Worse);
    let interval = record.estimate.as_ref().map(interval_of);
    let margin = primary.and_then(|metric| metric.margin_ms);
    record.exceeds_margin = interval.zip(margin).filter(|_| found_one).and_then(|(wide, margin)| exceeds(wide, margin));
    if record.verdict == Verdict::Invalid {
        // estimates stay as evidence; nothing is concluded from them
        record.metrics.iter_mut().for_each(|metric| metric.verdict = None);
    }
}

/// Why the measurement does not count if this check does not hold.
fn in_words(check: &CheckRecord) -> String {
    let CheckRecord { id, title, measured, limit, .. } = check;
    match id.as_str() {
        "void-windows" => format!("{measured} windows are void, {limit} may be"),
        "enough-windows" => format!("only {measured} windows count, {limit} are needed"),
        "enough-requests" => format!("{title}: {measured}, {limit} are needed"),
        "generator" | "failures" => format!("{title}: {measured}, {limit} is allowed"),
        "same-arm" => format!("an arm differs from itself (A/A) by {measured}"),
        _ => format!("{title}: {measured}, {limit}"),
    }
}

/// Turns a missing end back into an infinite one.
fn interval_of(estimate: &super::record::Estimate) -> Interval {
    Interval { low: estimate.low.unwrap_or(f64::NEG_INFINITY), high: estimate.high.unwrap_or(f64::INFINITY) }
}

struct Check(Vec<CheckRecord>);

impl Check {
    fn add(&mut self, id: &str, decides: bool, title: &str, measured: String, limit: String, holds: Option<bool>) {
        self.0.push(CheckRecord { id: id.into(), title: title.into(), measured, limit, holds, decides });
    }
}

fn checks(record: &Comparison, found: &Found, declaration: &Declaration) -> Vec<CheckRecord> {
    let (mut check, validity) = (Check(Vec::new()), &declaration.validity);
    if let Some(calibration) = &found.calibration {
        let late = calibration.release_error_p99_ms;
        let limit = format!("at most {:.3} ms", found.finest_ms);
        check.add(
            "generator",
            true,
            "lateness of the generator, p99",
            format!("{late:.3} ms"),
            limit,
            Some(late <= found.finest_ms),
        );
    }
    if let Some(warm_up) = &found.warm_up {
        let measured = format!("{:.1} s", warm_up.lasted_ms / 1e3);
        let limit = "until medians go nowhere".into();
        check.add("warm-up", false, "warm-up", measured, limit, Some(warm_up.stationary));
    }
    for (arm, tally) in record.arms.iter().zip(&found.arms) {
        let measured = format!("{} of {}", tally.failed, tally.requests);
        let limit = format!("at most {} %", validity.failed_share * 100.0);
        let title = format!("failed requests of `{}`", arm.name);
        check.add("failures", true, &title, measured, limit, Some(tally.share() <= validity.failed_share));
    }
    if !found.duet.is_empty() {
        let (void, of) = (record.void.windows, record.void.of);
        let limit = format!("at most {} %", validity.void_share * 100.0);
        let holds = void as f64 <= validity.void_share * of as f64;
        check.add("void-windows", true, "void windows", format!("{void} of {of}"), limit, Some(holds));
        let (valid, least) = (of - void, u64::from(declaration.least_windows()));
        let limit = format!("at least {least}");
        check.add("enough-windows", true, "valid windows", valid.to_string(), limit, Some(valid >= least));
    }
    if let Some(primary) = record.metrics.first()
        && let Some(why) = &primary.not_judged
    {
        let limit = format!("at least {}", declaration.metric.needs());
        check.add("enough-requests", true, &format!("requests for {}", primary.metric), why.clone(), limit, Some(false));
    }
    against_others(record, &mut check);
    check.0
}

/// Compares with the answers to the same question asked in other ways.
fn against_others(record: &Comparison, check: &mut Check) {
    let margin = record.metrics.first().and_then(|metric| metric.margin_ms);
    let words = |phase: &PhaseRecord| match &phase.estimate {
        Some(estimate) => {
            let end = |end: Option<f64>| end.map_or("unbounded".into(), |end| format!("{end:+.3}"));
            format!("{:+.3} ms ({} to {})", estimate.value, end(estimate.low), end(estimate.high))
        }
        None => "nothing".into(),
    };
    if let Some(same) = &record.same_arm {
        let interval = same.estimate.as_ref().map(interval_of).filter(|interval| interval.low.is_finite());
        let holds = interval.map(|interval| !interval.excludes_zero() || margin.is_some_and(|margin| interval.inside(margin)));
        let title = "difference of an arm from itself (A/A)";
        check.add("same-arm", holds.is_some(), title, words(same), "must have zero in it, or be within the margin".into(), holds);
    }
    if let (Some(blocks), Some(duet)) = (&record.blocks, &record.estimate) {
        let duet = interval_of(duet);
        let interval = blocks.estimate.as_ref().map(interval_of).filter(|interval| interval.low.is_finite());
        // opposite signs: the arms disturb each other in one of the two designs, so neither can be trusted
        let opposed = |blocks: Interval| blocks.low > 0.0 && duet.high < 0.0 || blocks.high < 0.0 && duet.low > 0.0;
        let title = "difference with one arm at a time";
        let contradicts = interval.is_some_and(opposed);
        let holds = interval.map(|interval| interval.meets(duet));
        check.add("blocks", contradicts, title, words(blocks), "must meet the interval of the duet".into(), holds);
    }
}

fn notes(record: &Comparison, declaration: &Declaration) -> Vec<String> {
    let mut notes = Vec::new();
    if declaration.quick {
        let sequential = if declaration.visits == 0 { " and no sequential requests" } else { "" };
        notes.push(format!(
            "quick: one deployment, half a minute, no check by blocks{sequential}; slow drifts, rare tails and differences that \
             come and go with a restart cannot be seen"
        ));
    } else {
        notes.push("one deployment of each arm: how much differs from one restart to the next is not in the interval".into());
    }
    for check in record.checks.iter().filter(|check| !check.decides && check.holds != Some(true)) {
        let told = if check.holds.is_none() { "cannot be told" } else { "does not hold" };
        notes.push(format!("{} {told}: {}, {}", check.title, check.measured, check.limit));
    }
    let not_judged = record.metrics.iter().filter_map(|metric| metric.not_judged.as_ref().map(|why| (metric.metric, why)));
    notes.extend(not_judged.map(|(metric, why)| format!("{metric} is not judged: {why}")));
    notes
}

fn window_record(window: &Window, timeout_ms: f64) -> WindowRecord {
    WindowRecord {
        from_ms: f64::from(window.from) / 1e3,
        to_ms: f64::from(window.to) / 1e3,
        deployment: 0,
        void: window.void.iter().map(|void| void.why.clone()).collect(),
        release_error_p99_ms: window.release_p99_ms,
        a: arm_window(&window.arms[0], timeout_ms),
        b: arm_window(&window.arms[1], timeout_ms),
    }
}

fn arm_window(sent: &Sent, timeout_ms: f64) -> ArmWindow {
    let value = |metric| Some(tidy(sent.value(metric, timeout_ms))).filter(|value: &f64| value.is_finite());
    ArmWindow {
        requests: sent.len() as u64,
        failed: sent.failed as u64,
        p50_ms: value(Metric::P50),
        p90_ms: value(Metric::P90),
        p99_ms: value(Metric::P99),
        p999_ms: value(Metric::P999),
        mean_ms: value(Metric::Mean),
        hdr: sent.distribution(timeout_ms).to_base64(),
    }
}

fn void(windows: &[Window]) -> Void {
    let mut void = Void { of: windows.len() as u64, ..Void::default() };
    for window in windows.iter().filter(|window| !window.void.is_empty()) {
        void.windows += 1;
        for reason in &window.void {
            *void.gates.entry(reason.gate.name().to_owned()).or_default() += 1;
        }
    }
    void
}

fn arm_record(declaration: &Declaration, found: &Found, ready: &Ready, index: usize, timeout_ms: f64) -> ArmRecord {
    let (arm, tally) = (&declaration.arms[index], &found.arms[index]);
    let valid = found.duet.iter().filter(|window| window.void.is_empty());
    let merged = valid.map(|window| &window.arms[index]).fold(Sent::default(), |all, one| all.with(one));
    let failing = clopper_pearson(tally.failed, tally.requests, 0.95);
    ArmRecord {
        name: arm.name.clone(),
        url: arm.url.clone().unwrap_or_default(),
        service: arm.service.as_ref().map(ToString::to_string),
        address: ready.target.address.to_string(),
        body_crc32: ready.body.map(|body| format!("{body:08x}")),
        requests: tally.requests,
        failed: tally.failed,
        failed_share_low: failing.low,
        failed_share_high: failing.high,
        outcomes: tally.outcomes.clone(),
        hdr: (merged.len() > 0).then(|| merged.distribution(timeout_ms).to_base64()),
    }
}

fn visits(found: &Found, status: u16) -> Option<VisitsRecord> {
    let arm = |visits: &[Visit]| {
        // any whole answer ends a visit, whatever it says
        let good = visits.iter().filter(|visit| !visit.outcome.failed() && visit.status == status);
        let good: Vec<f64> = good.map(|visit| f64::from(visit.total) / 1e3).collect();
        let mut sorted = good.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let finite = |value: f64| Some(tidy(value)).filter(|value| value.is_finite());
        ArmVisits {
            requests: visits.len() as u64,
            failed: (visits.len() - good.len()) as u64,
            mean_ms: finite(crate::statistics::mean(&good)),
            p50_ms: finite(crate::statistics::quantile(&sorted, 0, 0.5)),
            times_ms: good,
        }
    };
    let [a, b] = &found.visits;
    (!a.is_empty() || !b.is_empty()).then(|| VisitsRecord { a: arm(a), b: arm(b) })
}
