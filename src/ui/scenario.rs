//! Scenarios and comparisons as messages.

use crate::event::{Event, Phase, Trial};

/// The line for an event of a scenario, indented by its depth; none for other events, and for the load, which has its own line
/// on a live display.
pub(super) fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::ScenarioStarted { scenario, .. } => format!("scenario {scenario}"),
        Event::Healed { object } => format!("  took back what an earlier run had left: {object}"),
        Event::Measuring { what } => format!("  measuring {what}"),
        Event::TrialStarted { trial: Trial::Claim } => "  as written".into(),
        Event::TrialStarted { trial: Trial::Control } => "  negative control: must fail".into(),
        Event::Changing { object, back: false } => format!("    changing {object}"),
        Event::Changing { object, back: true } => format!("    changing {object} back"),
        Event::PhaseStarted { phase } => format!("    {}", phase_text(*phase)),
        Event::FaultInjected { fault, target, number, of } => format!("    {fault} {number}/{of}: {target}"),
        Event::FaultRecovered { after_ms, .. } => format!("      back after {:.1} s", after_ms / 1000.0),
        Event::Steady { after_ms } => format!("      steady after {:.1} s", after_ms / 1000.0),
        Event::ScenarioFinished { verdict, .. } => format!("  {}", verdict.name()),
        Event::ComparisonFinished { verdict, .. } => format!("  {verdict}"),
        _ => return None,
    })
}

/// What happens in a phase of a trial.
pub(super) fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Before => "waiting for the steady state",
        Phase::Faults => "faults",
        Phase::After => "waiting for the steady state to come back",
        Phase::Drain => "waiting for requests in flight",
    }
}

/// A window of a comparison, with its load so far.
pub(super) fn window(number: u32, of: u32, requests: u64, failed: u64) -> String {
    format!("window {number} of {of}, {}", load(requests, failed))
}

/// The load so far.
pub(super) fn load(requests: u64, failed: u64) -> String {
    format!("{requests} requests, {failed} failed")
}
