//! The whole server on a loopback socket; the parts that need MySQL run against a real one, with `cargo test -- --ignored`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A running server.
struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), WasError>>,
}

impl Server {
    async fn start(database: Option<Database>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, shutdown) = (listener.local_addr()?, CancellationToken::new());
        let drain = Duration::from_millis(150);
        let config = Config { port: address.port(), database, pod: "was-1".into(), version: "v2".into(), drain };
        let ended = tokio::spawn(serve_on(listener, config, shutdown.clone().cancelled_owned()));
        Ok(Server { address, shutdown, ended })
    }

    async fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Answer> {
        let mut connection = TcpStream::connect(self.address).await?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: was\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        connection.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).await?;
        Ok(Answer(String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn get(&self, path: &str) -> std::io::Result<Answer> {
        self.call("GET", path, "", "").await
    }
}

/// A response as received.
struct Answer(String);

impl Answer {
    fn status(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        self.0.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default()
    }
}

#[tokio::test]
async fn every_answer_tells_who_gave_it() -> Outcome {
    let server = Server::start(None).await?;
    for path in ["/api", "/api/", "/api/whoami"] {
        let answer = server.call("GET", path, "x-envoy-attempt-count: 2\r\nx-request-id: r-7\r\n", "").await?;
        assert_eq!(
            answer.json(),
            json!({"pod": "was-1", "version": "v2", "attempt": 2, "gatewayAttempt": null, "requestId": "r-7"})
        );
        assert_eq!(
            (answer.header("x-pod"), answer.header("x-version"), answer.header("x-attempt")),
            (Some("was-1"), Some("v2"), Some("2"))
        );
    }
    let lost = server.get("/nowhere").await?;
    assert_eq!((lost.status(), lost.header("x-pod"), lost.header("x-attempt")), ("404", Some("was-1"), Some("0")));
    Ok(())
}

#[tokio::test]
async fn without_a_database_it_is_ready_and_has_no_items() -> Outcome {
    let server = Server::start(None).await?;
    assert_eq!(server.get("/healthz").await?.status(), "200");
    assert_eq!(server.get("/readyz").await?.status(), "200");
    assert_eq!(server.get("/api/items").await?.status(), "503");
    Ok(())
}

#[tokio::test]
async fn behaviour_slows_and_fails_the_api_but_not_itself() -> Outcome {
    let server = Server::start(None).await?;
    let failing = r#"{"delayMs": 120, "errorRate": 1, "errorStatus": 502}"#;
    assert_eq!(server.call("PUT", "/api/behaviour", "", failing).await?.status(), "200");
    let start = Instant::now();
    assert_eq!(server.get("/api/whoami").await?.status(), "502");
    assert!(start.elapsed() >= Duration::from_millis(120));
    let start = Instant::now();
    assert_eq!(server.get("/api/whoami?delay_ms=0").await?.status(), "502");
    assert_eq!(server.get("/api/behaviour").await?.json(), json!({"delayMs": 120, "errorRate": 1.0, "errorStatus": 502}));
    assert_eq!(server.get("/healthz").await?.status(), "200");
    assert!(start.elapsed() < Duration::from_millis(120), "the override, behaviour and health must not be slowed");
    assert_eq!(server.call("PUT", "/api/behaviour", "", r#"{"errorRate": 2}"#).await?.status(), "422");
    assert_eq!(server.call("PUT", "/api/behaviour", "", r#"{"errorrate": 1}"#).await?.status(), "422");
    assert_eq!(server.call("PUT", "/api/behaviour", "", "{}").await?.status(), "200");
    assert_eq!(server.get("/api/whoami").await?.status(), "200");
    Ok(())
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_is_in_flight() -> Outcome {
    let server = Server::start(None).await?;
    let mut slow = TcpStream::connect(server.address).await?;
    slow.write_all(b"GET /api/whoami?delay_ms=600 HTTP/1.1\r\nHost: was\r\n\r\n").await?;
    sleep(Duration::from_millis(50)).await;
    server.shutdown.cancel();
    sleep(Duration::from_millis(30)).await;
    let draining = server.get("/readyz").await?;
    assert_eq!((draining.status(), draining.header("connection")), ("503", Some("close")));
    let mut answer = String::new();
    timeout(Duration::from_secs(3), slow.read_to_string(&mut answer)).await??;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    timeout(Duration::from_secs(1), server.ended).await???;
    assert!(TcpStream::connect(server.address).await.is_err());
    Ok(())
}

#[tokio::test]
async fn probes_tell_what_can_be_reached_and_resolved() -> Outcome {
    let server = Server::start(None).await?;
    let (here, closed) = (server.address, TcpListener::bind("127.0.0.1:0").await?.local_addr()?);
    let path = format!("/probe/reach?url=http://{here}/healthz&url=http://{here}/nowhere&url=http://{closed}/&url=https://x/");
    let reached = server.get(&path).await?.json();
    assert_eq!((&reached[0]["status"], &reached[1]["status"]), (&json!(200), &json!(404)));
    assert!(reached[2]["error"].as_str().is_some_and(|error| error.contains("refused")), "{reached}");
    assert_eq!(reached[3]["error"], "only http:// URLs can be reached");
    let resolved = server.get("/probe/resolve?name=localhost").await?.json();
    assert!(resolved["addresses"].as_array().is_some_and(|found| found.contains(&json!("127.0.0.1"))), "{resolved}");
    assert!(server.get("/probe/resolve?name=no.such.name.invalid").await?.json()["error"].is_string());
    Ok(())
}

/// A MySQL container that is removed when dropped.
struct Mysql {
    id: String,
    address: String,
}

fn docker(arguments: &[&str]) -> std::io::Result<String> {
    let output = std::process::Command::new("docker").args(arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

impl Mysql {
    fn start() -> std::io::Result<Self> {
        let settings = ["MYSQL_ROOT_PASSWORD=root", "MYSQL_DATABASE=board", "MYSQL_USER=app", "MYSQL_PASSWORD=s3cret"];
        let mut arguments = vec!["run", "-d"];
        arguments.extend(settings.iter().flat_map(|setting| ["-e", setting]));
        arguments.push("docker.io/library/mysql:9.7");
        let id = docker(&arguments)?;
        let address = docker(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &id])?;
        Ok(Mysql { id, address })
    }

    fn database(&self) -> Database {
        let (host, user, password) = (self.address.clone(), "app".into(), "s3cret".into());
        Database { host, port: 3306, user, password, name: "board".into() }
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-fv", &self.id]);
    }
}

async fn until_ready(server: &Server, wanted: &str) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.get("/readyz").await?.status() != wanted {
        assert!(Instant::now() < deadline, "/readyz did not answer {wanted} in time");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Over plain TCP with caching_sha2_password, through a restart of the server.
#[tokio::test]
#[ignore = "needs a Docker engine with the image mysql:9.7; run with --ignored"]
async fn items_live_in_mysql_and_survive_its_restart() -> Outcome {
    let mysql = Mysql::start()?;
    let server = Server::start(Some(mysql.database())).await?;
    assert_eq!(server.get("/readyz").await?.status(), "503");
    assert_eq!(server.get("/healthz").await?.status(), "200");
    until_ready(&server, "200").await?;

    assert_eq!(server.get("/api/items").await?.json(), json!([]));
    let created = server.call("POST", "/api/items", "", r#"{"name": "첫 글"}"#).await?;
    assert_eq!((created.status(), created.header("location")), ("201", Some("/api/items/1")));
    assert_eq!(created.json(), json!({"id": 1, "name": "첫 글"}));
    assert_eq!(server.call("POST", "/api/items", "", r#"{"name": ""}"#).await?.status(), "422");
    assert_eq!(server.get("/api/items/1").await?.json(), json!({"id": 1, "name": "첫 글"}));

    docker(&["restart", "-t", "5", &mysql.id])?;
    until_ready(&server, "200").await?;
    assert_eq!(server.get("/api/items").await?.json(), json!([{"id": 1, "name": "첫 글"}]));

    docker(&["kill", &mysql.id])?;
    let start = Instant::now();
    assert_eq!(server.get("/api/items").await?.status(), "503");
    assert!(start.elapsed() < Duration::from_secs(3), "a dead database must be told within a try's time");
    docker(&["start", &mysql.id])?;
    until_ready(&server, "200").await?;

    assert_eq!(server.call("DELETE", "/api/items/1", "", "").await?.status(), "204");
    assert_eq!(server.call("DELETE", "/api/items/1", "", "").await?.status(), "404");
    assert_eq!(server.get("/api/items/1").await?.status(), "404");
    server.shutdown.cancel();
    timeout(Duration::from_secs(2), server.ended).await???;
    Ok(())
}
