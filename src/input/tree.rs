//! A YAML document as a tree whose nodes know their place.

use std::collections::HashMap;

use crate::yaml::parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput, options};
use serde_json::Value;

use super::path::child;
use super::scalar::resolve;

/// The message for a text that contains a variable.
pub(super) const UNFILLED: &str = "is not filled in: files have no variables";

/// Aliases may multiply nodes; a hand-written file stays far below this limit.
const MAX_NODES: usize = 100_000;

/// A place in one of the sources; line and column count characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub source: usize,
    pub line: usize,
    pub column: usize,
    /// How many characters the caret line underlines; cut off at the end of the line when shown.
    pub width: usize,
}

/// A value and its place: for a scalar its own, for a collection or a missing value that of its key.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub span: Span,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// The text as written, and the value it means.
    Scalar {
        text: String,
        value: Value,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub span: Span,
    pub value: Node,
}

/// A problem at a place, before the source text is added.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub span: Span,
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
    pub mend: Mend,
}

/// How to correct a finding in order to continue and find more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mend {
    /// No correction is possible or needed.
    Leave,
    /// Remove the entry, as if it had not been written.
    Remove,
    /// Rename the key to the one that was meant.
    Rename(String),
}

impl Finding {
    pub fn new(span: Span, path: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { span, path: path.into(), message: message.into(), hint: None, mend: Mend::Leave }
    }

    pub fn mend(self, mend: Mend) -> Self {
        Finding { mend, ..self }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Finding { hint: Some(hint.into()), ..self }
    }
}

impl Node {
    /// The entry of a mapping.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// True for an empty value as well as for a written `null` or `~`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { value: Value::Null, .. })
    }

    /// True only for a written `null` or `~`.
    pub fn is_written_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { value: Value::Null, text } if !text.is_empty())
    }

    /// The value without places.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar { value, .. } => value.clone(),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Node::size).sum(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }
}

/// Reads the one document of a text; none if it is empty. Problems that do not prevent reading on, such as duplicate keys, are
/// added to `findings`.
pub(super) fn parse(source: usize, text: &str, findings: &mut Vec<Finding>) -> Result<Option<Node>, Box<Finding>> {
    let parser = Parser::new_from_str_with_options(text, options! { emit_comments: false });
    let mut reader = Reader { parser, source, anchors: HashMap::new(), nodes: 0, findings };
    let mut root: Option<Node> = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            // a lone `---` is as empty as no line at all
            Event::StreamEnd => return Ok(root.filter(|node| !node.is_null() || node.is_written_null())),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event if root.is_none() => root = Some(reader.node(event, span, None, "")?),
            _ => return Err(Finding::new(span, "", "a second document starts here; one is expected").into()),
        }
    }
}

struct Reader<'text, 'out> {
    parser: Parser<'text, StrInput<'text>>,
    source: usize,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    findings: &'out mut Vec<Finding>,
}

impl<'text> Reader<'text, '_> {
    fn next(&mut self) -> Result<(Event<'text>, Span), Box<Finding>> {
        match self.parser.next_event() {
            // the parser returns `~` for a missing value; what was not written has no text
            Some(Ok((Event::Scalar(_, ScalarStyle::Plain, anchor, tag), span))) if span.is_empty() => {
                Ok((Event::Scalar("".into(), ScalarStyle::Plain, anchor, tag), self.span(&span)))
            }
            Some(Ok((event, span))) => Ok((event, self.span(&span))),
            Some(Err(error)) => {
                let (line, column) = (error.marker().line(), error.marker().col() + 1);
                let finding = Finding::new(Span { source: self.source, line, column, width: 1 }, "", error.info());
                Err(if error.info().contains("tabs") { finding.hint("indent with spaces") } else { finding }.into())
            }
            None => Ok((Event::StreamEnd, Span { source: self.source, line: 1, column: 1, width: 1 })),
        }
    }

    fn span(&self, span: &ParserSpan) -> Span {
        let (start, end) = (span.start, span.end);
        let width = if end.line() > start.line() { usize::MAX } else { end.col().saturating_sub(start.col()).max(1) };
        Span { source: self.source, line: start.line(), column: start.col() + 1, width }
    }

    /// Reads the node that starts with `event`; `holder` is the place of its key.
    fn node(&mut self, event: Event<'text>, span: Span, holder: Option<Span>, path: &str) -> Result<Node, Box<Finding>> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Finding::new(span, path, format!("more than {MAX_NODES} values")).into());
        }
        if event.tag().is_some() {
            self.findings.push(Finding::new(span, path, "tags have no meaning here").hint("remove the `!` word"));
        }
        let anchor = event.anchor_id().unwrap_or(0);
        let node = match event {
            Event::Scalar(text, style, ..) => {
                let value = if style == ScalarStyle::Plain { resolve(&text) } else { Value::String(text.clone().into_owned()) };
                let span = if style == ScalarStyle::Plain && text.is_empty() { holder.unwrap_or(span) } else { span };
                if let Some(variable) = variable(&text) {
                    let finding = Finding::new(span, path, format!("`{variable}` {UNFILLED}"));
                    self.findings.push(finding.hint(format!("give the value with --set {path}=...")));
                }
                Node { span, kind: Kind::Scalar { text: text.into_owned(), value } }
            }
            Event::SequenceStart(..) => Node { span: holder.unwrap_or(span), kind: Kind::List(self.items(path)?) },
            Event::MappingStart(..) => {
                let entries = self.entries(path)?;
                // a block mapping in a list has no key above it; its first key is where the eye goes
                let own = entries.first().map_or(span, |entry| entry.span);
                Node { span: holder.unwrap_or(own), kind: Kind::Map(entries) }
            }
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id) else {
                    return Err(Finding::new(span, path, "an alias inside the value that it stands for").into());
                };
                self.nodes += target.size();
                Node { span, ..target.clone() }
            }
            other => return Err(Finding::new(span, path, format!("unexpected {other:?}")).into()),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn items(&mut self, path: &str) -> Result<Vec<Node>, Box<Finding>> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, span, None, &format!("{path}[{}]", items.len()))?);
        }
    }

    fn entries(&mut self, path: &str) -> Result<Vec<Entry>, Box<Finding>> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    fill_up(&mut entries, merged);
                    return Ok(entries);
                }
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Finding::new(span, path, "a key has to be a plain word").into()),
            };
            let path = child(path, &key);
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, Some(span), &path)?;
            if key == MERGE {
                merged.push(value);
                continue;
            }
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => self
                    .findings
                    .push(Finding::new(span, path, "duplicate key").hint(format!("it is already on line {}", first.span.line))),
                None => entries.push(Entry { key, span, value }),
            }
        }
    }
}

/// The merge key: the entries of its value apply where none is written. (YAML's language-independent type `merge`.)
const MERGE: &str = "<<";

/// Adds the entries of merged mappings that are not there yet: written entries win, then the first one merged.
fn fill_up(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    for node in merged {
        match node.kind {
            Kind::Map(more) => {
                for entry in more {
                    if entries.iter().all(|known| known.key != entry.key) {
                        entries.push(entry);
                    }
                }
            }
            Kind::List(nodes) => fill_up(entries, nodes),
            Kind::Scalar { .. } => entries.push(Entry { key: MERGE.to_owned(), span: node.span, value: node }),
        }
    }
}

/// Removes top-level keys that only hold anchors: `x-` as in Compose, or a dot as in GitLab's files.
pub(super) fn without_helpers(mut root: Node) -> Node {
    if let Kind::Map(entries) = &mut root.kind {
        entries.retain(|entry| !entry.key.starts_with("x-") && !entry.key.starts_with('.'));
    }
    root
}

/// The first `${NAME}` in a text, which other programs would replace.
fn variable(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("${")?;
    let name = rest.split('}').next().filter(|name| name.len() < rest.len())?;
    let from = text.len() - rest.len() - 2;
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_').then(|| &text[from..from + name.len() + 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> (Node, Vec<Finding>) {
        let mut findings = Vec::new();
        let node = parse(0, text, &mut findings).expect("syntax").expect("a document");
        (node, findings)
    }

    #[test]
    fn nodes_stand_where_the_eye_looks() {
        let (root, _) = read("a:\n  b: {c: 'x'}\n  d:\n  e:\n  - f: 1\n");
        let a = &root.entry("a").expect("a").value;
        let b = &a.entry("b").expect("b").value;
        let place = |node: &Node| (node.span.line, node.span.column);
        assert_eq!(place(b), (2, 3), "a mapping stands at its key");
        assert_eq!(place(&b.entry("c").expect("c").value), (2, 10), "a scalar stands by itself");
        assert_eq!(place(&a.entry("d").expect("d").value), (3, 3), "nothing stands at its key");
        let Kind::List(items) = &a.entry("e").expect("e").value.kind else { panic!("a list") };
        assert_eq!(place(&items[0]), (5, 5), "a mapping in a list stands at its first key");
    }

    #[test]
    fn duplicate_keys_are_found_at_every_depth() {
        let (root, findings) = read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
        assert_eq!(root.to_json(), json!({"a": 1, "b": {"c": 1}}));
        let found: Vec<_> = findings.iter().map(|f| (f.span.line, f.span.column, f.path.as_str())).collect();
        assert_eq!(found, [(2, 11, "b.c"), (3, 1, "a")]);
    }

    #[test]
    fn aliases_are_followed_but_cannot_explode() {
        let (root, _) = read("a: &x {b: 1}\nc: *x\n");
        assert_eq!(root.to_json(), json!({"a": {"b": 1}, "c": {"b": 1}}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let previous = format!("*a{}, ", i - 1).repeat(9);
            bomb += &format!("a{i}: &a{i} [{}]\n", previous.trim_end_matches(", "));
        }
        assert!(parse(0, &bomb, &mut Vec::new()).expect_err("too large").message.contains("100000"));
        assert!(parse(0, "a: &x {b: *x}\n", &mut Vec::new()).is_err());
    }

    #[test]
    fn syntax_errors_carry_their_place() {
        let error = parse(0, "a:\n\tb: 1\n", &mut Vec::new()).expect_err("a tab");
        assert_eq!(error.span.line, 2);
        assert_eq!(error.hint.as_deref(), Some("indent with spaces"));
        let error = parse(0, "a: 1\n---\nb: 1\n", &mut Vec::new()).expect_err("two documents");
        assert_eq!(error.span.line, 3);
    }
}
