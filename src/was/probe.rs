//! The cluster as seen from a pod: the readiness check runs this server on every node and queries it.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::Query;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Time for one URL or name.
const LIMIT: Duration = Duration::from_secs(2);
/// The most of a response's head that is read, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

/// The result for one URL.
#[derive(Serialize)]
pub(super) struct Reached {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    ms: f64,
}

/// `GET /probe/reach?url=...&url=...`: gets each `http://` URL, all in parallel, and returns its status or the error.
pub(super) async fn reach(Query(query): Query<Vec<(String, String)>>) -> Json<Vec<Reached>> {
    let urls = query.into_iter().filter(|(key, _)| key == "url").map(|(_, url)| url);
    Json(join_all(urls.map(reach_one)).await)
}

async fn reach_one(url: String) -> Reached {
    let start = Instant::now();
    let result = timeout(LIMIT, status(&url)).await.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}")));
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let (status, error) = match result {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    Reached { url, status, error, ms }
}

/// The status of a GET. Only the response's head is read.
async fn status(url: &str) -> Result<u16, String> {
    let rest = url.strip_prefix("http://").ok_or("only http:// URLs can be reached")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let text = |error: std::io::Error| error.to_string();
    let mut connection = TcpStream::connect(address).await.map_err(text)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: hearth-probe\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.map_err(text)?;
    let mut head = Vec::with_capacity(1024);
    loop {
        if connection.read_buf(&mut head).await.map_err(text)? == 0 {
            return Err("the connection was closed before a whole response".into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(&head) {
            Ok(httparse::Status::Complete(_)) => return response.code.ok_or_else(|| "no status".into()),
            Ok(httparse::Status::Partial) if head.len() < HEAD_LIMIT => {}
            Ok(httparse::Status::Partial) => return Err("the response's head is too long".into()),
            Err(error) => return Err(format!("not HTTP: {error}")),
        }
    }
}

/// The name to look up.
#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

/// The answer from DNS.
#[derive(Serialize)]
pub(super) struct Resolved {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `GET /probe/resolve?name=...`: the addresses of a name, or the error.
pub(super) async fn resolve(Query(Name { name }): Query<Name>) -> Json<Resolved> {
    let looked_up = match timeout(LIMIT, lookup_host((name.as_str(), 0))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            addresses.sort();
            addresses.dedup();
            Ok(addresses)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    };
    let (addresses, error) = match looked_up {
        Ok(addresses) => (Some(addresses), None),
        Err(error) => (None, Some(error)),
    };
    Json(Resolved { name, addresses, error })
}
