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

/// Columns within which text for people is kept, where its words allow.
const COLUMNS: usize = 100;
/// A longer sentence does not move the remarks of all others to the right.
const USUAL_SENTENCE: usize = 60;

/// Numbered sentences below their stages, each with a mark that the first line explains. Numbers are the order in which steps
/// can run, so those of a stage may have gaps. Contains ANSI styles, which the printer strips where they are not wanted.
pub fn stages<K: Kind>(plan: &Plan<K>, checks: &Checks) -> String {
    let (found, direct) = (index(checks), direct(plan));
    let digits = plan.steps().len().to_string().len();
    let (mut legend, mut stages) = (Vec::new(), Vec::new());
    for step in plan.steps() {
        let (mark, _, meaning) = mark(found.get(&step.id).copied());
        let (said, stage) = (format!("{mark} {meaning}"), step.kind.stage());
        if !legend.contains(&said) {
            legend.push(said);
        }
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    let sentences: Vec<String> = plan.steps().iter().map(|step| step.kind.sentence()).collect();
    let lengths = sentences.iter().map(|sentence| sentence.chars().count());
    let width = lengths.filter(|length| *length <= USUAL_SENTENCE).max().unwrap_or(0);
    let mut text = format!("\n{BOLD}Steps{BOLD:#}, numbered in order: {}\n", legend.join(", "));
    for stage in stages {
        let _ = writeln!(text, "\n{BOLD}{stage}{BOLD:#}");
        for (at, step) in plan.steps().iter().enumerate().filter(|(_, step)| step.kind.stage() == stage) {
            let check = found.get(&step.id).copied();
            let ((mark, style, _), indent) = (mark(check), " ".repeat(digits + 5));
            let _ = write!(text, "  {:>digits$} {style}{mark}{style:#} {}", at + 1, sentences[at]);
            let used = sentences[at].chars().count();
            text.push_str(&beside(&remark(step, &direct[at], check), (indent.len() + used, indent.len() + width), &indent));
            if let Some(Err(error)) = check {
                let _ = writeln!(text, "{indent}{BROKEN}{}{BROKEN:#}", chain(&**error).replace('\n', &format!("\n{indent}")));
            }
        }
    }
    text
}

/// The rest of a line of which some columns are `used`, up to its end: the remark in the column after `usual`, or below the line
/// if there is no room for it.
fn beside(remark: &str, (used, usual): (usize, usize), indent: &str) -> String {
    if remark.is_empty() {
        return "\n".to_owned();
    }
    let at = used.max(usual) + 2;
    if at + remark.chars().count() <= COLUMNS {
        return format!("{}{DIM}{remark}{DIM:#}\n", " ".repeat(at - used));
    }
    let below = wrapped(remark, indent.len() + 2).into_iter().map(|line| format!("{indent}  {DIM}{line}{DIM:#}\n"));
    format!("\n{}", below.collect::<String>())
}

/// A text in lines that fit behind an indent, broken between words; a word that is too long stands alone.
pub fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if indent + line.chars().count() + 1 + word.chars().count() <= COLUMNS => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The mark of a step, and what it says.
fn mark(check: Option<&Result<Check>>) -> (char, Style, &'static str) {
    match check {
        None => ('?', DIM, "not checked"),
        Some(Ok(Check::Satisfied)) => ('=', DIM, "as wanted already"),
        Some(Ok(Check::Needed(_))) => ('+', NEEDED, "to do"),
        Some(Err(_)) => ('!', BROKEN, "could not be checked"),
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
            Class::Restart => Some("restarts something".to_owned()),
            Class::Destroy => Some("removes something".to_owned()),
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
        plan.add("copy", Do("Copy an image", "Nodes", Class::InPlace), [&node]);
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

        Steps, numbered in order: = as wanted already, + to do, ! could not be checked, ? not checked

        Nodes
          1 = Create network `kind`
          2 + Start node `demo`      after 1; no such container
          5 ? Copy an image          after 2

        Cluster
          3 ! Start the kubelet      after 2; restarts something
              the plan has two steps named `x`
          4 ? Wait "long"            after 3
        "#);
        insta::assert_snapshot!(strip_str(&stages(&plan(), &[])).to_string(), @r#"

        Steps, numbered in order: ? not checked

        Nodes
          1 ? Create network `kind`
          2 ? Start node `demo`      after 1
          5 ? Copy an image          after 2

        Cluster
          3 ? Start the kubelet      after 2; restarts something
          4 ? Wait "long"            after 3
        "#);
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_is_wide() {
        let why = "differs in ".to_owned() + &"Deployment a/b, ".repeat(12);
        let checks = [("node".into(), Ok(Check::Needed(why.clone())))];
        let text = strip_str(&stages(&plan(), &checks)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("2 + Start node `demo`\n        after 1; differs in Deployment a/b,"), "{text}");
        assert_eq!(wrapped(&why, 0).join(" "), why.trim());
        assert_eq!(wrapped(&"x".repeat(120), 0).len(), 1, "a name stays whole");
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
