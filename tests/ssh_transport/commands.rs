//! Commands on one connection, and connections that end.

use crate::*;

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

/// A greeting in `.bashrc` is printed before the output of every command.
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

    // a login shell that runs nothing is not the same as a command without output
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
    // dropping a dozen futures leaves no channel behind
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
