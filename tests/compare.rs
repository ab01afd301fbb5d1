//! The real binary compares real servers: two WAS processes on this machine. Takes two minutes and needs the machine for
//! itself, so it runs only when named: `cargo test --test compare -- --test-threads 1`.

#![allow(clippy::unwrap_used)]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

const HEARTH: &str = env!("CARGO_BIN_EXE_hearth");

/// A WAS process; it ends with the test.
struct Was {
    process: Child,
    port: u16,
}

impl Was {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(HEARTH);
        command.arg("was").env("PORT", port.to_string()).env("POD_NAME", "was").stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        for _ in 0..200 {
            if answers() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(answers(), "the server does not listen");
        Was { process, port }
    }

    fn url(&self, delay_ms: u32) -> String {
        format!("http://127.0.0.1:{}/api/whoami?delay_ms={delay_ms}", self.port)
    }

    fn signal(&self, name: &str) {
        signal(&self.process, name);
    }
}

impl Drop for Was {
    fn drop(&mut self) {
        // a stopped process ends only by force
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().unwrap();
    assert!(sent.success(), "kill {name}");
}

fn compare(before: &str, after: &str, more: &[&str]) -> Child {
    let arms = [format!("before={before}"), format!("after={after}")];
    let mut command = Command::new(HEARTH);
    command.args(["compare", "--arm", &arms[0], "--arm", &arms[1], "--allow-different-bodies", "--quick", "-o", "json"]);
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The exit code and the result.
fn ended(process: Child) -> (Option<i32>, Value) {
    let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
    let result = serde_json::from_slice(&stdout);
    (status.code(), result.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr))))
}

#[test]
fn alike_arms_are_equivalent_within_a_wide_margin() {
    let (one, other) = (Was::start(), Was::start());
    let (code, result) = ended(compare(&one.url(20), &other.url(20), &["--margin", "3ms"]));
    assert_eq!((code, result["verdict"].as_str()), (Some(0), Some("equivalent")), "{}", result["reasons"]);
    let estimate = &result["estimate"];
    let number = |key: &str| estimate[key].as_f64().unwrap();
    assert!(number("low") <= number("value") && number("value") <= number("high") && number("level") == 0.95);
    assert_eq!((estimate["unit"].as_str(), estimate["of"].as_str()), (Some("ms"), Some("latency.p50")));
    assert_eq!(result["declaration"]["sha256"].as_str().map(str::len), Some(64));
    assert!(result["metrics"][0]["bootstrap"]["low"].is_number());
}

#[test]
fn a_slower_arm_is_worse_and_the_other_way_round_better() {
    let (one, other) = (Was::start(), Was::start());
    let (code, result) = ended(compare(&one.url(20), &other.url(26), &[]));
    assert_eq!((code, result["verdict"].as_str()), (Some(1), Some("worse")), "{}", result["reasons"]);
    let (low, high) = (result["estimate"]["low"].as_f64().unwrap(), result["estimate"]["high"].as_f64().unwrap());
    assert!((4.0..=6.2).contains(&low) && (5.8..8.0).contains(&high), "{low} to {high}");
    assert_eq!(result["exceedsMargin"], true);
    let (code, result) = ended(compare(&one.url(26), &other.url(20), &[]));
    assert_eq!((code, result["verdict"].as_str()), (Some(0), Some("better")), "{}", result["reasons"]);
}

#[test]
fn a_frozen_server_shows_in_its_arm_and_not_in_the_other() {
    let (one, other) = (Was::start(), Was::start());
    let process = compare(&one.url(20), &other.url(20), &["--margin", "10ms"]);
    // during the duet, whose first window begins about 14 s after the start
    std::thread::sleep(Duration::from_secs(20));
    other.signal("-STOP");
    std::thread::sleep(Duration::from_millis(800));
    other.signal("-CONT");
    let (_, result) = ended(process);
    let slowest = |arm: &str| {
        let windows = result["windows"].as_array().unwrap();
        windows.iter().map(|window| window[arm]["p99Ms"].as_f64().unwrap()).fold(0.0, f64::max)
    };
    assert!(slowest("b") > 600.0 && slowest("a") < 400.0, "{} {}", slowest("a"), slowest("b"));
    assert!(result["arms"][1]["failed"].as_u64() == Some(0), "late is not failed");
}

#[test]
fn ctrl_c_ends_it_in_order_with_what_there_is() {
    let (one, other) = (Was::start(), Was::start());
    let process = compare(&one.url(20), &other.url(20), &[]);
    std::thread::sleep(Duration::from_secs(20));
    signal(&process, "-INT");
    let (code, result) = ended(process);
    assert_eq!((code, result["verdict"].as_str(), result["incomplete"].as_bool()), (Some(130), Some("INVALID"), Some(true)));
    let windows = result["windows"].as_array().unwrap().len();
    assert!((1..13).contains(&windows), "{windows}");
}

#[test]
fn a_server_that_fails_is_no_fast_server() {
    let (one, other) = (Was::start(), Was::start());
    let body = r#"{"errorRate": 0.05, "errorStatus": 503}"#;
    let mut stream = TcpStream::connect(("127.0.0.1", other.port)).unwrap();
    use std::io::{Read, Write};
    let head = "PUT /api/behaviour HTTP/1.1\r\nhost: was\r\nconnection: close\r\ncontent-type: application/json";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // one of the requests before the measurement may already fail: then it does not begin
    let Output { status, stdout, .. } = compare(&one.url(20), &other.url(20), &[]).wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(status.code(), Some(20), "{result}");
    let told = format!("{}{}", result["reasons"], result["error"]);
    assert!(told.contains("arm `after` failed") || told.contains("status 503"), "{told}");
}
