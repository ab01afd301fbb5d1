//! The SSH transport against a real OpenSSH server, started on a free port of loopback for each test. Needs `sshd` and
//! OpenSSH's client programs; HEARTH_SSHD names another sshd than /usr/sbin/sshd. Those that become root by sudo need
//! machines of their own, named by HEARTH_SSH_HOST and HEARTH_SSH_KEY (root's).

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use bytes::Bytes;
use hearth::error::{Explain, chain};
use hearth::profile::{Host, HostKeys, Jump, Role, SshHosts};
use hearth::provider::ssh::{Environment, Secret, SshError, SshNode, SshProvider, Uploaded};
use hearth::provider::{Command, FileSpec, Node, NodeError};
use sha2::{Digest, Sha256};

/// An sshd of the test's own, and the user's side of it.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    sessions: u32,
    /// More lines for its configuration.
    more: String,
    sshd: Option<Child>,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Server { folder, port, sessions: 10, more: String::new(), sshd: None };
        server.new_key("host", "ed25519", "");
        server.new_key("user", "ed25519", "");
        std::fs::copy(server.path("user.pub"), server.path("authorized_keys")).unwrap();
        server.up();
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn new_key(&self, name: &str, kind: &str, passphrase: &str) {
        let _ = std::fs::remove_file(self.path(name));
        let made = Process::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(self.path(name)).status();
        assert!(made.unwrap().success());
    }

    fn up(&mut self) {
        let folder = self.folder.path().display().to_string();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/authorized_keys\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nMaxSessions {}\nMaxStartups 100\nRekeyLimit 64M\n{}",
            self.port, self.sessions, self.more
        );
        std::fs::write(self.path("config"), config).unwrap();
        let sshd = std::env::var("HEARTH_SSHD").unwrap_or_else(|_| "/usr/sbin/sshd".to_owned());
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = Process::new(&sshd)
            .args(["-D", "-e", "-f"])
            .arg(self.path("config"))
            .stderr(log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.sshd = Some(child.unwrap_or_else(|error| panic!("{sshd}: {error}")));
        let limit = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < limit, "{}", std::fs::read_to_string(self.path("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server and the processes that serve connections.
    fn down(&mut self) {
        let serving = self.serving();
        let Some(mut sshd) = self.sshd.take() else { return };
        for process in serving {
            let _ = Process::new("kill").args(["-9", &process.to_string()]).status();
        }
        let _ = sshd.kill();
        let _ = sshd.wait();
    }

    /// The processes that serve connections: children of our sshd.
    fn serving(&self) -> Vec<u32> {
        let Some(parent) = self.sshd.as_ref().map(Child::id) else { return Vec::new() };
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        children.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    fn fingerprint(&self) -> String {
        fingerprint(&self.path("host.pub"))
    }

    fn user() -> String {
        String::from_utf8(Process::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
    }

    fn hosts(&self) -> SshHosts {
        SshHosts {
            user: Self::user(),
            port: self.port,
            identity_file: Some(self.path("user").display().to_string()),
            host_keys: HostKeys::Pinned,
            jump: None,
            hosts: vec![Host {
                name: "n1".into(),
                address: Ipv4Addr::LOCALHOST,
                role: Role::ControlPlane,
                host_key: Some(self.fingerprint()),
            }],
        }
    }

    fn environment(&self) -> Environment {
        Environment { home: Some(self.folder.path().to_owned()), ..Environment::default() }
    }

    fn provider(&self, hosts: &SshHosts) -> SshProvider {
        SshProvider::with_environment(hosts, self.path("state/known_hosts"), &self.environment())
    }

    async fn node(&self) -> SshNode {
        self.provider(&self.hosts()).node("n1").await.unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    async fn refusal(&self, hosts: &SshHosts) -> SshError {
        match self.provider(hosts).node("n1").await {
            Ok(_) => panic!("connected"),
            Err(error) => error,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

fn fingerprint(public: &Path) -> String {
    let text = std::fs::read_to_string(public).unwrap();
    let key = base64::engine::general_purpose::STANDARD.decode(text.split(' ').nth(1).unwrap()).unwrap();
    format!("SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// A file of random bytes and its checksum.
fn random_file(path: &Path, megabytes: usize) -> String {
    let script = format!("head -c {megabytes}M /dev/urandom > '{0}'; sha256sum < '{0}' | cut -c1-64", path.display());
    let sum = Process::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(sum.stdout).unwrap().trim().to_owned()
}

fn sh(script: &str) -> Command {
    Command::shell(script).timeout(Duration::from_secs(30))
}

fn quiet(_bytes: u64) {}

#[tokio::test(flavor = "multi_thread")]
async fn commands_have_streams_status_signal_and_input() {
    let server = Server::start();
    let node = server.node().await;
    assert_eq!((node.name(), node.role(), node.address()), ("n1", Role::ControlPlane, Ipv4Addr::LOCALHOST));

    let output = node.exec(sh("echo out; echo err >&2; exit 7")).await.unwrap();
    assert_eq!((output.status, &*output.stdout, &*output.stderr), (7, &b"out\n"[..], &b"err\n"[..]));
    assert_eq!(node.exec(sh("kill -TERM $$")).await.unwrap().status, 128 + 15);
    assert_eq!(node.exec(sh("kill -KILL $$")).await.unwrap().status, 128 + 9);

    let awkward = ["a b", "it's", "$HOME", "", "\\", "a\nb", "*"];
    let argv = ["printf", "[%s]"].into_iter().chain(awkward);
    assert_eq!(node.exec(Command::new(argv)).await.unwrap().stdout, awkward.map(|word| format!("[{word}]")).concat().as_bytes());

    let mut large: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let output = node.exec(Command::new(["cat"]).stdin(large.clone())).await.unwrap();
    assert!(output.stdout == large, "{} of {} bytes", output.stdout.len(), large.len());
    assert_eq!(node.exec(Command::new(["cat"])).await.unwrap().stdout, b"", "no input is the end of input");
    large.truncate(1_000_000);
    assert_eq!(node.exec(sh("exit 3").stdin(large)).await.unwrap().status, 3, "a program may leave its input unread");
    assert_eq!(node.exec(sh("exec >&- 2>&-; sleep 0.3; exit 4")).await.unwrap().status, 4, "closed output is not the end");

    let error = node.run(sh("echo because >&2; exit 2")).await.unwrap_err();
    assert!(matches!(&error, NodeError::Failed { status: 2, output, .. } if output.contains("because")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_commands_share_one_connection() {
    let server = Server::start();
    let node = server.node().await;
    node.exec(sh("true")).await.unwrap();
    let started = Instant::now();
    let runs = (0..30).map(|n| {
        let node = node.clone();
        async move { node.exec(sh(&format!("head -c 300000 /dev/zero | tr '\\0' x; sleep 0.5; echo {n}"))).await.unwrap().text() }
    });
    for (n, text) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert!(text.len() == 300_000 + n.to_string().len() && text.ends_with(&format!("x{n}")), "{n}");
    }
    eprintln!("30 commands in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(10), "they run beside each other");
    assert_eq!(server.serving().len(), 1, "one connection");

    let started = Instant::now();
    for _ in 0..50 {
        node.exec(Command::new(["true"])).await.unwrap();
    }
    eprintln!("a command takes {:?}", started.elapsed() / 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_room_for_few_gets_few() {
    let mut server = Server::start();
    server.down();
    server.sessions = 2;
    server.up();
    let node = server.node().await;
    let runs = (0..12).map(|n| {
        let node = node.clone();
        async move { node.exec(sh(&format!("sleep 0.1; echo {n}"))).await.map(|output| output.text()) }
    });
    for (n, text) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!(text.unwrap_or_else(|error| panic!("{}", chain(&error))), n.to_string());
    }
}

/// What a greeting in `.bashrc` does: it is printed ahead of every command's own output.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_shell_that_greets_is_not_listened_to() {
    let mut server = Server::start();
    server.down();
    server.more = "ForceCommand echo Welcome; echo Mind the gap >&2; exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n".into();
    server.up();
    let node = server.node().await;
    let output = node.exec(sh("printf out; printf err >&2; exit 3")).await.unwrap();
    assert_eq!((output.status, &*output.stdout, &*output.stderr), (3, &b"out"[..], &b"err"[..]));
    assert_eq!(node.exec(sh("exec >&-; exit 4")).await.unwrap().stdout, b"", "no output stays none");
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    assert!(node.exec(Command::new(["cat"]).stdin(large.clone())).await.unwrap().stdout == large);
    let (source, target) = (server.path("source"), server.path("target").display().to_string());
    let sum = random_file(&source, 1);
    assert!(matches!(node.upload(&source, &target, 0o600, &sum, &quiet).await.unwrap(), Uploaded::Sent { .. }));
    assert_eq!(node.upload(&source, &target, 0o600, &sum, &quiet).await.unwrap(), Uploaded::Skipped);

    // one that runs nothing is no command without output
    server.down();
    server.more = "ForceCommand echo This account is not available; exit 1\n".into();
    server.up();
    let text = chain(&node.exec(sh("true")).await.unwrap_err());
    assert!(text.contains("does not run commands") && text.contains("This account is not available"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_too_slow_or_given_up_is_ended_on_the_host() {
    let server = Server::start();
    let node = server.node().await;
    let is_running = |seconds: u32| {
        let found = Process::new("pgrep").args(["-xf", &format!("sleep {seconds}")]).output().unwrap();
        !found.stdout.is_empty()
    };
    let own = 100_000 + std::process::id();
    let started = Instant::now();
    let slow = format!("sleep {own}; true");
    let error = node.exec(Command::shell(slow.clone()).timeout(Duration::from_millis(700))).await.unwrap_err();
    assert!(matches!(&error, NodeError::Timeout { node, command, .. } if node == "n1" && command.contains("sleep")), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));
    // a dozen futures that are dropped leave no channel behind
    for _ in 0..12 {
        let _dropped = tokio::time::timeout(Duration::from_millis(150), node.exec(sh(&slow))).await;
    }
    let stubborn = node.exec(Command::shell("trap '' TERM; while :; do sleep 0.1; done").timeout(Duration::from_millis(300)));
    let stubborn = stubborn.await;
    assert!(matches!(stubborn, Err(NodeError::Timeout { .. })), "{stubborn:?}");
    // in the middle of its input
    let endless = Command::new(["sleep", &own.to_string()]).stdin(vec![7; 30_000_000]).timeout(Duration::from_millis(500));
    assert!(matches!(node.exec(endless).await, Err(NodeError::Timeout { .. })));
    assert_eq!(node.exec(sh("echo still here")).await.unwrap().text(), "still here");
    let limit = Instant::now() + Duration::from_secs(12);
    while is_running(own) {
        assert!(Instant::now() < limit, "it runs on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.serving().len(), 1, "the same connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_put_with_their_modes() {
    let server = Server::start();
    let node = server.node().await;
    let base = server.path("put").display().to_string();
    let file = |path: &str, bytes: &[u8], mode| FileSpec { path: format!("{base}/{path}"), bytes: bytes.to_vec(), mode };
    let long = format!("{}/x", "d".repeat(150));
    let files = vec![file("a/b/secret", b"one", 0o600), file("a/run", &[0, 1, 255], 0o755), file(&long, b"", 0o644)];
    node.put(files).await.unwrap();
    let mode = |path: &str| Path::new(&base).join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("a/b/secret"), mode("a/run"), mode(&long), mode("a/b")), (0o600, 0o755, 0o644, 0o755));
    node.put(vec![file("a/run", b"new", 0o700)]).await.unwrap();
    assert_eq!((std::fs::read(format!("{base}/a/run")).unwrap(), mode("a/run")), (b"new".to_vec(), 0o700));
    let error = node.put(vec![FileSpec { path: "/proc/nope".into(), bytes: vec![], mode: 0o600 }]).await.unwrap_err();
    assert!(matches!(error, NodeError::Failed { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_streamed() {
    let server = Server::start();
    let node = server.node().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let write = async move {
        for _ in 0..256 {
            sender.send(Bytes::from(vec![b'x'; 1 << 20])).await.unwrap();
        }
    };
    let started = Instant::now();
    let ((), output) = tokio::join!(write, node.feed(&["wc", "-c"], receiver));
    assert_eq!(output.unwrap().text(), (256 << 20).to_string());
    eprintln!("input: {:.0} MB/s", f64::from(256 << 20) / 1e6 / started.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_verified_skipped_and_resumed() {
    let server = Server::start();
    let node = server.node().await;
    let (source, target) = (server.path("source"), server.path("far/away/target"));
    let sum = random_file(&source, 256);
    let at = target.display().to_string();
    let seen = AtomicU64::new(0);
    let progress = |bytes| seen.store(bytes, Ordering::Relaxed);
    let size = 256 << 20;

    let started = Instant::now();
    let first = node.upload(&source, &at, 0o755, &sum, &progress).await.unwrap();
    let rate = size as f64 / 1e6 / started.elapsed().as_secs_f64();
    eprintln!("upload: {rate:.0} MB/s");
    assert_eq!((first, seen.load(Ordering::Relaxed)), (Uploaded::Sent { bytes: size, resumed: 0 }, size));
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(std::fs::read(&target).unwrap() == std::fs::read(&source).unwrap());

    assert_eq!(node.upload(&source, &at, 0o755, &sum, &quiet).await.unwrap(), Uploaded::Skipped);
    let again = node.upload(&source, &at, 0o644, &sum, &quiet).await.unwrap();
    assert!(matches!(again, Uploaded::Sent { .. }), "another mode is another file");

    let part = server.path("far/away/.target.hearth-part");
    let bytes = std::fs::read(&source).unwrap();
    std::fs::remove_file(&target).unwrap();
    std::fs::write(&part, &bytes[..100_000_001]).unwrap();
    let resumed = node.upload(&source, &at, 0o755, &sum, &quiet).await.unwrap();
    assert_eq!(resumed, Uploaded::Sent { bytes: size - 100_000_001, resumed: 100_000_001 });
    assert!(std::fs::read(&target).unwrap() == bytes && !part.exists());

    std::fs::remove_file(&target).unwrap();
    std::fs::write(&part, [&bytes[..999], b"?"].concat()).unwrap();
    let fresh = node.upload(&source, &at, 0o755, &sum, &quiet).await.unwrap();
    assert_eq!(fresh, Uploaded::Sent { bytes: size, resumed: 0 }, "a damaged part is thrown away");
    assert!(std::fs::read(&target).unwrap() == bytes);

    let error = node.upload(&source, &at, 0o755, &"0".repeat(64), &quiet).await.unwrap_err();
    assert!(chain(&error).contains("checksum"), "{}", chain(&error));
    assert!(std::fs::read(&target).unwrap() == bytes && !part.exists(), "what was there stays");
    let error = node.upload(Path::new("/nowhere"), &at, 0o755, &sum, &quiet).await.unwrap_err();
    assert!(chain(&error).contains("/nowhere cannot be read"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_off_goes_on_where_it_was() {
    let server = Server::start();
    let node = server.node().await;
    let (source, target) = (server.path("source"), server.path("target"));
    let sum = random_file(&source, 256);
    let at = target.display().to_string();
    let victims = Mutex::new(server.serving());
    let cut = |bytes: u64| {
        if bytes > 100 << 20 {
            for process in victims.lock().unwrap().drain(..) {
                Process::new("kill").args(["-9", &process.to_string()]).status().unwrap();
            }
        }
    };
    let other = node.exec(sh("sleep 60"));
    let (upload, other) = tokio::join!(node.upload(&source, &at, 0o600, &sum, &cut), other);
    let error = upload.unwrap_err();
    assert!(matches!(&error, NodeError::Transport { node, .. } if node == "n1"), "{error}");
    let text = chain(&other.unwrap_err());
    assert!(text.contains("n1") && text.contains("sleep 60") && text.contains("is lost"), "{text}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let again = node.upload(&source, &at, 0o600, &sum, &quiet).await.unwrap();
    eprintln!("after the cut: {again:?}");
    assert!(matches!(again, Uploaded::Sent { resumed, .. } if resumed > 50 << 20), "{again:?}");
    assert!(std::fs::read(&target).unwrap() == std::fs::read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_back_is_connected_to_again() {
    let mut server = Server::start();
    let node = server.node().await;
    assert!(node.exec(sh("true")).await.unwrap().success());
    server.down();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let error = node.exec(sh("true")).await.unwrap_err();
    assert!(chain(&error).contains("cannot connect to n1 (127.0.0.1:"), "{}", chain(&error));
    server.up();
    assert_eq!(node.exec(sh("echo back")).await.unwrap().text(), "back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_falls_silent_is_given_up() {
    let server = Server::start();
    let node = server.node().await;
    node.exec(sh("true")).await.unwrap();
    let serving = server.serving();
    for process in &serving {
        Process::new("kill").args(["-STOP", &process.to_string()]).status().unwrap();
    }
    let started = Instant::now();
    let error = node.exec(Command::new(["true"]).timeout(Duration::from_secs(60))).await.unwrap_err();
    assert!(chain(&error).contains("silent"), "{}", chain(&error));
    assert!(started.elapsed() < Duration::from_secs(35), "{:?}", started.elapsed());
    for process in &serving {
        Process::new("kill").args(["-CONT", &process.to_string()]).status().unwrap();
    }
    assert!(node.exec(sh("true")).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_verified_under_each_policy() {
    let mut server = Server::start();
    let (old, known) = (server.fingerprint(), server.path("state/known_hosts"));
    let policy = |host_keys| {
        let mut hosts = server.hosts();
        hosts.host_keys = host_keys;
        hosts
    };
    let (pinned, strict, tofu) = (policy(HostKeys::Pinned), policy(HostKeys::Strict), policy(HostKeys::Tofu));

    let error = server.refusal(&strict).await;
    assert!(matches!(&error, SshError::HostKeyUnknown { offered, .. } if *offered == format!("ssh-ed25519 {old}")), "{error}");
    let theirs = server.path(".ssh/known_hosts");
    std::fs::create_dir(server.path(".ssh")).unwrap();
    let key = std::fs::read_to_string(server.path("host.pub")).unwrap();
    std::fs::write(&theirs, format!("[127.0.0.1]:{} {key}", server.port)).unwrap();
    assert!(Process::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&theirs).output().unwrap().status.success());
    let before = std::fs::read(&theirs).unwrap();
    for hosts in [&pinned, &strict, &tofu, &tofu] {
        server.provider(hosts).node("n1").await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    }
    assert_eq!(std::fs::read_to_string(&known).unwrap().lines().count(), 1, "stored once");
    assert_eq!(known.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    // revoked wins over any other line and every policy
    std::fs::write(&theirs, [&before[..], format!("@revoked * {key}").as_bytes()].concat()).unwrap();
    for hosts in [&pinned, &strict, &tofu] {
        let error = server.refusal(hosts).await;
        assert!(matches!(&error, SshError::HostKeyRevoked { line: 2, .. }), "{error}");
    }
    std::fs::write(&theirs, &before).unwrap();

    server.down();
    server.new_key("host", "ed25519", "");
    server.up();
    let new = server.fingerprint();
    for (hosts, command) in [
        (&pinned, format!("--set spec.provider.ssh.hosts[0].hostKey={new}")),
        (&strict, format!("ssh-keygen -R '[127.0.0.1]:{}'", server.port)),
        (&tofu, format!("ssh-keygen -R '[127.0.0.1]:{}' -f {}", server.port, known.display())),
    ] {
        let error = server.refusal(hosts).await;
        let text = error.to_string();
        for part in [&*old, &*new, "attack", "n1 (127.0.0.1:"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(error.hint().unwrap().contains(&command), "{command}: {:?}", error.hint());
    }
    assert_eq!(std::fs::read(&theirs).unwrap(), before, "the user's file is never written");
    let log = std::fs::read_to_string(server.path("log")).unwrap();
    let refused = log.rsplit("Server listening").next().unwrap();
    assert!(!refused.contains("Accepted") && !refused.contains("publickey"), "nothing was sent: {refused}");

    // the command that the error names is the one that helps
    let forget = ["-R", &format!("[127.0.0.1]:{}", server.port), "-f"];
    assert!(Process::new("ssh-keygen").args(forget).arg(&known).output().unwrap().status.success());
    assert!(server.provider(&tofu).node("n1").await.is_ok());
    let mut repinned = pinned.clone();
    repinned.hosts[0].host_key = Some(new);
    assert!(server.provider(&repinned).node("n1").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_key_that_is_known_is_asked_for() {
    let mut server = Server::start();
    server.down();
    server.new_key("rsa", "rsa", "");
    std::fs::create_dir(server.path(".ssh")).unwrap();
    let key = std::fs::read_to_string(server.path("rsa.pub")).unwrap();
    std::fs::write(server.path(".ssh/known_hosts"), format!("[127.0.0.1]:{} {key}", server.port)).unwrap();
    server.up();
    server.down();
    let config = std::fs::read_to_string(server.path("config")).unwrap();
    let both = format!("{config}HostKey {}\n", server.path("rsa").display());
    std::fs::write(server.path("both"), &both).unwrap();
    let sshd = std::env::var("HEARTH_SSHD").unwrap_or_else(|_| "/usr/sbin/sshd".to_owned());
    server.sshd = Some(
        Process::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(server.path("both"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut hosts = server.hosts();
    hosts.host_keys = HostKeys::Strict;
    server.provider(&hosts).node("n1").await.unwrap_or_else(|error| panic!("{}", chain(&error)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_log_in_and_each_refusal() {
    let server = Server::start();
    let authorize = |names: &[&str]| {
        let keys: String =
            names.iter().map(|name| std::fs::read_to_string(server.path(&format!("{name}.pub"))).unwrap()).collect();
        std::fs::write(server.path("authorized_keys"), keys).unwrap();
    };
    server.new_key("locked", "ed25519", "open sesame");
    server.new_key("ec", "ecdsa", "");
    server.new_key("rsa", "rsa", "");
    server.new_key("stranger", "ed25519", "");
    authorize(&["user", "locked", "ec", "rsa"]);
    let with = |identity: Option<&str>, environment: Environment| {
        let mut hosts = server.hosts();
        hosts.identity_file = identity.map(|name| format!("~/{name}"));
        SshProvider::with_environment(&hosts, server.path("known"), &environment)
    };
    let plain = || server.environment();
    for name in ["user", "ec", "rsa"] {
        with(Some(name), plain()).node("n1").await.unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
    }
    let passphrase = |text: &str| Environment { passphrase: Some(Secret::new(text)), ..plain() };
    assert!(with(Some("locked"), passphrase("open sesame")).node("n1").await.is_ok());
    let fails = async |provider: SshProvider| match provider.node("n1").await {
        Ok(_) => panic!("logged in"),
        Err(error) => {
            eprintln!("{}\n  hint: {}", chain(&error), error.hint().unwrap_or_default());
            error
        }
    };
    assert!(matches!(fails(with(Some("locked"), plain())).await, SshError::IdentityEncrypted { .. }));
    assert!(matches!(fails(with(Some("locked"), passphrase("wrong"))).await, SshError::IdentityPassphrase { .. }));
    assert!(matches!(fails(with(Some("absent"), plain())).await, SshError::IdentityMissing { .. }));
    assert!(matches!(fails(with(Some("."), plain())).await, SshError::IdentityUnreadable { .. }));
    assert!(matches!(fails(with(Some("config"), plain())).await, SshError::IdentityUnusable { .. }));
    assert!(matches!(fails(with(Some("stranger"), plain())).await, SshError::IdentityRefused { .. }));
    assert!(matches!(fails(with(None, plain())).await, SshError::NoCredentials { .. }));
    let password = Environment { password: Some(Secret::new("hunter2")), ..plain() };
    let error = fails(with(None, password)).await;
    assert!(matches!(error, SshError::PasswordRefused { .. }) && !chain(&error).contains("hunter2"));

    let socket = server.path("agent");
    let mut agent = Process::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let add = |name: &str| {
        let added = Process::new("ssh-add").arg("-q").arg(server.path(name)).env("SSH_AUTH_SOCK", &socket).status();
        assert!(added.unwrap().success());
    };
    let by_agent = || with(None, Environment { agent: Some(socket.clone()), ..plain() });
    assert!(matches!(fails(by_agent()).await, SshError::NoCredentials { .. }));
    add("stranger");
    assert!(matches!(fails(by_agent()).await, SshError::AgentRefused { keys: 1, .. }));
    add("user");
    assert!(by_agent().node("n1").await.is_ok(), "the second key of the agent");
    agent.kill().unwrap();
    agent.wait().unwrap();
    let _ = std::fs::remove_file(&socket);
    assert!(matches!(fails(by_agent()).await, SshError::Agent { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_another_is_reached() {
    let (front, server) = (Server::start(), Server::start());
    std::fs::copy(server.path("user.pub"), front.path("authorized_keys")).unwrap();
    let mut hosts = server.hosts();
    let host_key = Some(front.fingerprint());
    hosts.jump = Some(Jump { address: Ipv4Addr::LOCALHOST, port: front.port, user: Server::user(), host_key });
    let node = server.provider(&hosts).node("n1").await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(
        node.exec(sh("echo $SSH_CONNECTION")).await.unwrap().text().split(' ').next_back().unwrap(),
        server.port.to_string()
    );
    let (source, target) = (server.path("source"), server.path("target"));
    let sum = random_file(&source, 64);
    let started = Instant::now();
    node.upload(&source, &target.display().to_string(), 0o600, &sum, &quiet).await.unwrap();
    eprintln!("through the jump host: {:.0} MB/s", (64 << 20) as f64 / 1e6 / started.elapsed().as_secs_f64());
    let large = node.exec(sh("head -c 20000000 /dev/zero")).await.unwrap();
    assert_eq!(large.stdout.len(), 20_000_000);
    for process in front.serving() {
        Process::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(node.exec(sh("true")).await.unwrap().success(), "both connections are made again");

    hosts.jump.as_mut().unwrap().host_key = Some(server.fingerprint());
    let error = server.refusal(&hosts).await;
    let text = chain(&error);
    assert!(text.contains("n1") && text.contains("jump host") && text.contains("attack"), "{text}");
    assert!(error.hint().unwrap().contains("spec.provider.ssh.jump.hostKey="), "{:?}", error.hint());
    hosts.jump.as_mut().unwrap().host_key = Some(front.fingerprint());
    hosts.port = 1;
    let error = server.refusal(&hosts).await;
    assert!(matches!(error, SshError::Tunnel { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_hosts_that_fail_are_told() {
    let server = Server::start();
    let mut hosts = server.hosts();
    let host =
        |name: &str, host_key: Option<String>| Host { name: name.into(), host_key, role: Role::Worker, ..hosts.hosts[0].clone() };
    let others =
        [host("n2", Some(fingerprint(&server.path("user.pub")))), host("n3", Some(format!("SHA256:{}", "A".repeat(43))))];
    hosts.hosts.extend(others);
    let provider = server.provider(&hosts);
    assert_eq!(provider.wanted()[1], ("n2".to_owned(), Role::Worker));
    let Err(errors) = provider.nodes(["n1", "n2", "n3"]).await else { panic!("connected") };
    assert_eq!(errors.0.len(), 2);
    assert!(errors.to_string().contains("n2 (") && errors.to_string().contains("n3 ("), "{errors}");
    assert!(matches!(provider.node("n4").await, Err(SshError::Unknown { .. })));
    hosts.hosts.truncate(1);
    assert_eq!(server.provider(&hosts).nodes(["n1"]).await.unwrap().len(), 1);
}

/// What a person does; run by the test below with a terminal and without.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_runs_a_command() {
    let server = Server::start();
    let node = server.node().await;
    let command = ["sh", "-c", "if [ -t 0 ]; then stty size; else cat; echo oops >&2; fi; exit 5"].map(str::to_owned).to_vec();
    assert_eq!(node.interactive(Some(command)).await.unwrap(), 5);
}

#[test]
fn a_terminal_here_is_a_terminal_there() {
    let own = std::env::current_exe().unwrap();
    let person = format!("{} --nocapture --exact a_person_runs_a_command", own.display());
    let piped = Process::new("sh").args(["-c", &format!("echo typed | {person}")]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(piped.status.success() && text(&piped.stdout).contains("typed\n"), "{piped:?}");
    assert!(text(&piped.stderr).contains("oops"), "{piped:?}");
    let script = format!("stty rows 33 cols 101; {person}; stty -a | grep -o -e '-icanon' -e ' icanon'");
    let terminal = Process::new("script").args(["-qec", &script, "/dev/null"]).output().unwrap();
    let seen = text(&terminal.stdout);
    assert!(seen.contains("33 101\r") && seen.contains("test result: ok"), "{seen}");
    assert!(seen.contains(" icanon") && !seen.contains("-icanon"), "the terminal is as before: {seen}");
}

/// On a machine of its own: a user who becomes root with a password, without one, and not at all.
#[tokio::test(flavor = "multi_thread")]
async fn sudo_makes_root() {
    let (Ok(address), Ok(key)) = (std::env::var("HEARTH_SSH_HOST"), std::env::var("HEARTH_SSH_KEY")) else {
        eprintln!("not run: HEARTH_SSH_HOST and HEARTH_SSH_KEY are not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut hosts = SshHosts {
        user: "root".into(),
        port: 22,
        identity_file: Some(key),
        host_keys: HostKeys::Tofu,
        jump: None,
        hosts: vec![Host { name: "h".into(), address: address.parse().unwrap(), role: Role::Worker, host_key: None }],
    };
    let known = folder.path().join("known_hosts");
    let with = |hosts: &SshHosts, sudo_password: Option<&str>| {
        let environment = Environment { sudo_password: sudo_password.map(Secret::new), ..Environment::default() };
        SshProvider::with_environment(hosts, known.clone(), &environment)
    };
    let root = with(&hosts, None).node("h").await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let started = Instant::now();
    for _ in 0..20 {
        root.exec(Command::new(["true"])).await.unwrap();
    }
    eprintln!("a command takes {:?}", started.elapsed() / 20);
    let setup = "command -v sudo >/dev/null || { apt-get update -qq && apt-get install -y -qq sudo; } >/dev/null 2>&1
        id ada >/dev/null 2>&1 || useradd -m -s /bin/bash ada
        echo 'ada:open sesame' | chpasswd; rm -f /etc/sudoers.d/ada
        mkdir -p ~ada/.ssh && cp ~/.ssh/authorized_keys ~ada/.ssh/ && chown -R ada ~ada/.ssh && command -v sudo";
    root.run(Command::shell(setup).timeout(Duration::from_secs(120))).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    hosts.user = "ada".into();
    let rules = |line: &str| root.run(sh(&format!("echo '{line}' > /etc/sudoers.d/ada")));

    assert!(matches!(with(&hosts, None).node("h").await, Err(SshError::Sudo { .. })), "no rights");
    rules("ada ALL=(ALL) ALL").await.unwrap();
    let Err(error) = with(&hosts, None).node("h").await else { panic!("became root without a password") };
    eprintln!("{}\n  hint: {}", chain(&error), error.hint().unwrap_or_default());
    assert!(matches!(with(&hosts, Some("wrong")).node("h").await, Err(SshError::Sudo { .. })));
    for (rule, password) in [
        ("ada ALL=(ALL) ALL", Some("open sesame")),
        ("ada ALL=(ALL) NOPASSWD: ALL", None),
        ("ada ALL=(ALL) NOPASSWD: ALL", Some("open sesame")),
    ] {
        rules(rule).await.unwrap();
        let node = with(&hosts, password).node("h").await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        for _ in 0..2 {
            assert_eq!(node.exec(sh("id -un; cat").stdin("input\nmore")).await.unwrap().text(), "root\ninput\nmore", "{rule}");
        }
        let file = FileSpec { path: "/root/x/put".into(), bytes: b"put".to_vec(), mode: 0o600 };
        node.put(vec![file]).await.unwrap();
        let source = folder.path().join("source");
        let sum = random_file(&source, 20);
        assert!(node.upload(&source, "/root/x/file", 0o600, &sum, &quiet).await.is_ok());
        assert_eq!(root.run(sh("stat -c %U%a /root/x/put /root/x/file")).await.unwrap().text(), "root600\nroot600");
        let own = 100_000 + std::process::id();
        let slow = sh(&format!("sleep {own}")).timeout(Duration::from_secs(1));
        assert!(matches!(node.exec(slow).await, Err(NodeError::Timeout { .. })));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!root.exec(Command::new(["pgrep", "-xf", &format!("sleep {own}")])).await.unwrap().success(), "it runs on");
        let seen = root.exec(sh("grep -rl 'open sesame' /proc/*/cmdline 2>/dev/null | head -1")).await.unwrap().text();
        assert!(!seen.contains("/proc/") || password.is_none() || !seen.contains("sudo"), "{seen}");
    }
    root.run(sh("rm -rf /root/x /etc/sudoers.d/ada; userdel -rf ada 2>/dev/null; true")).await.unwrap();
}
