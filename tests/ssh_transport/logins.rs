//! Host keys, ways to log in, and the way to the host.

use crate::*;

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

    // revoked takes precedence over any other line and every policy
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

    // the command named in the error does help
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
