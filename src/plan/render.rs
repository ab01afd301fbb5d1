//! A plan to look at: text for people, JSON for programs, dot for pictures.

use std::collections::HashMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{Check, Class, Kind, Plan, Step, StepId};
use crate::error::{Result, chain};

const NEEDED: Style = AnsiColor::Green.on_default();
const BROKEN: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Checks of a plan's steps; a step that is missing was not checked.
type Checks = [(StepId, Result<Check>)];

/// Numbered sentences under their stages, with a mark each: `+` to do, `=` as wanted already, `?` not
/// checked, `!` check failed. Contains ANSI styles, which the printer strips where they are not wanted.
pub fn text<K: Kind>(plan: &Plan<K>, checks: &Checks) -> String {
    let found = index(checks);
    let number: HashMap<&StepId, usize> = plan.steps().iter().zip(1..).map(|(step, number)| (&step.id, number)).collect();
    let width = plan.steps().len().to_string().len();
    let mut text = headline(plan, checks);
    let mut stage = "";
    for (step, at) in plan.steps().iter().zip(1..) {
        if step.kind.stage() != stage {
            stage = step.kind.stage();
            let _ = write!(text, "\n{BOLD}{stage}{BOLD:#}\n");
        }
        let check = found.get(&step.id).copied();
        let (mark, style) = mark(check);
        let _ = write!(text, "  {at:>width$} {style}{mark}{style:#} {}", step.kind.sentence());
        text.push_str(&remark(step, check, &number));
        text.push('\n');
    }
    text
}

fn headline<K: Kind>(plan: &Plan<K>, checks: &Checks) -> String {
    let steps = plan.steps().len();
    let to_do = checks.iter().filter(|(_, check)| !matches!(check, Ok(Check::Satisfied))).count();
    match (checks.is_empty(), to_do) {
        (true, _) => format!("Plan of `{}`: {steps} steps, live world not looked at\n", plan.name()),
        (false, 0) => format!("Plan of `{}`: {steps} steps, nothing to do\n", plan.name()),
        (false, _) => format!("Plan of `{}`: {steps} steps, {to_do} to do\n", plan.name()),
    }
}

fn mark(check: Option<&Result<Check>>) -> (char, Style) {
    match check {
        None => ('?', DIM),
        Some(Ok(Check::Satisfied)) => ('=', DIM),
        Some(Ok(Check::Needed(_))) => ('+', NEEDED),
        Some(Err(_)) => ('!', BROKEN),
    }
}

/// What follows the sentence: dependencies by number, disturbance, and the reason.
fn remark<K: Kind>(step: &Step<K>, check: Option<&Result<Check>>, number: &HashMap<&StepId, usize>) -> String {
    let mut remark = String::new();
    if !step.after.is_empty() {
        let mut after: Vec<usize> = step.after.iter().map(|id| number[id]).collect();
        after.sort_unstable();
        let after: Vec<String> = after.iter().map(usize::to_string).collect();
        let _ = write!(remark, "  {DIM}after {}{DIM:#}", after.join(", "));
    }
    let satisfied = matches!(check, Some(Ok(Check::Satisfied)));
    match step.kind.class() {
        Class::InPlace => {}
        _ if satisfied => {}
        Class::Restart => remark.push_str("  (restarts)"),
        Class::Recreate => remark.push_str("  (makes anew)"),
        Class::Destroy => remark.push_str("  (removes)"),
    }
    match check {
        Some(Ok(Check::Needed(why))) if !why.is_empty() => {
            let _ = write!(remark, "  {DIM}: {why}{DIM:#}");
        }
        Some(Err(error)) => {
            let _ = write!(remark, "\n      {BROKEN}{}{BROKEN:#}", chain(&**error).replace('\n', "\n      "));
        }
        _ => {}
    }
    remark
}

/// The plan as JSON: its name and its steps, each with its check if there is one.
pub fn json<K: Kind>(plan: &Plan<K>, checks: &Checks) -> serde_json::Value {
    #[derive(Serialize)]
    #[serde(bound = "K: Kind")]
    struct Line<'a, K> {
        #[serde(flatten)]
        step: &'a Step<K>,
        #[serde(skip_serializing_if = "Option::is_none")]
        check: Option<serde_json::Value>,
    }
    let found = index(checks);
    let lines: Vec<serde_json::Value> = plan
        .steps()
        .iter()
        .map(|step| {
            let check = found.get(&step.id).map(|check| match check {
                Ok(check) => serde_json::json!(check),
                Err(error) => serde_json::json!({"state": "error", "why": chain(&**error)}),
            });
            serde_json::json!(Line { step, check })
        })
        .collect();
    serde_json::json!({"name": plan.name(), "steps": lines})
}

/// The plan as a Graphviz digraph, left to right.
pub fn dot<K: Kind>(plan: &Plan<K>) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quote(plan.name()));
    for step in plan.steps() {
        let _ = writeln!(text, "  {} [label={}];", quote(step.id.as_str()), quote(&step.kind.sentence()));
        for dependency in &step.after {
            let _ = writeln!(text, "  {} -> {};", quote(dependency.as_str()), quote(step.id.as_str()));
        }
    }
    text.push_str("}\n");
    text
}

fn index(checks: &Checks) -> HashMap<&StepId, &Result<Check>> {
    checks.iter().map(|(id, check)| (id, check)).collect()
}
