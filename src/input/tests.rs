//! Strict loading into a type with every shape that schemars generates for plain Rust.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
struct File {
    /// What it is called. Not shown.
    name: String,
    count: Option<u32>,
    ratio: Option<f64>,
    enabled: Option<bool>,
    #[schemars(range(min = 1, max = 5))]
    level: Option<u8>,
    mode: Option<Mode>,
    action: Option<Action>,
    probe: Option<Probe>,
    pool: Option<Pool>,
    nested: Option<Nested>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, u32>,
    wait: Option<Wait>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Documented.
    FastOne,
    Slow,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
enum Action {
    PodKill { app: String },
    Delay(Nested),
    Nothing,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
enum Probe {
    Http { path: String },
    Tcp { port: u16 },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Pool {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Nested {
    deep: u32,
}

/// Refuses what its schema cannot express.
#[derive(Debug, JsonSchema)]
#[schemars(with = "String")]
struct Wait;

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.ends_with('s') { Ok(Wait) } else { Err(serde::de::Error::custom("a duration needs a unit")) }
    }
}

fn problems(text: &str) -> Vec<String> {
    let problems = load::<File>("f.yaml", text).expect_err("refused");
    let one = |p: &Problem| {
        let hint = p.hint.as_ref().map(|hint| format!(" [{hint}]")).unwrap_or_default();
        format!("{}:{} {}: {}{hint}", p.location.line, p.location.column, p.path, p.message)
    };
    problems.iter().map(one).collect()
}

fn problem(line: &str) -> String {
    let mut all = problems(&format!("name: x\n{line}\n"));
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_right_file_becomes_the_value_and_its_places() {
    let text = "name: x\naction: {podKill: {app: was}}\nprobe: {type: tcp, port: 80}\npool: [1, 2]\nlabels: {a: 1}\nwait: 3s\nmode: fast-one\n";
    let file = load::<File>("f.yaml", text).expect("valid");
    assert!(matches!(&file.value.action, Some(Action::PodKill { app }) if app == "was"));
    assert!(matches!(&file.value.pool, Some(Pool::Many(ports)) if *ports == [1, 2]));
    assert_eq!(file.locate("action.podKill.app").to_string(), "f.yaml:2:25");
    assert_eq!(file.locate("pool[1]").to_string(), "f.yaml:4:11");
    assert_eq!(file.locate("action.podKill.absent").to_string(), "f.yaml:2:10", "the nearest thing around it");
    assert!(file.find("action.podKill.absent").is_none() && file.find("probe.port").is_some());
    assert!(load::<File>("f.yaml", "name: x\naction: nothing\n").is_ok());
}

#[test]
fn wrong_types_say_how_to_write_it_right() {
    let cases = [
        ("name: 1.30", "2:7 name: expected a string, found the number 1.30 [quote it: \"1.30\"]"),
        ("count: '3'", "2:8 count: expected an integer, found the string \"3\" [write 3 without quotes]"),
        ("count: 3.0", "2:8 count: expected an integer, found the number 3.0 [write 3]"),
        ("count: 0644", "2:8 count: expected an integer, found the string \"0644\""),
        ("enabled: yes", "2:10 enabled: expected true or false, found the string \"yes\" [write true]"),
        ("tags: a", "2:7 tags: expected a list, found the string \"a\" [write [a]]"),
        ("tags: [a, 1]", "2:11 tags[1]: expected a string, found the number 1 [quote it: \"1\"]"),
        ("nested:", "2:1 nested: expected a mapping, found nothing [write `{}` for the defaults, or remove the key]"),
        ("nested: null", "2:9 nested: expected a mapping, found nothing [write `{}` for the defaults, or remove the key]"),
        ("count:", "2:1 count: expected an integer, found nothing [give it a value, or remove the key]"),
        ("labels: {a: x}", "2:13 labels.a: expected an integer, found the string \"x\""),
        ("level: 9", "2:8 level: 9 is not between 1 and 5"),
        ("count: -1", "2:8 count: -1 is below 0"),
        ("count: 5000000000", "2:8 count: invalid value: integer `5000000000`, expected u32"),
        ("ratio: .inf", "2:8 ratio: expected a number, found the string \".inf\""),
        ("wait: 3", "2:7 wait: expected a string, found the number 3 [quote it: \"3\"]"),
        ("wait: 3m", "2:7 wait: a duration needs a unit"),
    ];
    for (line, expected) in cases {
        let text = if line.starts_with("name") { format!("count: 1\n{line}\n") } else { format!("name: x\n{line}\n") };
        assert_eq!(problems(&text), [expected]);
    }
}

#[test]
fn what_only_the_type_refuses_comes_with_the_rest() {
    let found = problems("name: x\ncuont: y\nwait: 3m\npool: [1, x]\n");
    assert_eq!(
        found,
        [
            "2:1 cuont: unknown key [did you mean `count`?]",
            "2:8 cuont: expected an integer, found the string \"y\"",
            "3:7 wait: a duration needs a unit",
            "4:11 pool[1]: expected an integer, found the string \"x\"",
        ]
    );
}

#[test]
fn words_and_keys_find_what_was_meant() {
    assert_eq!(problem("mode: fastone"), "2:7 mode: `fastone` is not `slow` or `fast-one` [did you mean `fast-one`?]");
    assert_eq!(problem("cuont: 1"), "2:1 cuont: unknown key [did you mean `count`?]");
    assert_eq!(problem("deep: 1"), "2:1 deep: unknown key [did you mean `nested.deep`?]");
    assert_eq!(problem("nested: {deeep: 1}"), "2:10 nested.deeep: unknown key [did you mean `deep`?]");
    assert_eq!(problem("nested: {}"), "2:1 nested.deep: missing key");
    assert_eq!(problems("count: 1\n"), ["1:1 name: missing key [What it is called]"]);
    assert_eq!(problems("[1, 2]"), ["1:1 : expected a mapping, found a list"]);
}

#[test]
fn choices_report_the_shape_that_was_meant() {
    assert_eq!(problem("action: {podkill: {app: a}}"), "2:10 action.podkill: unknown key [did you mean `podKill`?]");
    assert_eq!(problem("action: {podKill: {ap: a}}"), "2:20 action.podKill.ap: unknown key [did you mean `app`?]");
    assert_eq!(problem("action: {delay: {deep: x}}"), "2:24 action.delay.deep: expected an integer, found the string \"x\"");
    assert_eq!(problem("action: noting"), "2:9 action: `noting` is not `nothing`");
    assert_eq!(problem("action: {}"), "2:1 action: exactly one of `podKill` or `delay` is needed, there is none");
    assert_eq!(
        problem("action: {podKill: {app: a}, delay: {deep: 1}}"),
        "2:1 action: only one of `podKill` or `delay` can be used, there are 2"
    );
    assert_eq!(problem("probe: {type: tpc, port: 1}"), "2:15 probe.type: `tpc` is not `http` or `tcp` [did you mean `tcp`?]");
    assert_eq!(problem("probe: {port: 1}"), "2:1 probe.type: missing key [it is `http` or `tcp`]");
    assert_eq!(problem("probe: {type: tcp, port: 70000}"), "2:26 probe.port: 70000 is not between 0 and 65535");
    assert_eq!(problem("pool: [1, x]"), "2:11 pool[1]: expected an integer, found the string \"x\"");
    assert_eq!(problem("pool: {a: 1}"), "2:1 pool: expected an integer or a list, found a mapping");
}

#[test]
fn all_problems_come_at_once_and_in_order() {
    let found = problems("tags: 1\ncount: x\ncount: 2\nnested: {depp: 1, deep: y}\n");
    assert_eq!(
        found,
        [
            "1:1 name: missing key [What it is called]",
            "1:7 tags: expected a list, found the number 1 [write [1]]",
            "2:8 count: expected an integer, found the string \"x\"",
            "3:1 count: duplicate key [it is already on line 2]",
            "4:10 nested.depp: unknown key [known here: deep]",
            "4:25 nested.deep: expected an integer, found the string \"y\"",
        ]
    );
}

fn layered(files: &[&str], overrides: &[&str]) -> Result<Located<File>, Problems> {
    let layer = |(i, text): (usize, &&str)| Layer { name: format!("{i}.yaml"), text: (*text).to_owned() };
    let layers: Vec<Layer> = files.iter().enumerate().map(layer).collect();
    load_layers(&layers, &overrides.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

#[test]
fn later_layers_win_and_keep_their_places() {
    let file = layered(
        &["name: a\nlabels: {a: 1, b: 2}\ntags: [x]\nmode: slow\n", "labels:\n  b: 3\ntags: [y, z]\nmode: null\n"],
        &["name=c", "tags[2]=w"],
    );
    let file = file.expect("valid");
    assert_eq!(file.value.labels, BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 3)]));
    assert_eq!(file.value.tags, ["y", "z", "w"]);
    assert_eq!(file.value.name, "c");
    assert!(file.value.mode.is_none(), "null removes");
    assert_eq!(file.locate("labels.a").to_string(), "0.yaml:2:13");
    assert_eq!(file.locate("labels.b").to_string(), "1.yaml:2:6");
    assert_eq!(file.locate("name").to_string(), "--set name=c");
    assert_eq!(file.locate("tags[2]").to_string(), "--set tags[2]=w");
}

#[test]
fn overrides_make_what_is_missing_and_refuse_what_cannot_be() {
    let file = layered(&["name: a\n"], &["nested.deep=4", "tags=[a, b]", "action={podKill: {app: was}}"]).expect("valid");
    assert_eq!(file.value.nested.map(|nested| nested.deep), Some(4));
    assert_eq!(file.value.tags.len(), 2);
    let cases = [
        ("count", "--set count: not a setting\n  = write it as key.key=value\n"),
        ("=1", "--set =1: not a path\n  = write it as key.key[0].key=value\n"),
        ("count=", "--set count=: nothing after the `=`\n  = write '\"\"' for an empty text, or null to remove the key\n"),
        ("count=x", "--set count=x: count: expected an integer, found the string \"x\"\n"),
        ("name.first=x", "--set name.first=x: name: not a mapping, nothing can be set in it\n"),
        ("tags[3]=x", "--set tags[3]=x: tags: there is no item 3: the list has 0\n"),
        (
            "nam=x",
            "--set nam=x: nam: unknown key\n  = known here: name, count, ratio, enabled, level, mode, action, probe, pool, nested, tags, labels, wait\n",
        ),
    ];
    for (setting, expected) in cases {
        let problems = layered(&["name: a\n"], &[setting]).expect_err("refused");
        assert_eq!(problems.to_string(), format!("{expected}\n1 problem in --set {setting}"));
    }
}

#[test]
fn problems_are_shown_like_a_compiler_shows_them() {
    let problems = load::<File>("f.yaml", "# a\nname: x\nnested:\n\tdeep: 1\n").expect_err("tabs");
    assert_eq!(
        problems.to_string(),
        "f.yaml:4:2: tabs disallowed within this context (block indentation)\n  |\n4 | \tdeep: 1\n  | \t^ indent with spaces\n\n1 problem in f.yaml"
    );
    let json = serde_json::to_value(&problems).expect("serialisable");
    assert_eq!(json[0]["line"], 4);
    assert_eq!(json[0]["file"], "f.yaml");
    let empty = load::<File>("f.yaml", "# nothing\n---\n").expect_err("empty");
    assert!(empty.to_string().contains("there is nothing in this file"), "{empty}");
}
