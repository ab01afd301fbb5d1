//! `oneOf` and `anyOf`: finds out which of several shapes was meant, so that the findings are about that one.

use serde_json::Value;

use super::check::Walk;
use super::expect::{fits, kind_of, list, mismatch, words};
use super::path::child;
use super::suggest::{listing, nearest};
use super::tree::{Entry, Finding, Kind, Node};

impl<'a> Walk<'a> {
    /// Checks against several shapes: the findings are those of the shape that was meant.
    pub fn choose(&mut self, node: &Node, branches: &[&'a Value], path: &str) {
        let trials: Vec<Vec<Finding>> = branches.iter().map(|branch| self.trial(node, branch, path)).collect();
        if trials.iter().any(Vec::is_empty) {
            return;
        }
        let shapes: Vec<&Value> = branches.iter().copied().filter(|branch| branch.get("properties").is_some()).collect();
        let known: Vec<&str> = branches.iter().filter_map(|branch| words(branch)).flatten().collect();
        match &node.kind {
            Kind::Map(entries) if !shapes.is_empty() => {
                if let Some(tag) = tag(&shapes) {
                    return self.tagged(node, &shapes, tag, path);
                }
                let names: Option<Vec<&str>> = shapes.iter().map(|shape| variant(shape)).collect();
                if let Some(names) = names {
                    return self.variant(node, entries, &shapes, &names, path);
                }
            }
            Kind::Scalar { value: Value::String(_), .. } if !known.is_empty() => return self.word(node, &known, path),
            _ => {}
        }
        // the nearest shape of the right type; without one, list the types that are allowed
        let fitting = branches.iter().zip(trials).filter(|(branch, _)| fits(node, self.target(branch)));
        match fitting.min_by_key(|(_, findings)| findings.len()) {
            Some((_, findings)) => self.findings.extend(findings),
            None => {
                let mut kinds: Vec<String> = branches.iter().map(|branch| kind_of(branch)).collect();
                kinds.dedup();
                self.findings.push(mismatch(node, &kinds.join(" or "), path));
            }
        }
    }

    /// The shape is chosen by a tag, such as `type: x`.
    fn tagged(&mut self, node: &Node, shapes: &[&'a Value], tag: &str, path: &str) {
        let names: Vec<&str> = shapes.iter().filter_map(|shape| shape["properties"][tag]["const"].as_str()).collect();
        let Some(entry) = node.entry(tag) else {
            let finding = Finding::new(node.span, child(path, tag), "missing key");
            return self.findings.push(finding.hint(format!("it is {}", listing(&names))));
        };
        let chosen = names.iter().position(|name| entry.value.to_json() == **name);
        match chosen {
            Some(at) => self.visit(node, shapes[at], path),
            None => self.word(&entry.value, &names, &child(path, tag)),
        }
    }

    /// The shape is chosen by its only key.
    fn variant(&mut self, node: &Node, entries: &[Entry], shapes: &[&'a Value], names: &[&str], path: &str) {
        let unknown: Vec<&Entry> = entries.iter().filter(|entry| !names.contains(&entry.key.as_str())).collect();
        for entry in &unknown {
            let path = child(path, &entry.key);
            let meant = nearest(&entry.key, names.iter().copied().filter(|_| entries.len() == 1));
            let hint = match meant {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known here: {}", names.join(", ")),
            };
            self.unknown(entry, meant, hint, &path);
            let shape = shapes.iter().zip(names).find(|(_, name)| meant == Some(**name));
            if let Some((shape, name)) = shape {
                self.visit(&entry.value, &shape["properties"][*name], &path);
            }
        }
        match entries.len() - unknown.len() {
            1 => {
                for (shape, name) in shapes.iter().zip(names) {
                    if let Some(entry) = node.entry(name) {
                        self.visit(&entry.value, &shape["properties"][*name], &child(path, name));
                    }
                }
            }
            0 if !unknown.is_empty() => {}
            0 => {
                let message = format!("exactly one of {} is needed, there is none", listing(names));
                self.findings.push(Finding::new(node.span, path, message));
            }
            _ => {
                let present: Vec<&str> =
                    entries.iter().map(|entry| entry.key.as_str()).filter(|key| names.contains(key)).collect();
                let message = format!("only one of {} can be used, there are {}", listing(names), present.len());
                self.findings.push(Finding::new(node.span, path, message));
            }
        }
    }

    pub fn trial(&self, node: &Node, schema: &'a Value, path: &str) -> Vec<Finding> {
        let mut walk = Walk { root: self.root, findings: Vec::new() };
        walk.visit(node, schema, path);
        walk.findings
    }

    /// The alternatives of a schema, with nested ones flattened.
    pub fn branches(&self, schema: &'a Value) -> Vec<&'a Value> {
        let branches = list(schema, "oneOf").iter().chain(list(schema, "anyOf"));
        branches
            .flat_map(|branch| {
                let nested = self.branches(self.target(branch));
                if nested.is_empty() { vec![self.target(branch)] } else { nested }
            })
            .collect()
    }
}

/// The property whose constant distinguishes the shapes.
fn tag<'a>(shapes: &[&'a Value]) -> Option<&'a str> {
    let constant = |shape: &Value, key: &str| shape["properties"][key].get("const").is_some();
    let first = shapes.first()?.get("properties")?.as_object()?;
    first.keys().find(|key| shapes.iter().all(|shape| constant(shape, key))).map(String::as_str)
}

/// The name of a shape that has a single, required key.
fn variant(shape: &Value) -> Option<&str> {
    match list(shape, "required") {
        [Value::String(name)] if shape["properties"].as_object()?.len() == 1 => Some(name),
        _ => None,
    }
}
