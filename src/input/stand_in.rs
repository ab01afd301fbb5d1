//! Stand-ins for values that are missing or of no use, so that the rest of a document can be judged nevertheless.

use serde_json::Value;

use super::check::Walk;
use super::expect::{fits, list, types, words};
use super::path::child;
use super::tree::{Entry, Kind, Node, Span};

/// Makes a document valid by its schema, and returns the paths at which that took a stand-in.
pub(super) fn complete(schema: &Value, root: &mut Node) -> Vec<String> {
    let mut filler = Filler { walk: Walk { root: schema, findings: Vec::new() }, paths: Vec::new() };
    filler.fill(root, schema, "");
    filler.paths
}

struct Filler<'a> {
    walk: Walk<'a>,
    paths: Vec<String>,
}

impl<'a> Filler<'a> {
    /// From the inside out: a value gets a stand-in only if its parts with theirs do not make it valid.
    fn fill(&mut self, node: &mut Node, schema: &'a Value, path: &str) {
        let schema = self.walk.target(schema);
        if let Some(shape) = self.meant(node, schema, path) {
            self.fill(node, shape, path);
        }
        let span = node.span;
        match &mut node.kind {
            Kind::Map(entries) => {
                for entry in entries.iter_mut() {
                    let known = schema["properties"].get(&entry.key).or_else(|| schema.get("additionalProperties"));
                    if let Some(inner) = known {
                        self.fill(&mut entry.value, inner, &child(path, &entry.key));
                    }
                }
                for key in list(schema, "required").iter().filter_map(Value::as_str) {
                    if entries.iter().all(|entry| entry.key != key) {
                        self.paths.push(child(path, key));
                        entries.push(self.entry(schema, key, span));
                    }
                }
            }
            Kind::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.fill(item, &schema["items"], &format!("{path}[{index}]"));
                }
            }
            Kind::Scalar { .. } => {}
        }
        if !self.walk.trial(node, schema, path).is_empty() {
            self.paths.push(path.to_owned());
            *node = self.made(schema, span);
        }
    }

    /// Of several shapes the one that a value comes nearest to; none if there is but one, or if it is like none of them.
    fn meant(&self, node: &Node, schema: &'a Value, path: &str) -> Option<&'a Value> {
        let alike = |shape: &&Value| match &node.kind {
            Kind::Map(entries) => entries.iter().any(|entry| shape["properties"].get(&entry.key).is_some()),
            _ => fits(node, shape),
        };
        let shapes = self.walk.branches(schema).into_iter().filter(alike);
        shapes.min_by_key(|shape| self.walk.trial(node, shape, path).len())
    }

    /// A required key of a mapping, with the simplest value.
    fn entry(&self, schema: &'a Value, key: &str, span: Span) -> Entry {
        Entry { key: key.to_owned(), span, value: self.made(&schema["properties"][key], span) }
    }

    /// The simplest value that a schema accepts.
    fn made(&self, schema: &'a Value, span: Span) -> Node {
        let schema = self.walk.target(schema);
        if let Some(shape) = self.walk.branches(schema).first() {
            return self.made(shape, span);
        }
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64).unwrap_or(0);
        let value = match types(schema).first() {
            Some(&"object") => {
                let keys = list(schema, "required").iter().filter_map(Value::as_str);
                return Node { span, kind: Kind::Map(keys.map(|key| self.entry(schema, key, span)).collect()) };
            }
            Some(&"array") => {
                let items = (0..bound("minItems")).map(|_| self.made(&schema["items"], span));
                return Node { span, kind: Kind::List(items.collect()) };
            }
            Some(&"integer" | &"number") => Value::from(bound("minimum")),
            Some(&"boolean") => Value::Bool(false),
            _ => Value::from(words(schema).and_then(|words| words.first().copied()).unwrap_or_default()),
        };
        Node { span, kind: Kind::Scalar { text: String::new(), value } }
    }
}
