//! The real binary without Docker: what a user sees of help, plans and mistakes, and which exit code a script gets. Snapshots
//! contain exit code, stdout and stderr in full; times, paths and ids are replaced by placeholders.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod away;
mod delivery;
mod documents;
mod engine;
mod help;
mod init;
mod inputs;
mod plans;
mod stop;
mod which;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use engine::Engine;

struct Ran {
    args: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(args: &[&str], output: Output) -> Ran {
        let Output { status, stdout, stderr } = output;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { args: args.join(" "), code: status.code(), out: text(stdout), err: text(stderr) }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }

    #[track_caller]
    fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "hearth {}\n{}\n{}", self.args, self.out, self.err);
        self
    }
}

/// A test's own place: state, cache, working directory, and an engine if the test needs one.
struct Place {
    folder: tempfile::TempDir,
    work: PathBuf,
    engine: Option<Engine>,
}

impl Place {
    /// Uses the repository as working directory, in which there is no `hearth.yaml`, and no engine.
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        Place { folder, work: env!("CARGO_MANIFEST_DIR").into(), engine: None }
    }

    /// Uses an empty folder as working directory, and an empty engine.
    fn with_empty_engine() -> Place {
        Place::with_engine(|socket| Engine::serve(socket, engine::current))
    }

    /// Uses an empty folder as working directory, and an engine that was stopped.
    fn with_stopped_engine() -> Place {
        Place::with_engine(Engine::stopped)
    }

    fn with_engine(engine: impl FnOnce(&Path) -> Engine) -> Place {
        let place = Place::new();
        let work = place.path("work");
        std::fs::create_dir(&work).unwrap();
        let engine = engine(&place.path("docker.sock"));
        Place { work, engine: Some(engine), ..place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the working directory; returns its name.
    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.work.join(name), text).unwrap();
        name.to_owned()
    }

    /// Makes a cluster known, as an `up` of this profile would.
    fn keep(&self, name: &str, profile: &str) {
        let ran = self.hearth(&["validate", "-f", &repository(profile), "--name", name, "-o", "json"]).expect(0);
        let state = self.path("hearth").join(name);
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("profile.json"), format!("{{\"version\": 1, \"profile\": {}}}", ran.out)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let socket = match self.engine {
            Some(_) => self.path("docker.sock").display().to_string(),
            None => "/nowhere/docker.sock".to_owned(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(args).stdin(Stdio::null()).current_dir(&self.work);
        command.env("XDG_STATE_HOME", self.folder.path()).env("XDG_CACHE_HOME", self.folder.path());
        command.env("KUBECONFIG", self.path("kubeconfig")).env("DOCKER_HOST", format!("unix://{socket}"));
        command.env_remove("HEARTH_BUNDLE");
        command
    }

    fn hearth(&self, args: &[&str]) -> Ran {
        Ran::of(args, self.command(args).output().unwrap())
    }

    /// Runs it and compares everything it did with a snapshot.
    #[track_caller]
    fn snapshot(&self, name: &str, args: &[&str]) {
        self.compare(name, self.hearth(args));
    }

    /// Compares everything that a run did with a snapshot.
    #[track_caller]
    fn compare(&self, name: &str, ran: Ran) {
        let Ran { args, code, out, err } = ran;
        let code = code.map_or("killed".to_owned(), |code| code.to_string());
        let err = in_any_order(&err);
        let text = format!("$ hearth {args}\nexit code {code}\n----- stdout -----\n{out}----- stderr -----\n{err}");
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
        for (pattern, named) in [
            (self.folder.path().to_str().unwrap(), "[PLACE]"),
            (env!("CARGO_MANIFEST_DIR"), "[REPOSITORY]"),
            (r"\d{8}-\d{6}-[a-z0-9]{4}", "[RUN]"),
            (r"\d+\.\d s", "[TIME]"),
            (r"process \d+", "process [ID]"),
        ] {
            settings.add_filter(pattern, named);
        }
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// Steps that run side by side end in any order, so their lines are sorted.
fn in_any_order(err: &str) -> String {
    let mut lines: Vec<&str> = err.lines().collect();
    let done = |line: &&str| line.starts_with('✓');
    if let (Some(first), Some(last)) = (lines.iter().position(done), lines.iter().rposition(done)) {
        lines[first..=last].sort_unstable();
    }
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

fn repository(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

fn hearth(args: &[&str]) -> Ran {
    Place::new().hearth(args)
}

/// Validates a profile given as text.
fn validate(profile: &str) -> Ran {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), profile).unwrap();
    hearth(&["validate", "-f", file.path().to_str().unwrap()])
}

#[test]
fn starter_profiles_are_valid() {
    for name in ["quick", "minimal", "homelab", "before-after"] {
        let ran = hearth(&["validate", "-f", &format!("profiles/{name}.yaml")]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.err);
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let ran = validate(
        "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {name: x}\nspec:\n  kubernets: {}\n  provider:\n    docker: {nodes: {workers: two}}\n",
    );
    assert_eq!(ran.code, Some(10), "{}", ran.err);
    assert!(ran.err.contains(":5:3"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `kubernetes`"), "{}", ran.err);
    assert!(ran.err.contains(":7:"), "{}", ran.err);
    assert!(ran.err.contains("2 problems"), "{}", ran.err);
}

/// A key that is missing and a word that is none do not hide what is wrong with the rest.
#[test]
fn what_contradicts_the_rest_is_told_beside_what_is_missing() {
    let head = "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {name: x}\nspec:\n";
    let ran = validate(&format!(
        "{head}  kubernetes: {{podSubnet: 10.96.0.0/16}}\n  network: {{cni: route}}\n  components: {{istio: {{}}}}\n"
    ));
    assert_eq!(ran.code, Some(10), "{}", ran.err);
    for told in ["spec.provider: missing key", "did you mean `routed`", "overlap", "metallb is not installed", "4 problems in"] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
}

#[test]
fn overlapping_subnets_are_refused() {
    let ran = validate(
        "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {name: x}\nspec:\n  kubernetes: {podSubnet: 10.96.0.0/16}\n  provider: {docker: {}}\n",
    );
    assert_eq!(ran.code, Some(10));
    assert!(ran.err.contains("overlap"), "{}", ran.err);
}

#[test]
fn a_plan_needs_nobody_and_little_time() {
    let started = Instant::now();
    let ran = hearth(&["plan", "--offline", "-f", "profiles/quick.yaml", "-o", "json"]);
    let took = started.elapsed();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let plan: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let step = |id: &str| steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}"));
    assert_eq!(step("node/quick-worker")["target"], "quick-worker");
    assert!(step("connectivity")["after"].as_array().unwrap().iter().any(|id| id == "gateway"));
    // generous for a busy machine: it takes about 10 ms
    assert!(took.as_millis() < 500, "{took:?}");
}

#[test]
fn the_graph_is_drawn() {
    let ran = hearth(&["plan", "--dot", "-f", "profiles/minimal.yaml"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.starts_with("digraph"), "{}", ran.out);
    assert!(
        ran.out.contains("\"control-plane\" -> \"node/minimal-control-plane\"")
            || ran.out.contains("\"node/minimal-control-plane\" ->")
    );
}

#[test]
fn no_docker_has_its_own_exit_code() {
    let ran = hearth(&["up", "-f", "profiles/minimal.yaml", "--yes"]);
    assert_eq!(ran.code, Some(30), "{}", ran.err);
    assert!(ran.err.contains("nowhere/docker.sock"), "{}", ran.err);
}

/// An engine that claims to be from 2019; only its answers are made up.
#[test]
fn an_engine_that_is_too_old_is_refused() {
    let mut place = Place::new();
    place.engine = Some(Engine::serve(&place.path("docker.sock"), engine::ancient));
    let ran = place.hearth(&["up", "-f", "profiles/quick.yaml", "--yes"]).expect(30);
    assert!(ran.err.contains("19.03.15") && ran.err.contains("20.10"), "{}", ran.err);
    assert!(!place.path("hearth").exists(), "nothing was written");
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let ran = hearth(&["down", "--name", "nobody"]);
    assert_eq!(ran.code, Some(30), "no engine to look at: {}", ran.err);
    let ran = hearth(&["frobnicate"]);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn hosts_that_cannot_be_reached_are_named_all_at_once() {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    // addresses reserved for documentation (RFC 5737): nobody has them
    let profile = "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {name: away}\nspec:\n  provider:\n    ssh:\n      user: root\n      \
                   port: 1\n      hostKeys: tofu\n      hosts:\n        - {name: n1, address: 192.0.2.1, role: control-plane}\n        \
                   - {name: n2, address: 192.0.2.2, role: worker}\n";
    std::fs::write(file.path(), profile).unwrap();
    let ran = hearth(&["up", "-f", file.path().to_str().unwrap(), "--yes"]);
    assert_eq!(ran.code, Some(50), "{}", ran.err);
    assert!(ran.err.contains("`n1`") && ran.err.contains("`n2`"), "{}", ran.err);
}

#[test]
fn schemas_completions_and_versions_are_printed() {
    for of in ["profile", "scenario", "comparison", "comparison-result"] {
        let schema: serde_json::Value = serde_json::from_str(&hearth(&["schema", of]).out).unwrap();
        assert_eq!(schema["type"], "object", "{of}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(hearth(&["completions", shell]).out.contains("hearth"), "{shell}");
    }
    assert!(hearth(&["version"]).out.starts_with("hearth "));
}

#[test]
fn what_cannot_be_compared_is_refused_before_the_first_request() {
    let compare = |arms: [&str; 2], more: &[&str]| {
        let arms = ["compare", "--arm", arms[0], "--arm", arms[1]];
        hearth(&arms.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let told = |ran: Ran, code: i32, words: &str| {
        assert_eq!(ran.code, Some(code), "{}", ran.err);
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    };
    let (a, b) = ("a=http://127.0.0.1:9/", "b=http://127.0.0.1:10/");
    told(compare([a, "b=http://127.0.0.1:9/"], &[]), 2, "both arms are the same address");
    told(compare([a, "b=https://127.0.0.1/"], &[]), 2, "https is not measured");
    told(compare([a, b], &["--windows", "3"]), 2, "6 are the fewest");
    told(compare([a, b], &["--metric", "p99", "--rate", "5", "--quick"]), 2, "leave out quick");
    told(compare([a, b], &["--metric", "p95"]), 2, "is no metric");
    told(compare([a, b], &["--margin", "0.5"]), 2, "is not a margin");
    told(hearth(&["compare"]), 2, "--arm");
    // nothing listens on the discard port
    let ran = compare([a, b], &["--quick", "-o", "json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, error["error"]["code"].as_u64()), (Some(70), Some(70)), "{}", ran.err);
    assert!(error["error"]["message"].as_str().unwrap().contains("arm `a` does not answer"), "{error}");
}

/// No scenario is no success.
#[test]
fn a_folder_without_scenarios_is_refused_and_yml_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let none = hearth(&["test", path, "--name", "nobody"]);
    assert_eq!(none.code, Some(2), "{}", none.err);
    assert!(none.err.contains("no scenario in"), "{}", none.err);
    std::fs::write(folder.path().join("a.yml"), "kind: Nonsense\n").unwrap();
    let read = hearth(&["test", path, "--name", "nobody"]);
    assert_eq!(read.code, Some(10), "{}", read.err);
    assert!(read.err.contains("a.yml"), "{}", read.err);
}

/// An engine elsewhere decides whether the cluster can be used from here: that is said before the question, and unasked.
#[test]
fn warnings_that_decide_are_shown() {
    let place = Place::with_empty_engine();
    let images = place.path("bundle/images");
    std::fs::create_dir_all(&images).unwrap();
    let manifest = br#"[{"RepoTags": ["kindest/node:v1.36.4"]}]"#;
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    let mut archive = tar::Builder::new(std::fs::File::create(images.join("node.tar")).unwrap());
    archive.append_data(&mut header, "manifest.json", &manifest[..]).unwrap();
    archive.finish().unwrap();
    let bundle = place.path("bundle").display().to_string();
    let ran = place.hearth(&["up", "-f", &repository("profiles/minimal.yaml"), "--bundle", &bundle]);
    assert!(ran.err.contains("! engine-elsewhere") && ran.err.contains("--yes"), "{}", ran.err);
}
