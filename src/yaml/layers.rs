//! Several files and `--set` values as one document, with every value still knowing where it came from.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::check::check;
use super::problem::{Location, Problem, Problems, SourceText};
use super::schema::schema_of;
use super::tree::{Entry, Finding, Kind, Node, Span, child, parse};

/// One text to read; later layers win.
#[derive(Debug, Clone)]
pub struct Layer {
    /// File name for messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A value read from files, and where each part of it stands.
#[derive(Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    root: Node,
    sources: Vec<SourceText>,
}

impl<T> Located<T> {
    /// Where a field stands, for example `spec.provider.ssh.hosts[1].name`; when it was left out, where the nearest
    /// thing around it stands.
    pub fn locate(&self, path: &str) -> Location {
        Location::new(find(&self.root, path).0.span, &self.sources)
    }

    /// Where a field stands, if it was written.
    pub fn find(&self, path: &str) -> Option<Location> {
        let (node, complete) = find(&self.root, path);
        complete.then(|| Location::new(node.span, &self.sources))
    }

    /// A problem with a field, at its place.
    pub fn problem(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        Problem { location: self.locate(path), path: path.to_owned(), message: message.into(), hint }
    }
}

/// Reads several texts as one document: mappings are merged key by key, everything else is replaced, and a written
/// `null` removes the key below it. Then each override `a.b[0].c=value` is laid over it, its value read as YAML.
///
/// # Errors
/// All [`Problems`] of all layers and overrides.
pub fn load_layers<T: DeserializeOwned + JsonSchema>(layers: &[Layer], overrides: &[String]) -> Result<Located<T>, Problems> {
    let mut sources: Vec<SourceText> = Vec::new();
    let mut findings = Vec::new();
    let mut root: Option<Node> = None;
    let mut readable = true;
    for (source, layer) in layers.iter().enumerate() {
        sources.push(SourceText { name: layer.name.clone(), text: layer.text.clone(), inline: false });
        match (parse(source, &layer.text, &mut findings), &mut root) {
            (Ok(Some(node)), Some(root)) => merge(root, node),
            (Ok(Some(node)), None) => root = Some(node),
            (Ok(None), _) => {
                readable = false;
                findings.push(Finding::new(Span { source, line: 1, column: 1, width: 1 }, "", "there is nothing in this file"));
            }
            (Err(finding), _) => {
                readable = false;
                findings.push(finding);
            }
        }
    }
    // Overrides alone make a document too: what is missing in it is then found by the schema.
    let nowhere = Span { source: sources.len(), line: 1, column: 1, width: 1 };
    let mut root = root.unwrap_or_else(|| {
        sources.push(SourceText { name: "(no file)".to_owned(), text: String::new(), inline: true });
        Node { span: nowhere, kind: Kind::Map(Vec::new()) }
    });
    for text in overrides {
        let source = sources.len();
        sources.push(SourceText { name: format!("--set {text}"), text: text.clone(), inline: true });
        if let Err(finding) = overlay(&mut root, source, text, &mut findings) {
            findings.push(finding);
        }
    }
    // Half a document would only produce false findings.
    if readable {
        findings.extend(check(&schema_of::<T>(), &root));
    }
    if findings.is_empty() {
        match serde_path_to_error::deserialize(root.to_json()) {
            Ok(value) => return Ok(Located { value, root, sources }),
            Err(error) => {
                let path = error.path().to_string();
                findings.push(Finding::new(find(&root, &path).0.span, path, error.inner().to_string()));
            }
        }
    }
    Err(Problems::new(findings.into_iter().map(|finding| Problem::new(finding, &sources)).collect()))
}

fn merge(base: &mut Node, over: Node) {
    match (&mut base.kind, over.kind) {
        (Kind::Map(entries), Kind::Map(new)) => {
            for entry in new {
                let position = entries.iter().position(|old| old.key == entry.key);
                match (position, entry.value.is_written_null()) {
                    (Some(at), true) => drop(entries.remove(at)),
                    (None, true) => {}
                    (Some(at), false) => merge(&mut entries[at].value, entry.value),
                    (None, false) => entries.push(entry),
                }
            }
        }
        (_, kind) => *base = Node { span: over.span, kind },
    }
}

/// Lays `path=value` over the document.
fn overlay(root: &mut Node, source: usize, text: &str, findings: &mut Vec<Finding>) -> Result<(), Finding> {
    let span = Span { source, line: 1, column: 1, width: 1 };
    let refuse = |message: &str, hint: &str| Finding::new(span, "", message).hint(hint);
    let (path, value) = text.split_once('=').ok_or_else(|| refuse("not a setting", "write it as key.key=value"))?;
    let segments = segments(path).ok_or_else(|| refuse("not a path", "write it as key.key[0].key=value"))?;
    let value = parse(source, value, findings)?
        .ok_or_else(|| refuse("nothing after the `=`", "write '\"\"' for an empty text, or null to remove the key"))?;
    set(root, &segments, value, span, "")
}

fn set(node: &mut Node, segments: &[Segment], value: Node, span: Span, path: &str) -> Result<(), Finding> {
    let Some((segment, rest)) = segments.split_first() else {
        merge(node, value);
        return Ok(());
    };
    // What is not there yet becomes what the next part of the path needs.
    let empty = match rest.first() {
        Some(Segment::Index(_)) => Node { span, kind: Kind::List(Vec::new()) },
        _ => Node { span, kind: Kind::Map(Vec::new()) },
    };
    match (segment, &mut node.kind) {
        (Segment::Key(key), Kind::Map(entries)) => {
            let position = entries.iter().position(|entry| entry.key == *key);
            if rest.is_empty() && value.is_written_null() {
                position.map(|at| entries.remove(at));
                return Ok(());
            }
            let at = position.unwrap_or_else(|| {
                entries.push(Entry { key: (*key).to_owned(), span, value: empty.clone() });
                entries.len() - 1
            });
            if entries[at].value.is_null() {
                entries[at].value = empty;
            }
            set(&mut entries[at].value, rest, value, span, &child(path, key))
        }
        (Segment::Index(index), Kind::List(items)) => {
            if *index > items.len() {
                return Err(Finding::new(span, path, format!("there is no item {index}: the list has {}", items.len())));
            }
            if *index == items.len() {
                items.push(empty);
            }
            set(&mut items[*index], rest, value, span, &format!("{path}[{index}]"))
        }
        (Segment::Key(_), _) => Err(Finding::new(span, path, "not a mapping, nothing can be set in it")),
        (Segment::Index(_), _) => Err(Finding::new(span, path, "not a list, it has no items")),
    }
}

#[derive(Debug, Clone, Copy)]
enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// `a.b[0]` as key, key, index; none when it is not a path.
fn segments(path: &str) -> Option<Vec<Segment<'_>>> {
    let mut segments = Vec::new();
    for part in path.split('.') {
        let (key, mut indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        if key.is_empty() {
            return None;
        }
        segments.push(Segment::Key(key));
        while !indices.is_empty() {
            let (index, rest) = indices.strip_prefix('[')?.split_once(']')?;
            segments.push(Segment::Index(index.parse().ok()?));
            indices = rest;
        }
    }
    Some(segments)
}

/// The node at a path, or the nearest around it; and whether it is the one.
fn find<'a>(root: &'a Node, path: &str) -> (&'a Node, bool) {
    let mut node = root;
    for segment in segments(path).unwrap_or_default() {
        let next = match (segment, &node.kind) {
            (Segment::Key(key), _) => node.entry(key).map(|entry| &entry.value),
            (Segment::Index(index), Kind::List(items)) => items.get(index),
            _ => None,
        };
        match next {
            Some(next) => node = next,
            None => return (node, false),
        }
    }
    (node, true)
}
