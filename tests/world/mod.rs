//! Shared by end-to-end tests: a separate place in which to run the real binary, and ways to look at the world.

#![allow(dead_code)] // each test program uses its own part

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A test's own place: state and kubeconfig; the cache is shared, so that archives are packed once.
pub struct World {
    pub folder: tempfile::TempDir,
    pub before: String,
}

/// In a journal: a step is done, or is undone.
pub const APPLIED: &str = "\"phase\":\"applied\"";
pub const UNDONE: &str = "\"phase\":\"undone\"";

pub struct Ran {
    pub args: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Compares everything a user saw with a snapshot, except what differs from machine to machine and from run to run.
    #[track_caller]
    pub fn seen(self, name: &str) -> Ran {
        let code = self.code.map_or("killed".to_owned(), |code| code.to_string());
        let (out, err) = (lasting(&self.out), lasting(&self.err));
        let text = format!("$ hearth {}\nexit code {code}\n----- stdout -----\n{out}----- stderr -----\n{err}", self.args);
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
        for (pattern, named) in REDACTED {
            settings.add_filter(pattern, *named);
        }
        settings.bind(|| insta::assert_snapshot!(name, text));
        self
    }
}

/// What differs from run to run, and its placeholder.
const REDACTED: &[(&str, &str)] = &[
    (env!("CARGO_MANIFEST_DIR"), "[REPOSITORY]"),
    (r"/tmp/\.tmp[A-Za-z0-9]+", "[PLACE]"),
    (r"\d{8}-\d{6}-[a-z0-9]{4}", "[RUN]"),
    (r"\b[0-9a-f]{64}\b", "[VOLUME]"),
    (r"(API port: |127\.0\.0\.1:)\d{4,}", "$1[PORT]"),
    (r"\d+\.\d+\.\d+\.\d+(/\d+)?", "[ADDRESS]"),
    (r"(was|web|scratch|istiod|istio-ingressgateway)-[0-9a-f]{6,10}-[a-z0-9]{5}", "$1-[POD]"),
    (r"Exited \(\d+\) .* ago", "Exited [TIME] ago"),
    (r"Up (\d+|About|Less).*(second|minute|hour)s?", "Up [TIME]"),
    (r"\d+ min \d{1,2} s\b", "[TIME]"),
    (r"\d+(\.\d+)?[ \u{202f}](ms|s|min|µs)\b", "[TIME]"),
    (r"\d+ done(, \d+ already as wanted)?(, \d+ not started)?", "[N] done"),
    (r"of a \d+", "of a [N]"),
    // columns are as wide as their addresses
    (r"\[ADDRESS\] +", "[ADDRESS] "),
    (r"address +state", "address state"),
    (r"none of [\d,]+ requests failed; [\d,]+ were", "none of [N] requests failed; [N] were"),
    // what the network makes of a machine that is off
    (r"caused by: (No route to host \(os error 113\)|connection timed out)", "caused by: [NO ANSWER]"),
    // the first decision bears the heading, and which is the first depends on what was there already
    (r"(?m)^  decided  ", "           "),
    // what a doctor notes of the machine, and needs nothing done
    (r"(?m)^· .*\n(?: .*\n)*", ""),
];

/// The lines that every run has, without those about what takes long, which attempts failed, and what an engine already had.
/// Steps that run side by side end in any order, so their lines are sorted.
fn lasting(text: &str) -> String {
    let differs = |line: &str| {
        // what was already there, what a look may find satisfied, and what a failure leaves running
        const ANY: [&str; 11] = [
            "image",
            "Copy `",
            "Docker network",
            "fetch",
            "  Wait for ",
            "  See that ",
            "Starting nothing new",
            // when the requests of a scenario failed
            "    failed  ",
            "    faults  ",
            // known before the run if the network already exists
            "for load balancers",
            "address of the gateway",
        ];
        let had_already = ANY.iter().any(|what| line.contains(what));
        // why something was refused or failed is the point
        let had_already = had_already && !line.starts_with('✗');
        line.starts_with(['…', '!']) || line.contains(['█', '░', '▏']) || line.contains("waited") || had_already
    };
    let mut lines: Vec<&str> = text.lines().filter(|line| !differs(line)).collect();
    let done = |line: &&str| line.starts_with('✓');
    if let (Some(first), Some(last)) = (lines.iter().position(done), lines.iter().rposition(done)) {
        lines[first..=last].sort_unstable();
    }
    lines.into_iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

impl World {
    pub fn new() -> World {
        World { folder: tempfile::tempdir().unwrap(), before: inventory() }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(args).env("XDG_STATE_HOME", self.folder.path()).env("KUBECONFIG", self.kubeconfig());
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        command
    }

    pub fn hearth(&self, args: &[&str]) -> Ran {
        eprintln!("$ hearth {}", args.join(" "));
        let started = Instant::now();
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        eprintln!("  exit {:?} after {:.1} s", status.code(), started.elapsed().as_secs_f64());
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { args: args.join(" "), code: status.code(), out: text(stdout), err: text(stderr) }
    }

    pub fn start(&self, args: &[&str]) -> Child {
        eprintln!("$ hearth {} &", args.join(" "));
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts a run and kills it as soon as `file`, below the folder of all states, has `count` more lines with `text`. Returns
    /// the run's exit code if it ended before.
    pub fn killed_after(&self, (file, text): (&str, &str), count: usize, args: &[&str]) -> Option<Option<i32>> {
        let file = self.folder.path().join("hearth").join(file);
        let lines = || std::fs::read_to_string(&file).map_or(0, |all| all.lines().filter(|line| line.contains(text)).count());
        let (before, started) = (lines(), Instant::now());
        let mut run = self.start(args);
        loop {
            if let Some(status) = run.try_wait().unwrap() {
                return Some(status.code());
            }
            assert!(started.elapsed() < Duration::from_secs(180), "line {count} never comes");
            if lines() >= before + count {
                run.kill().unwrap();
                run.wait().unwrap();
                return None;
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// At the end: checks that the engine is as it was.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        assert_eq!(inventory(), self.before, "containers, volumes and networks are as before");
        let state = self.folder.path().join("hearth");
        let left: Vec<_> =
            std::fs::read_dir(&state).map(|entries| entries.flatten().map(|e| e.path()).collect()).unwrap_or_default();
        assert!(left.is_empty(), "state is left: {left:?}");
        if let Ok(text) = std::fs::read_to_string(self.kubeconfig()) {
            assert!(!text.contains("kind-e2e"), "{text}");
        }
    }
}

pub fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Where a leak would show: containers of ours, volumes that no container uses, networks. What other people's clusters do on
/// this engine in the meantime does not matter.
pub fn inventory() -> String {
    sh("docker ps -a --filter label=hearth.dev/profile --format '{{.Names}}' | sort; echo --; \
        docker volume ls -q --filter dangling=true | sort; echo --; docker network ls --format '{{.Name}}' | sort")
}

pub fn get(url: &str) -> (u16, String) {
    let text = sh(&format!("curl -s -m 5 -w '\\n%{{http_code}}' {url}"));
    let (body, code) = text.rsplit_once('\n').unwrap_or(("", &text));
    (code.parse().unwrap_or(0), body.to_owned())
}

/// An image registry on loopback, the CNCF's own program. It stops when this is dropped.
pub struct Registry {
    pub port: u16,
    server: Child,
    _folder: tempfile::TempDir,
}

impl Registry {
    pub fn serve() -> Registry {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (data, file) = (folder.path().join("data"), folder.path().join("config.yml"));
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            data.display()
        );
        std::fs::write(&file, config).unwrap();
        let server = Command::new("docker-registry").arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let registry = Registry { port, server: server.expect("docker-registry: scripts/lab registry"), _folder: folder };
        eventually("the registry answers", Duration::from_secs(10), || get(&format!("http://127.0.0.1:{port}/v2/")).0 == 200);
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _reaped = self.server.wait();
    }
}

#[track_caller]
pub fn eventually(what: &str, limit: Duration, check: impl Fn() -> bool) {
    let started = Instant::now();
    while !check() {
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        sleep(Duration::from_millis(200));
    }
}
