//! Installs every component on a cluster that has nothing but Kubernetes, and prints when each part was started, written
//! and healthy. For measuring: it skips the plan, the journal and the progress display.
//!
//! ```text
//! KUBECONFIG=... MANIFESTS=<bundle>/manifests POOL=172.18.255.200-172.18.255.220 MYSQL_NODE=demo-worker WAS_IMAGE=hearth.dev/was:<tag> \
//!     cargo run --example install_components [-- --remove | --check]
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool: it prints, and stops at anything unexpected")]

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use hearth::components::catalogue::Need;
use hearth::components::{ComponentError, Inputs, Owner, Part, Secrets, apply, health, render};
use hearth::profile::{AddressRange, Telemetry};
use kube::Client;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

const PROFILE: &str = "components-example";

/// How far a part has come: 1 applied, 2 healthy.
type Stage = u8;

#[tokio::main]
async fn main() {
    let client = Client::try_default().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(180);
    if std::env::args().any(|argument| argument == "--remove") {
        let objects = apply::written(&client, PROFILE).await.unwrap();
        apply::delete(&client, &objects, deadline).await.unwrap_or_else(|error| panic!("{}", hearth::error::chain(&error)));
        println!("removed {} objects", objects.len());
        return;
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let pool: Vec<Ipv4Addr> = variable("POOL").split('-').map(|end| end.parse().unwrap()).collect();
    let pool = AddressRange { first: pool[0], last: pool[1] };
    let inputs = Inputs {
        vip: pool.first,
        pool,
        istiod_address: Ipv4Addr::new(10, 96, 0, 15),
        telemetry: Telemetry::Envoy,
        was_image: variable("WAS_IMAGE"),
        domain: None,
        web_replicas: 1,
        was_replicas: 2,
        mysql_storage: "1Gi".into(),
        mysql_node: variable("MYSQL_NODE"),
        secrets: Secrets::of_cluster(&client).await.unwrap(),
    };
    let started = Instant::now();
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| !matches!(part, Part::Storage | Part::Probe)).collect();
    let objects: HashMap<Part, Vec<Value>> = parts.iter().map(|part| (*part, objects(*part, &inputs))).collect();
    println!("rendered in {:.2?}", started.elapsed());

    if std::env::args().any(|argument| argument == "--check") {
        for part in parts {
            let started = Instant::now();
            let differences = apply::check(&client, &objects[&part]).await.unwrap();
            println!("{part:<22} {:>6.0?} {differences:?}", started.elapsed());
        }
        return;
    }

    let start = Instant::now();
    let gateway = tokio::spawn(first_answer(inputs.vip, start));
    let stages: HashMap<Part, watch::Sender<Stage>> = parts.iter().map(|part| (*part, watch::Sender::new(0))).collect();
    let runs = parts.iter().map(|part| run(&client, *part, &objects[part], &stages, start, deadline));
    let rows = futures_util::future::join_all(runs).await;
    println!("{:<22} {:>8} {:>8} {:>8}", "part", "start", "applied", "healthy");
    for row in rows {
        match row {
            Ok((part, [from, applied, healthy])) => println!("{part:<22} {from:>8.2} {applied:>8.2} {healthy:>8.2}"),
            Err(error) => println!("{}", hearth::error::chain(&error)),
        }
    }
    println!("first 200 on /api/items after {:.2} s", gateway.await.unwrap().as_secs_f64());
}

fn objects(part: Part, inputs: &Inputs) -> Vec<Value> {
    match part.definitions() {
        Some(pin) => {
            let folder = std::env::var("MANIFESTS").expect("MANIFESTS is set");
            let text = std::fs::read_to_string(format!("{folder}/{}", pin.name)).unwrap();
            render::definitions(part, &text).unwrap()
        }
        None => render::render(part, inputs).unwrap(),
    }
}

async fn run(
    client: &Client,
    part: Part,
    objects: &[Value],
    stages: &HashMap<Part, watch::Sender<Stage>>,
    start: Instant,
    deadline: Instant,
) -> Result<(Part, [f64; 3]), ComponentError> {
    for need in part.needs() {
        let wanted = if matches!(need, Need::Applied(_)) { 1 } else { 2 };
        let mut stage = stages[&need.part()].subscribe();
        stage.wait_for(|stage| *stage >= wanted).await.unwrap();
    }
    let from = start.elapsed();
    let owner = Owner { profile: PROFILE.into(), part };
    apply::apply(client, &owner, objects, deadline).await?;
    let applied = start.elapsed();
    stages[&part].send_replace(1);
    health::wait(client, objects, deadline).await?;
    stages[&part].send_replace(2);
    Ok((part, [from, applied, start.elapsed()].map(|time| time.as_secs_f64())))
}

/// When the application first answers through the gateway, database included.
async fn first_answer(vip: Ipv4Addr, start: Instant) -> Duration {
    let mut last = String::new();
    loop {
        let answer = timeout(Duration::from_millis(1000), ask(vip)).await;
        let line = match answer {
            Ok(Ok(text)) => text.lines().next().unwrap_or_default().to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timeout".to_owned(),
        };
        if line != last {
            println!("{:>8.2} gateway: {line}", start.elapsed().as_secs_f64());
            last = line.clone();
        }
        if line.contains(" 200 ") {
            return start.elapsed();
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(vip: Ipv4Addr) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect((vip, 80)).await?;
    stream.write_all(b"GET /api/items HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n").await?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
