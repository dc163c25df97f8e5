//! Whether the process lives, and whether it can keep its promise now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use km_contract::Health;
use serde::Serialize;

use crate::app::App;

pub(crate) fn router() -> Router<App> {
    Router::new().route("/healthz", routing::get(alive)).route("/readyz", routing::get(ready))
}

/// Whether writes can be served, and what an acknowledgement is worth.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    durability: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(app): State<App>) -> Response {
    let health = app.writer.health().borrow().clone();
    let reason = match &health {
        Health::Ready => None,
        Health::Degraded { kind, code } => {
            Some(format!("the store is left alone: {} ({code})", kind.as_str()))
        }
        Health::Failed { code } => Some(format!("the store failed ({code})")),
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let durability = app.store.ledger.durability().as_str();
    (status, Json(Ready { ready: reason.is_none(), durability, reason })).into_response()
}
