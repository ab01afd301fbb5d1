//! The real binary without Docker: what a user sees of mistakes, and which exit code a script gets.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::{Command, Output};
use std::time::Instant;

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn hearth(args: &[&str]) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(args)
        .env("XDG_STATE_HOME", state.path())
        .env("XDG_CACHE_HOME", state.path())
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .env_remove("HEARTH_BUNDLE")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// Validates a profile given as text.
fn validate(profile: &str) -> Ran {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), profile).unwrap();
    hearth(&["validate", "-f", file.path().to_str().unwrap()])
}

#[test]
fn starter_profiles_are_valid() {
    for name in ["quick", "minimal", "homelab"] {
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

/// An engine that says it is from 2019; what it answers is all that is made up here.
#[test]
fn an_engine_that_is_too_old_is_refused() {
    use std::io::{Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _asked = stream.read(&mut request).unwrap();
            let body = r#"{"Version": "19.03.15", "ApiVersion": "1.40", "MinAPIVersion": "1.12"}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
            write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    });
    let state = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["up", "-f", "profiles/quick.yaml", "--yes"])
        .env("XDG_STATE_HOME", state.path())
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(30), "{said}");
    assert!(said.contains("19.03.15") && said.contains("20.10"), "{said}");
    assert!(std::fs::read_dir(state.path()).unwrap().next().is_none(), "nothing was written");
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
    // addresses of documentation (RFC 5737): nobody has them
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
    assert_eq!((ran.code, error["code"].as_u64()), (Some(70), Some(70)), "{}", ran.err);
    assert!(error["error"].as_str().unwrap().contains("arm `a` does not answer"), "{error}");
}

#[test]
fn init_writes_a_valid_profile_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    let path = path.to_str().unwrap();
    assert_eq!(hearth(&["init", path, "--name", "mine"]).code, Some(0));
    let ran = hearth(&["validate", "-f", path, "-o", "json"]);
    let profile: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(profile["name"], "mine");
    let again = hearth(&["init", path]);
    assert_eq!(again.code, Some(20), "{}", again.err);
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
