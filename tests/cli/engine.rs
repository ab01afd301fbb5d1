//! A Docker engine that answers as an empty one would: to test Hearth's output on machines without Docker.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Serves until the test ends, or does not.
pub struct Engine;

impl Engine {
    /// Its socket is there, but nothing listens on it.
    pub fn stopped(socket: &Path) -> Engine {
        drop(UnixListener::bind(socket).unwrap());
        Engine
    }

    /// `answer` returns status and body for a request's path.
    pub fn serve(socket: &Path, answer: fn(&str) -> (u16, String)) -> Engine {
        let listener = UnixListener::bind(socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || converse(stream.unwrap(), answer));
            }
        });
        Engine
    }
}

fn converse(mut stream: UnixStream, answer: fn(&str) -> (u16, String)) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        // no request of these tests has a body
        let _headers = lines.by_ref().take_while(|line| !line.is_empty()).count();
        let (status, body) = answer(&path);
        let head = format!("HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        if write!(stream, "{head}\r\n\r\n{body}").is_err() {
            return;
        }
    }
}

/// Docker 29 without containers, networks, volumes and images.
pub fn current(path: &str) -> (u16, String) {
    let path = path.split('?').next().unwrap_or_default();
    let body = match path.rsplit('/').next().unwrap_or_default() {
        "version" => r#"{"Version": "29.1.1", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}"#,
        "info" => {
            r#"{"ID": "x", "Name": "engine", "OSType": "linux", "Architecture": "x86_64", "NCPU": 4, "MemTotal": 16000000000,
                "ServerVersion": "29.1.1", "CgroupVersion": "2", "DockerRootDir": "/", "SecurityOptions": []}"#
        }
        "json" if path.ends_with("/containers/json") => "[]",
        "networks" => "[]",
        "volumes" => r#"{"Volumes": [], "Warnings": []}"#,
        _ => return (404, r#"{"message": "there is nothing here"}"#.to_owned()),
    };
    (200, body.to_owned())
}

/// What Docker answered about itself in 2019, to any request.
pub fn ancient(_: &str) -> (u16, String) {
    (200, r#"{"Version": "19.03.15", "ApiVersion": "1.40", "MinAPIVersion": "1.12"}"#.to_owned())
}
