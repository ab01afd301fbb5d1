//! Checks a tree against a JSON schema: every structural problem, not only the first.
//!
//! Supports what schemars generates for plain Rust types: `$ref`, `type`, `properties`, `required`, `additionalProperties`,
//! `items`, `enum`, `const`, `oneOf`, `anyOf`, `allOf`, `minimum`, `maximum`, `minItems`, `maxItems`; and `x-list`, the hint
//! for those who write a list where there can be none. `pattern` and `format` are for editors; the code that interprets the
//! text checks it and can explain more.

use serde_json::Value;

use super::expect::{fits, kind_of, list, mismatch, words};
use super::path::child;
use super::suggest::{listing, nearest};
use super::tree::{Entry, Finding, Kind, Mend, Node};

/// All findings of a document.
pub(super) fn check(schema: &Value, root: &Node) -> Vec<Finding> {
    let mut walk = Walk { root: schema, findings: Vec::new() };
    walk.visit(root, schema, "");
    walk.findings
}

/// A walk over document and schema.
pub(super) struct Walk<'a> {
    pub root: &'a Value,
    pub findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    pub fn visit(&mut self, node: &Node, schema: &'a Value, path: &str) {
        if schema.get("$ref").is_some() {
            self.visit(node, self.target(schema), path);
        }
        for part in list(schema, "allOf") {
            self.visit(node, part, path);
        }
        let branches = self.branches(schema);
        if !branches.is_empty() {
            self.choose(node, &branches, path);
        }
        if let Some(words) = words(schema) {
            self.word(node, &words, path);
            return;
        }
        if !fits(node, schema) {
            let finding = mismatch(node, &kind_of(schema), path);
            let text = |key: &str| schema.get(key).and_then(Value::as_str);
            self.findings.push(match (&node.kind, text("x-list"), text("default")) {
                (Kind::List(_), Some(instead), _) => finding.hint(instead),
                // `1.36` in quotes would be the next mistake: the default shows the right form
                (_, _, Some(example)) => finding.hint(format!("write a string as in {example}")),
                _ => finding,
            });
            return;
        }
        match &node.kind {
            Kind::Map(entries) => self.mapping(node, entries, schema, path),
            Kind::List(items) => self.items(node, items, schema, path),
            Kind::Scalar { value, .. } => self.bounds(node, value.as_f64(), schema, "", path),
        }
    }

    fn mapping(&mut self, node: &Node, entries: &[Entry], schema: &'a Value, path: &str) {
        let known: Vec<&str> = schema.get("properties").and_then(Value::as_object).map_or(Vec::new(), |p| keys(p));
        let mut meant: Vec<&str> = Vec::new();
        for entry in entries {
            let path = child(path, &entry.key);
            let other = schema.get("additionalProperties");
            match (schema["properties"].get(&entry.key), other) {
                (Some(property), _) => self.visit(&entry.value, property, &path),
                (None, Some(Value::Bool(false))) => {
                    let free = known.iter().copied().filter(|key| node.entry(key).is_none() && !meant.contains(key));
                    let key = nearest(&entry.key, free);
                    let below = || self.below(schema, &entry.key, 3);
                    let hint = match key.map(str::to_owned).or_else(below) {
                        Some(place) => format!("did you mean `{place}`?"),
                        None => format!("known here: {}", known.join(", ")),
                    };
                    self.unknown(entry, key, hint, &path);
                    if let Some(key) = key {
                        meant.push(key);
                        self.visit(&entry.value, &schema["properties"][key], &path);
                    }
                }
                (None, Some(other)) => self.visit(&entry.value, other, &path),
                (None, None) => {}
            }
        }
        for key in list(schema, "required").iter().filter_map(Value::as_str) {
            // a misspelt key is one problem, not two
            if node.entry(key).is_none() && !meant.contains(&key) {
                let finding = Finding::new(node.span, child(path, key), "missing key");
                let about = self.about(&schema["properties"][key]);
                self.findings.push(Finding { hint: about, ..finding });
            }
        }
    }

    /// An entry whose key is unknown, and the key that was meant.
    pub fn unknown(&mut self, entry: &Entry, meant: Option<&str>, hint: String, path: &str) {
        let mend = meant.map_or(Mend::Remove, |key| Mend::Rename(key.to_owned()));
        self.findings.push(Finding::new(entry.span, path, "unknown key").hint(hint).mend(mend));
    }

    fn items(&mut self, node: &Node, items: &[Node], schema: &'a Value, path: &str) {
        if let Some(item) = schema.get("items") {
            for (index, node) in items.iter().enumerate() {
                self.visit(node, item, &format!("{path}[{index}]"));
            }
        }
        self.bounds(node, Some(items.len() as f64), schema, "Items", path);
    }

    fn bounds(&mut self, node: &Node, size: Option<f64>, schema: &Value, of: &str, path: &str) {
        let Some(size) = size else { return };
        let (low, high) =
            if of.is_empty() { ("minimum".to_owned(), "maximum".to_owned()) } else { (format!("min{of}"), format!("max{of}")) };
        let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
        let unit = if of.is_empty() { "" } else { " items" };
        let message = match (limit(&low), limit(&high)) {
            (Some(low), Some(high)) if size < low || size > high => format!("{size}{unit} is not between {low} and {high}"),
            (Some(low), _) if size < low => format!("{size}{unit} is below {low}"),
            (_, Some(high)) if size > high => format!("{size}{unit} is above {high}"),
            _ => return,
        };
        self.findings.push(Finding::new(node.span, path, message).mend(Mend::Remove));
    }

    pub fn word(&mut self, node: &Node, words: &[&str], path: &str) {
        let written = match &node.kind {
            Kind::Scalar { value: Value::String(text), .. } => text,
            _ => {
                self.findings.push(mismatch(node, &listing(words), path));
                return;
            }
        };
        if words.contains(&written.as_str()) {
            return;
        }
        let finding = Finding::new(node.span, path, format!("`{written}` is not {}", listing(words))).mend(Mend::Remove);
        self.findings.push(match nearest(written, words.iter().copied()) {
            Some(word) if words.len() > 1 => finding.hint(format!("did you mean `{word}`?")),
            _ => finding,
        });
    }

    pub fn target(&self, schema: &'a Value) -> &'a Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// Where, a few levels down, a key would be valid that is unknown here.
    fn below(&self, schema: &'a Value, key: &str, depth: usize) -> Option<String> {
        let properties = self.target(schema).get("properties")?.as_object()?;
        properties.iter().filter(|_| depth > 0).find_map(|(name, property)| {
            let inner = self.target(property);
            match inner.get("properties")?.get(key) {
                Some(_) => Some(format!("{name}.{key}")),
                None => self.below(inner, key, depth - 1).map(|place| format!("{name}.{place}")),
            }
        })
    }

    /// The first sentence of a description.
    fn about(&self, schema: &'a Value) -> Option<String> {
        let text = schema.get("description").or_else(|| self.target(schema).get("description"))?.as_str()?;
        let first = text.lines().next()?;
        Some(first.split_once(". ").map_or(first, |(sentence, _)| sentence).trim_end_matches('.').to_owned())
    }
}

fn keys(map: &serde_json::Map<String, Value>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}
