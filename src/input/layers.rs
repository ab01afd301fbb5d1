//! Several files and `--set` values as one document, in which every value still knows its origin.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::check::check;
use super::path::{Segment, child, find, mend, segments, within};
use super::problem::{Location, Problem, Problems, SourceText};
use super::schema::schema_of;
use super::stand_in::complete;
use super::tree::{Entry, Finding, Kind, Mend, Node, Span, UNFILLED, parse, without_helpers};

/// One text to read; later layers override earlier ones.
#[derive(Debug, Clone)]
pub struct Layer {
    /// File name for messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A value read from files, with the place of each of its parts.
#[derive(Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    root: Node,
    sources: Vec<SourceText>,
    whole: bool,
}

impl<T> Located<T> {
    /// Whether everything in it was written, or left out as it may be. If not, problems were found in its structure, and what is
    /// missing has stand-ins.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Where a field was written, for example `spec.provider.ssh.hosts[1].name`; if it was left out, the place of the nearest
    /// thing around it.
    pub fn locate(&self, path: &str) -> Location {
        Location::new(find(&self.root, path).0.span, &self.sources)
    }

    /// Where a field was written; none if it was left out.
    pub fn find(&self, path: &str) -> Option<Location> {
        let (node, complete) = find(&self.root, path);
        complete.then(|| Location::new(node.span, &self.sources))
    }

    /// A problem with a field, at the place where the field was written.
    pub fn problem(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        Problem { location: self.locate(path), path: path.to_owned(), message: message.into(), hint }
    }
}

/// Reads several texts as one document: mappings are merged key by key, everything else is replaced, and a written `null`
/// removes the key from the layer below. Then each override `a.b[0].c=value` is applied, with its value read as YAML.
///
/// # Errors
/// All [`Problems`] of all layers and overrides.
pub fn load_layers<T: DeserializeOwned + JsonSchema>(layers: &[Layer], overrides: &[String]) -> Result<Located<T>, Problems> {
    load_with(layers, overrides, |located, _| located)
}

/// As [`load_layers`], then `judge` turns the value into its meaning and adds the problems of that. If the structure has
/// problems, `judge` still sees the document with misspelt keys corrected, bad values removed, and stand-ins for those that have to
/// be there, so that the user learns everything at once. What it reports about a stand-in is dropped; that values contradict each
/// other it must not report if one of them already has a problem.
///
/// # Errors
/// All [`Problems`], of structure and of meaning.
pub fn load_with<T: DeserializeOwned + JsonSchema, U>(
    layers: &[Layer],
    overrides: &[String],
    judge: impl FnOnce(Located<T>, &mut Vec<Problem>) -> U,
) -> Result<U, Problems> {
    let mut findings = Vec::new();
    let (mut root, sources) = read(layers, overrides, &mut findings);
    let mut stand_ins = Vec::new();
    let value = root.as_mut().and_then(|root| {
        let schema = schema_of::<T>();
        findings.extend(check(&schema, root));
        // inner ones first: their paths are as written
        for finding in findings.iter().rev() {
            mend(root, finding);
        }
        if !findings.is_empty() {
            stand_ins = complete(&schema, root);
        }
        // where all of it is a stand-in there is nothing to judge
        if stand_ins.iter().any(String::is_empty) { None } else { deserialize::<T>(root, &mut findings) }
    });
    // other problems of a value that is an unfilled variable help nobody
    let open: Vec<String> = findings.iter().filter(|one| one.message.contains(UNFILLED)).map(|one| one.path.clone()).collect();
    findings.retain(|one| one.message.contains(UNFILLED) || !open.contains(&one.path));
    let mut problems: Vec<Problem> = findings.into_iter().map(|finding| Problem::new(finding, &sources)).collect();
    let (of_structure, whole) = (problems.len(), stand_ins.is_empty());
    let meaning = value.zip(root).map(|(value, root)| judge(Located { value, root, sources, whole }, &mut problems));
    let of_meaning = problems.split_off(of_structure);
    problems.extend(of_meaning.into_iter().filter(|one| stand_ins.iter().all(|place| !within(&one.path, place))));
    problems.retain(|one| one.message.contains(UNFILLED) || !open.contains(&one.path));
    match meaning {
        Some(meaning) if problems.is_empty() => Ok(meaning),
        _ => Err(Problems::new(problems)),
    }
}

/// All layers and overrides as one tree; none when one of them could not be read, because half a document would only produce
/// false findings.
fn read(layers: &[Layer], overrides: &[String], findings: &mut Vec<Finding>) -> (Option<Node>, Vec<SourceText>) {
    let named = |layer: &Layer| SourceText { name: layer.name.clone(), text: layer.text.clone(), inline: false };
    let mut sources: Vec<SourceText> = layers.iter().map(named).collect();
    let mut root: Option<Node> = None;
    let mut readable = true;
    for (source, layer) in layers.iter().enumerate() {
        let start = Span { source, line: 1, column: 1, width: 1 };
        let node = parse(source, &layer.text, findings)
            .map(|node| node.map(without_helpers))
            .and_then(|node| node.ok_or_else(|| Finding::new(start, "", "there is nothing in this file").into()));
        match (node, &mut root) {
            (Ok(node), Some(root)) => merge(root, node),
            (Ok(node), None) => root = Some(node),
            (Err(finding), _) => {
                readable = false;
                findings.push(*finding);
            }
        }
    }
    // overrides alone make a document too: the schema then finds what is missing in it
    let mut root = root.unwrap_or_else(|| {
        sources.push(SourceText { name: "(no file)".to_owned(), text: String::new(), inline: true });
        Node { span: Span { source: sources.len() - 1, line: 1, column: 1, width: 1 }, kind: Kind::Map(Vec::new()) }
    });
    for text in overrides {
        let source = sources.len();
        sources.push(SourceText { name: format!("--set {text}"), text: text.clone(), inline: true });
        if let Err(finding) = overlay(&mut root, source, text, findings) {
            findings.push(*finding);
        }
    }
    (readable.then_some(root), sources)
}

/// Deserializes what the schema accepts. What is still refused is refused by a custom `Deserialize`; it reports one value at a
/// time, which is then taken out to find the next.
fn deserialize<T: DeserializeOwned>(root: &mut Node, findings: &mut Vec<Finding>) -> Option<T> {
    loop {
        let error = match serde_path_to_error::deserialize(root.to_json()) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        // the schema has reported what is missing; anything else that is missing was taken out above
        if !findings.is_empty() && message.starts_with("missing field") {
            return None;
        }
        let path = if path == "." { String::new() } else { path };
        // a custom `Deserialize` with a hint writes it on a second line
        let (message, hint) = message.split_once('\n').map_or((message.as_str(), None), |(first, hint)| (first, Some(hint)));
        // nothing new if the schema has already found the reason inside
        let known = findings.iter().any(|finding| finding.path.starts_with(&path));
        let finding = Finding::new(find(root, &path).0.span, path, message).mend(Mend::Remove);
        let finding = Finding { hint: hint.map(str::to_owned), ..finding };
        let mended = mend(root, &finding);
        if !known {
            findings.push(finding);
        }
        if !mended {
            return None;
        }
    }
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

/// Applies `path=value` to the document.
fn overlay(root: &mut Node, source: usize, text: &str, findings: &mut Vec<Finding>) -> Result<(), Box<Finding>> {
    let span = Span { source, line: 1, column: 1, width: 1 };
    let refuse = |message: &str, hint: &str| Box::new(Finding::new(span, "", message).hint(hint));
    let (path, value) = text.split_once('=').ok_or_else(|| refuse("not a setting", "write it as key.key=value"))?;
    let segments = segments(path).ok_or_else(|| refuse("not a path", "write it as key.key[0].key=value"))?;
    let value = parse(source, value, findings)?
        .ok_or_else(|| refuse("nothing after the `=`", "write '\"\"' for an empty text, or null to remove the key"))?;
    set(root, &segments, value, span, "")
}

fn set(node: &mut Node, segments: &[Segment], value: Node, span: Span, path: &str) -> Result<(), Box<Finding>> {
    let Some((segment, rest)) = segments.split_first() else {
        merge(node, value);
        return Ok(());
    };
    // a part that does not exist yet becomes what the next part of the path needs
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
                return Err(Finding::new(span, path, format!("there is no item {index}: the list has {}", items.len())).into());
            }
            if *index == items.len() {
                items.push(empty);
            }
            set(&mut items[*index], rest, value, span, &format!("{path}[{index}]"))
        }
        (Segment::Key(_), _) => Err(Finding::new(span, path, "not a mapping, nothing can be set in it").into()),
        (Segment::Index(_), _) => Err(Finding::new(span, path, "not a list, it has no items").into()),
    }
}
