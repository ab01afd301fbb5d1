//! A user who becomes root, on a separate machine.

use crate::*;

/// A user who becomes root with a password, without one, and not at all.
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
