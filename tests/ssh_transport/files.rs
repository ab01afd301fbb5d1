//! Files and streams of bytes.

use crate::*;

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
