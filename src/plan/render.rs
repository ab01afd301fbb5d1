//! Printing a cluster's plan: its decisions, then its steps.

use std::fmt::Write;

use anstyle::Style;
use serde_json::{Value, json};

use super::decide::{Decisions, Line};
use crate::graph::render::{Checks, json as steps_json, stages, wrapped};
use crate::graph::{Kind, Plan};

const BOLD: Style = Style::new().bold();

/// The plan for people. Contains ANSI styles, which the printer strips where they are not wanted.
pub fn text<K: Kind>(plan: &Plan<K>, checks: &Checks, decisions: &Decisions) -> String {
    format!("{}{}", decided(&decisions.lines), stages(plan, checks))
}

/// The decisions: what, and its value with the reason; for an open one, when it will be decided.
fn decided(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.what.len()).max().unwrap_or(0);
    let mut text = format!("\n{BOLD}Decided{BOLD:#}\n");
    for Line { what, value, reason } in lines {
        let shown = value.as_ref().map_or_else(|| format!("open: {reason}"), |value| format!("{value}, {reason}"));
        for (at, line) in wrapped(&shown, width + 4).iter().enumerate() {
            let _ = writeln!(text, "  {:<width$}  {line}", if at == 0 { what } else { "" });
        }
    }
    text
}

/// The plan for programs: its name, its decisions, and its steps, each with its check if there is one.
pub fn json<K: Kind>(plan: &Plan<K>, checks: &Checks, decisions: &Decisions) -> Value {
    let mut whole = json!({"name": plan.name(), "decisions": decisions});
    whole["steps"] = steps_json(plan, checks)["steps"].take();
    whole
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::super::build;
    use super::super::decide::decide;
    use super::*;
    use crate::profile::{Profile, Source, load};

    fn profile(name: &str) -> Profile {
        load(&[Source::File(format!("profiles/{name}.yaml").into())], &[]).expect("the starter profile is valid")
    }

    #[test]
    fn what_the_profile_alone_decides_is_known_offline_and_the_rest_says_when() {
        let shown = |name: &str| strip_str(&decided(&decide(&profile(name), None).lines)).to_string().trim().to_owned();
        insta::assert_snapshot!(shown("quick"), @r"
        Decided
          node image                    open: when the engine is looked at: kindest/node:v1.36.4, or one
                                        kept with images inside
          API port                      open: when the control plane is made: a port of 127.0.0.1 that is
                                        free then
          API server from here          open: with the port
          API server for nodes          quick-control-plane:6443, the control plane's name, which the nodes'
                                        network resolves
          pods of quick-control-plane   open: when the live world is looked at
          pods of quick-worker          open: when the live world is looked at
          pods of quick-worker2         open: when the live world is looked at
          addresses for load balancers  open: when the live world is looked at
          address of the gateway        open: with the addresses for load balancers: the first of them
        ");
        insta::assert_snapshot!(shown("homelab"), @r"
        Decided
          API port                      6443, the control plane's own address
          API server from here          https://172.30.0.11:6443, the control plane's own address
          API server for nodes          172.30.0.11:6443, the control plane's own address
          pods of n1                    open: when the live world is looked at
          pods of n2                    open: when the live world is looked at
          pods of n3                    open: when the live world is looked at
          addresses for load balancers  172.30.0.200-172.30.0.220, as the profile says
          address of the gateway        172.30.0.200, as the profile says
        ");
    }

    #[test]
    fn programs_get_the_same_decisions() {
        let profile = profile("homelab");
        let decisions = decide(&profile, None);
        let plan = build::up(&profile, &[], &decisions).expect("the plan has no cycle");
        let json = json(&plan, &[], &decisions);
        let endpoint =
            json!({"what": "API server for nodes", "value": "172.30.0.11:6443", "reason": "the control plane's own address"});
        assert!(json["decisions"].as_array().is_some_and(|all| all.contains(&endpoint)), "{}", json["decisions"]);
        assert_eq!(json["steps"].as_array().map(Vec::len), Some(plan.steps().len()));
    }
}
