//! Printing a plan: text for people, JSON for programs, dot for pictures.

use std::collections::{BTreeSet, HashMap};
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
pub type Checks = [(StepId, Result<Check>)];

/// Numbered sentences below their stages, each with a mark: `+` to do, `=` as wanted already, `?` not checked, `!` check
/// failed. Contains ANSI styles, which the printer strips where they are not wanted.
pub fn stages<K: Kind>(plan: &Plan<K>, checks: &Checks) -> String {
    let found = index(checks);
    let direct = direct(plan);
    let digits = plan.steps().len().to_string().len();
    let sentences: Vec<String> = plan.steps().iter().map(|step| step.kind.sentence()).collect();
    let width = sentences.iter().map(|sentence| sentence.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut stage = "";
    for ((step, sentence), at) in plan.steps().iter().zip(&sentences).zip(1..) {
        if step.kind.stage() != stage {
            stage = step.kind.stage();
            let _ = writeln!(text, "\n{BOLD}{stage}{BOLD:#}");
        }
        let check = found.get(&step.id).copied();
        let (mark, style) = mark(check);
        let remark = remark(step, &direct[at - 1], check);
        let _ = write!(text, "  {at:>digits$} {style}{mark}{style:#} ");
        let _ = match remark.as_str() {
            "" => writeln!(text, "{sentence}"),
            remark => writeln!(text, "{sentence:<width$}  {DIM}{remark}{DIM:#}"),
        };
        if let Some(Err(error)) = check {
            let indent = " ".repeat(digits + 5);
            let _ = writeln!(text, "{indent}{BROKEN}{}{BROKEN:#}", chain(&**error).replace('\n', &format!("\n{indent}")));
        }
    }
    text
}

fn mark(check: Option<&Result<Check>>) -> (char, Style) {
    match check {
        None => ('?', DIM),
        Some(Ok(Check::Satisfied)) => ('=', DIM),
        Some(Ok(Check::Needed(_))) => ('+', NEEDED),
        Some(Err(_)) => ('!', BROKEN),
    }
}

/// For each step, the numbers of the steps it waits for, without those that another of them waits for anyway.
fn direct<K: Kind>(plan: &Plan<K>) -> Vec<Vec<usize>> {
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    let mut direct = Vec::new();
    for needs in plan.dependencies() {
        let implied: BTreeSet<usize> = needs.iter().flat_map(|need| before[*need].iter().copied()).collect();
        direct.push(needs.iter().filter(|need| !implied.contains(need)).map(|need| need + 1).collect::<BTreeSet<_>>());
        before.push(implied.into_iter().chain(needs.iter().copied()).collect());
    }
    direct.into_iter().map(|numbers| numbers.into_iter().collect()).collect()
}

/// The rest of the line: dependencies by number, disturbance, and the reason.
fn remark<K: Kind>(step: &Step<K>, after: &[usize], check: Option<&Result<Check>>) -> String {
    let mut parts = Vec::new();
    if !after.is_empty() {
        parts.push(format!("after {}", after.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")));
    }
    if !matches!(check, Some(Ok(Check::Satisfied))) {
        parts.extend(match step.kind.class() {
            Class::InPlace => None,
            Class::Restart => Some("restarts".to_owned()),
            Class::Destroy => Some("removes".to_owned()),
        });
    }
    if let Some(Ok(Check::Needed(why))) = check {
        parts.extend((!why.is_empty()).then(|| why.clone()));
    }
    parts.join("; ")
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

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::graph::PlanError;

    #[derive(Clone, Serialize)]
    struct Do(&'static str, &'static str, Class);

    impl Kind for Do {
        fn sentence(&self) -> String {
            self.0.to_owned()
        }
        fn stage(&self) -> &'static str {
            self.1
        }
        fn target(&self) -> Option<&str> {
            None
        }
        fn class(&self) -> Class {
            self.2
        }
    }

    fn plan() -> Plan<Do> {
        let mut plan = Plan::builder("demo");
        let network = plan.add("network", Do("Create network `kind`", "Nodes", Class::InPlace), []);
        let node = plan.add("node", Do("Start node `demo`", "Nodes", Class::InPlace), [&network]);
        let kubelet = plan.add("kubelet", Do("Start the kubelet", "Cluster", Class::Restart), [&node]);
        plan.add("ready", Do("Wait \"long\"", "Cluster", Class::InPlace), [&kubelet, &network]);
        plan.build().expect("valid")
    }

    fn checks() -> Vec<(StepId, Result<Check>)> {
        let broken = PlanError::Duplicate { step: "x".into() };
        vec![
            ("network".into(), Ok(Check::Satisfied)),
            ("node".into(), Ok(Check::Needed("no such container".into()))),
            ("kubelet".into(), Err(broken.into())),
        ]
    }

    #[test]
    fn text_is_numbered_marked_and_grouped() {
        insta::assert_snapshot!(strip_str(&stages(&plan(), &checks())).to_string(), @r#"

        Nodes
          1 = Create network `kind`
          2 + Start node `demo`      after 1; no such container

        Cluster
          3 ! Start the kubelet      after 2; restarts
              the plan has two steps named `x`
          4 ? Wait "long"            after 3
        "#);
        insta::assert_snapshot!(strip_str(&stages(&plan(), &[])).to_string(), @r#"

        Nodes
          1 ? Create network `kind`
          2 ? Start node `demo`      after 1

        Cluster
          3 ? Start the kubelet      after 2; restarts
          4 ? Wait "long"            after 3
        "#);
    }

    #[test]
    fn json_has_checks_where_there_are_some() {
        let json = json(&plan(), &checks());
        assert_eq!(json["steps"][1]["check"], serde_json::json!({"state": "needed", "why": "no such container"}));
        assert_eq!(json["steps"][2]["check"]["state"], "error");
        assert_eq!(json["steps"][3].get("check"), None);
        assert_eq!(json["steps"][3]["after"], serde_json::json!(["kubelet", "network"]));
    }

    #[test]
    fn dot_quotes_what_needs_it() {
        let dot = dot(&plan());
        assert!(dot.contains(r#""ready" [label="Wait \"long\""];"#) && dot.contains(r#""kubelet" -> "ready";"#), "{dot}");
    }
}
