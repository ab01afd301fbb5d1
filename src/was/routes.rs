//! Routes, the headers of every answer, and the answers that need no database.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Config, behaviour, items, probe};

/// Header with Envoy's attempt number for the hop to this server; from 1.
const ATTEMPT: &str = "x-envoy-attempt-count";
/// The attempt number that web received, for the gateway's retries.
const GATEWAY_ATTEMPT: &str = "x-gateway-attempt";

/// What handlers share.
#[derive(Clone)]
pub(super) struct App {
    pub identity: Arc<Identity>,
    pub items: Option<items::Store>,
    pub behaviour: behaviour::Switch,
    pub draining: CancellationToken,
}

/// Identifies the server in its answers.
pub(super) struct Identity {
    pod: String,
    version: String,
}

/// The complete server. `draining` is cancelled once it was told to stop.
pub(super) fn router(config: Config, draining: CancellationToken) -> Router {
    let app = App {
        identity: Arc::new(Identity { pod: config.pod, version: config.version }),
        items: config.database.map(items::Store::new),
        behaviour: behaviour::Switch::default(),
        draining,
    };
    let api = Router::new()
        .route("/api", get(whoami))
        .route("/api/", get(whoami))
        .route("/api/whoami", get(whoami))
        .route("/api/items", get(items::list).post(items::create))
        .route("/api/items/{id}", get(items::show).delete(items::remove))
        .layer(from_fn_with_state(app.clone(), behaviour::apply));
    Router::new()
        .merge(api)
        .route("/api/behaviour", get(behaviour::show).put(behaviour::replace))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        // outside /api, the only path that web passes on: nobody outside the cluster can make this server send requests
        .route("/probe/reach", get(probe::reach))
        .route("/probe/resolve", get(probe::resolve))
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({"error": "no such path"}))) })
        .layer(from_fn_with_state(app.clone(), sign))
        .with_state(app)
}

/// Adds the server's identity to every response.
async fn sign(State(app): State<App>, request: Request, next: Next) -> Response {
    let attempt = request.headers().get(ATTEMPT).cloned().unwrap_or(HeaderValue::from_static("0"));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-attempt"), attempt);
    for (name, value) in [("x-pod", &app.identity.pod), ("x-version", &app.identity.version)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if app.draining.is_cancelled() {
        // so that clients use another server before this one closes their connections
        headers.insert(axum::http::header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// `GET /api/whoami`: the identity of the server, and what the proxies on the way added to the request.
async fn whoami(State(app): State<App>, headers: HeaderMap) -> Json<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| text(name).and_then(|value| value.parse::<u32>().ok());
    Json(json!({
        "pod": app.identity.pod,
        "version": app.identity.version,
        "attempt": number(ATTEMPT),
        "gatewayAttempt": number(GATEWAY_ATTEMPT),
        "requestId": text("x-request-id"),
    }))
}

/// `GET /readyz`: 200 while the database, if there is one, answers and the server was not told to stop.
async fn ready(State(app): State<App>) -> Response {
    if app.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match &app.items {
        None => "ok\n".into_response(),
        Some(store) => match store.ping().await {
            Ok(()) => "ok\n".into_response(),
            Err(error) => error.into_response(),
        },
    }
}
