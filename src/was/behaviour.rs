//! Slowness and failures on request: scenarios switch them on to see how the mesh copes.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::routes::App;

/// Longest delay that is accepted, in milliseconds: a typing error must not hold connections for hours.
const LONGEST_DELAY_MS: u64 = 60_000;

/// How requests to the API are impaired, in this process only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Behaviour {
    /// Delay before each answer, in milliseconds.
    pub delay_ms: u64,
    /// Share of requests that fail, 0 to 1.
    pub error_rate: f64,
    /// The status of failed requests, 400 to 599.
    pub error_status: u16,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour { delay_ms: 0, error_rate: 0.0, error_status: 503 }
    }
}

/// The behaviour that all requests share.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<RwLock<Behaviour>>);

impl Switch {
    fn get(&self) -> Behaviour {
        // a poisoned lock still holds a complete value: it is `Copy`
        *self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn set(&self, behaviour: Behaviour) {
        *self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = behaviour;
    }
}

/// Override for one request.
#[derive(Deserialize)]
pub(super) struct Override {
    delay_ms: Option<u64>,
}

/// Delays or fails a request according to the behaviour.
pub(super) async fn apply(State(app): State<App>, Query(only): Query<Override>, request: Request, next: Next) -> Response {
    let behaviour = app.behaviour.get();
    let delay = only.delay_ms.unwrap_or(behaviour.delay_ms).min(LONGEST_DELAY_MS);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if behaviour.error_rate > 0.0 && rand::random::<f64>() < behaviour.error_rate {
        let status = StatusCode::from_u16(behaviour.error_status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return (status, Json(json!({"error": "switched on by /api/behaviour"}))).into_response();
    }
    next.run(request).await
}

/// `GET /api/behaviour`
pub(super) async fn show(State(app): State<App>) -> Json<Behaviour> {
    Json(app.behaviour.get())
}

/// `PUT /api/behaviour`: absent fields fall back to their defaults, so `{}` switches everything off.
pub(super) async fn replace(State(app): State<App>, Json(wanted): Json<Behaviour>) -> Response {
    if wanted.delay_ms > LONGEST_DELAY_MS
        || !(0.0..=1.0).contains(&wanted.error_rate)
        || !(400..=599).contains(&wanted.error_status)
    {
        let expected = format!("delayMs at most {LONGEST_DELAY_MS}, errorRate from 0 to 1, errorStatus from 400 to 599");
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": expected}))).into_response();
    }
    app.behaviour.set(wanted);
    Json(wanted).into_response()
}
