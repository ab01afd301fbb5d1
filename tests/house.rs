//! Checks the structure of the source: which room may use which, and how large a file or a function may get.
//!
//! A room is a folder of `src/` or a file beside `lib.rs`. The table is in reading order: a room uses only rooms above it, so
//! there can be no cycle. Adding a room or an arrow is a change of design: do it here, knowingly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room with the rooms it may use, in an order in which none uses a later one.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("file", &[]),
    ("decision", &[]),
    ("look", &["error"]),
    ("progress", &["error"]),
    ("statistics", &[]),
    ("quantity", &[]),
    ("yaml", &["error"]),
    ("input", &["error", "yaml"]),
    ("profile", &["error", "file", "input", "yaml"]),
    ("state", &["error"]),
    ("artifact", &["error", "file", "profile", "progress"]),
    ("load", &["error"]),
    ("provider", &["artifact", "decision", "error", "file", "look", "profile", "progress", "quantity"]),
    ("cluster", &["error", "file", "look", "profile", "progress", "provider", "yaml"]),
    ("components", &["artifact", "decision", "error", "profile", "progress", "yaml"]),
    ("graph", &["error"]),
    ("event", &["graph", "progress"]),
    ("journal", &["error", "file", "graph"]),
    ("engine", &["error", "event", "graph", "journal", "progress"]),
    (
        "steps",
        &[
            "artifact",
            "cluster",
            "components",
            "decision",
            "engine",
            "error",
            "graph",
            "profile",
            "progress",
            "provider",
            "quantity",
            "state",
            "yaml",
        ],
    ),
    ("plan", &["artifact", "cluster", "components", "decision", "error", "graph", "profile", "provider", "steps"]),
    ("scenario", &["cluster", "error", "event", "input", "journal", "load", "provider", "quantity", "statistics"]),
    ("compare", &["error", "event", "input", "load", "quantity", "statistics"]),
    ("report", &["compare", "error", "file", "load", "scenario", "statistics"]),
    ("doctor", &["components", "error", "profile", "provider", "state"]),
    ("ui", &["error", "event", "graph"]),
    ("was", &["error"]),
    (
        "cli",
        &[
            "artifact",
            "cluster",
            "compare",
            "components",
            "doctor",
            "engine",
            "error",
            "event",
            "file",
            "graph",
            "input",
            "journal",
            "plan",
            "profile",
            "provider",
            "quantity",
            "report",
            "scenario",
            "state",
            "steps",
            "ui",
            "was",
            "yaml",
        ],
    ),
];

/// A file is one concept; beyond this length it is two.
const LONGEST_FILE: usize = 500;

/// A function is one thought; beyond this length it is two.
const LONGEST_FUNCTION: usize = 60;

/// Tables written as functions: each row is a line, and splitting them would help nobody.
const TABLES: &[&str] = &["src/doctor/machines.rs all", "src/plan/build.rs up"];

fn sources(root: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::from(root)]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The room that a file belongs to; none for `main.rs` and `lib.rs`.
fn room(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("src").expect("below src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    Some(first.trim_end_matches(".rs").to_owned()).filter(|room| !["main", "lib"].contains(&room.as_str()))
}

/// Code without its comments; strings are kept.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

/// The rooms that a text uses through `crate::`, also in braces.
fn used(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for rest in code(text).split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(group) => top_level(group),
            None => vec![rest],
        };
        for name in names {
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            rooms.insert(name[..end].to_owned());
        }
    }
    rooms
}

/// The parts of a `{a, b::{c, d}}` group, without its opening brace.
fn top_level(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(group[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[test]
fn no_arrow_runs_back_up() {
    for (at, (room, uses)) in ARROWS.iter().enumerate() {
        for used in *uses {
            let above = ARROWS[..at].iter().any(|(name, _)| name == used);
            assert!(above, "{room} may not use {used}: it does not stand above it in the table");
        }
    }
}

#[test]
fn every_arrow_is_in_the_table_and_every_one_there_is_used() {
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for path in sources("src") {
        let Some(room) = room(&path) else { continue };
        let text = std::fs::read_to_string(&path).expect("readable");
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{} stands in a room that is not in the table", path.display()));
            continue;
        };
        for other in used(&text).into_iter().filter(|other| *other != room) {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{}: {room} uses {other}", path.display()));
            }
            drawn.entry(room.clone()).or_default().insert(other);
        }
    }
    for (room, allowed) in ARROWS {
        for other in *allowed {
            if !drawn.get(*room).is_some_and(|uses| uses.contains(*other)) {
                wrong.push(format!("nothing in {room} uses {other} any more: take the arrow away"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How many lines outside the rooms of providers and profiles may name a particular provider. The steps of one provider are its
/// own: they get at it with `?`, and are in no plan of another.
const MOST_PROVIDERS: usize = 10;

#[test]
fn few_ask_which_provider_it_is_and_all_by_exhaustive_matches() {
    let accessors = [".docker()", ".machines()"];
    let names = ["Provider::Docker", "Provider::Ssh", "AnyProvider::Docker", "AnyProvider::Ssh", "DockerProvider", "SshProvider"];
    let mut asking = Vec::new();
    for path in sources("src") {
        let elsewhere = room(&path).is_some_and(|room| !["provider", "profile"].contains(&room.as_str()));
        if !elsewhere || path.ends_with("tests.rs") {
            continue;
        }
        let text = code(&std::fs::read_to_string(&path).expect("readable"));
        let own = ["src/steps/docker", "src/steps/machine"].iter().any(|steps| path.starts_with(steps));
        let asks = |line: &str| accessors.iter().any(|name| line.contains(name) && !(own && line.contains(&format!("{name}?"))));
        let lines = text.lines().filter(|line| names.iter().any(|name| line.contains(name)) || asks(line));
        asking.extend(lines.map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    let lenient = |line: &&String| {
        ["if let ", "let else", " else {", "matches!(", ".ok()", ".is_ok()", ".map("].iter().any(|form| line.contains(form))
    };
    assert_eq!(asking.iter().filter(lenient).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(asking.len() <= MOST_PROVIDERS, "{}", asking.join("\n"));
}

#[test]
fn files_and_functions_are_short() {
    let mut wrong = Vec::new();
    for path in sources("src").into_iter().chain(sources("tests")) {
        let text = std::fs::read_to_string(&path).expect("readable");
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > LONGEST_FILE {
            wrong.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        // a test on a shared cluster is a sequence, however long
        let functions = if path.starts_with("src") { &lines[..] } else { &[] };
        for (at, line) in functions.iter().enumerate() {
            let body = line.trim_start();
            let Some((_, rest)) = body.split_once("fn ").filter(|(before, _)| {
                before
                    .split_whitespace()
                    .all(|word| ["pub", "async", "const", "unsafe"].contains(&word) || word.starts_with("pub("))
            }) else {
                continue;
            };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // rustfmt closes a function at the indentation it was opened with
            let close = format!("{}}}", " ".repeat(line.len() - body.len()));
            let length = lines[at..].iter().position(|line| **line == close).map_or(0, |end| end + 1);
            // a declaration in a trait has no body, even if it takes several lines
            let first_end = lines[at..].iter().find(|line| line.ends_with(['{', '}', ';']));
            let one_line = first_end.is_some_and(|line| !line.ends_with('{'));
            if !one_line && length > LONGEST_FUNCTION && !TABLES.contains(&format!("{} {name}", path.display()).as_str()) {
                wrong.push(format!("{} {name}: {length} lines", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
