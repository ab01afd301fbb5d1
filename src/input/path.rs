//! Paths into a document: `spec.provider.ssh.hosts[1].name`.

use super::tree::{Finding, Kind, Mend, Node};

/// Appends a key to a path: `spec` and `provider` make `spec.provider`.
pub(super) fn child(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Whether a path is another one, or leads further into it.
pub fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// One step of a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// `a.b[0]` as key, key, index; none when it is not a path.
pub(super) fn segments(path: &str) -> Option<Vec<Segment<'_>>> {
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

/// The node at a path and true, or the nearest one around it and false.
pub(super) fn find<'a>(root: &'a Node, path: &str) -> (&'a Node, bool) {
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

/// Applies the correction of a finding, to find more problems; false if that is not possible.
pub(super) fn mend(root: &mut Node, finding: &Finding) -> bool {
    let Some(segments) = segments(&finding.path) else { return false };
    let Some((Segment::Key(key), parents)) = segments.split_last() else { return false };
    let parent = parents.iter().try_fold(root, |node, segment| match (segment, &mut node.kind) {
        (Segment::Key(key), Kind::Map(entries)) => {
            entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)
        }
        (Segment::Index(index), Kind::List(items)) => items.get_mut(*index),
        _ => None,
    });
    let Some(Node { kind: Kind::Map(entries), .. }) = parent else { return false };
    let Some(at) = entries.iter().position(|entry| entry.key == *key) else { return false };
    match &finding.mend {
        Mend::Leave => return false,
        Mend::Remove => drop(entries.remove(at)),
        Mend::Rename(meant) => entries[at].key = meant.clone(),
    }
    true
}
