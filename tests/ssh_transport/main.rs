//! The SSH transport against a real OpenSSH server, started on a free port of loopback for each test. Needs `sshd` and
//! OpenSSH's client programs; HEARTH_SSHD names an sshd other than /usr/sbin/sshd. The tests that become root through sudo need
//! a separate machine, named by HEARTH_SSH_HOST and HEARTH_SSH_KEY (root's).

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod commands;
mod files;
mod logins;
mod sudo;
mod terminal;

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

/// The test's own sshd, and the user's side of it.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    sessions: u32,
    /// Additional lines for its configuration.
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

    /// Ends the server and the processes that serve its connections.
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
