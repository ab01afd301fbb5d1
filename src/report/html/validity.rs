//! Checks of whether a scenario's measurement counts, with the same limits as in the runner.

use super::figure::checks::Check;
use super::scenario::Side;
use crate::report::number::{count, limit_time, measured_share, share, time};
use crate::report::sentence::{capital, of, plural};
use crate::scenario::RunRecord;
use crate::scenario::record::{Cleanup, ControlRecord};
use crate::scenario::schema::Validity;

/// Every check, those of the claim first.
pub fn checks(run: &RunRecord, sides: &[Side]) -> Vec<Check> {
    let mut checks: Vec<Check> = sides.iter().flat_map(|side| of_side(side, &run.method.validity)).collect();
    checks.extend(run.control.as_ref().map(of_control));
    checks.push(of_cleanup(&run.cleanup));
    checks
}

fn of_side(side: &Side, validity: &Validity) -> Vec<Check> {
    let named = |name: &str| if side.name == "Control" { format!("{name}, in the control") } else { name.to_owned() };
    let trial = side.trial;
    let windows = trial.windows.len() as u64;
    let limit_ms = validity.release_error_p99.0.as_secs_f64() * 1e3;
    let used = trial.windows.iter().filter(|window| !window.void);
    let late = used.map(|window| window.release_error_p99_ms).fold(0.0, f64::max);
    let void = trial.windows.iter().filter(|window| window.void).count() as u64;
    let part = void as f64 / windows.max(1) as f64;
    let mut checks = vec![
        Check {
            name: named("Generator late, p99, worst used second"),
            measured: if windows > 0 { time(late) } else { "not measured".to_owned() },
            limit: limit_time(limit_ms),
            share: (windows > 0).then_some(late / limit_ms),
            held: (windows > 0).then_some(late <= limit_ms),
        },
        Check {
            name: named("Due requests sent"),
            measured: measured_share(trial.offered_share),
            limit: format!("≥ {}", share(validity.offered_rate.0)),
            share: None,
            held: Some(trial.offered_share >= validity.offered_rate.0),
        },
        Check {
            name: named("Void seconds"),
            measured: of(void, windows),
            limit: format!("≤ {}", share(validity.void_windows.0)),
            share: (windows > 0 && validity.void_windows.0 > 0.0).then(|| part / validity.void_windows.0),
            held: (windows > 0).then_some(part <= validity.void_windows.0),
        },
    ];
    if let Some(first) = side.faults.first() {
        let hit = side.faults.iter().filter(|fault| fault.hit).count();
        checks.push(Check {
            name: named(&format!("{}s that met traffic", capital(&first.noun))),
            measured: of(hit as u64, side.faults.len() as u64),
            limit: format!("≥ {}", share(validity.bites.0)),
            share: None,
            held: Some(hit as f64 >= validity.bites.0 * side.faults.len() as f64),
        });
    }
    checks
}

fn of_control(control: &ControlRecord) -> Check {
    Check {
        name: "The control fails what it must".to_owned(),
        measured: format!("{} lost", of(control.trial.failed, control.trial.requests)),
        limit: control.must_fail.join(", "),
        share: None,
        held: Some(control.held.is_empty() && control.trial.invalid.is_empty()),
    }
}

fn of_cleanup(cleanup: &Cleanup) -> Check {
    let undone = cleanup.undone.len() as u64;
    Check {
        name: "Clean-up".to_owned(),
        measured: match (undone, cleanup.left.as_slice()) {
            (_, [first, ..]) => first.clone(),
            (0, []) => "nothing had been changed".to_owned(),
            (undone, []) => format!("{} {} restored", count(undone), plural(undone, "change", "changes")),
        },
        limit: "nothing left".to_owned(),
        share: None,
        held: Some(cleanup.left.is_empty()),
    }
}
