//! `POST /v1/webhooks/…`: what other systems say. The answer comes after everything is durable.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use km_contract::port::LetterFormat;
use km_model::limits::BATCH_BODY_BYTES_MAX;

use crate::app::App;
use crate::auth::{Caller, ToWrite};
use crate::problem::Problem;
use crate::request::body;
use crate::wire::Delivered;

/// Takes a notification of Alertmanager (`webhook_config`, version 4).
///
/// A firing alert opens its incident, a resolved one writes it down as `incident_resolve`. A body that cannot be read
/// is kept whole as a dead letter and answered `202`; overload is answered `503`, which Alertmanager tries again.
#[utoipa::path(
    post,
    path = "/v1/webhooks/alertmanager",
    request_body(content = Object, content_type = "application/json", description = "At most 16 MiB"),
    responses(
        (status = 200, description = "Everything is durable", body = Delivered),
        (status = 202, description = "Everything is durable; a part of it as dead letters", body = Delivered)
    ),
    security(("key" = ["write"]))
)]
pub(super) async fn alertmanager(
    State(app): State<App>,
    caller: Caller<ToWrite>,
    request: Request,
) -> Result<Response, Problem> {
    deliver(&app, &caller, LetterFormat::Alertmanager, request).await
}

/// Takes any JSON object with the usual names as one resolved incident.
///
/// The first that holds text is taken of `incident_id`, `incident`, `id`, `key`, `uuid`, `number` for the incident, and
/// likewise for title, content and time. A body that cannot be read is kept whole as a dead letter.
#[utoipa::path(
    post,
    path = "/v1/webhooks/generic",
    request_body(content = Object, content_type = "application/json", description = "At most 16 MiB"),
    responses(
        (status = 200, description = "Everything is durable", body = Delivered),
        (status = 202, description = "It is durable as a dead letter", body = Delivered)
    ),
    security(("key" = ["write"]))
)]
pub(super) async fn generic(
    State(app): State<App>,
    caller: Caller<ToWrite>,
    request: Request,
) -> Result<Response, Problem> {
    deliver(&app, &caller, LetterFormat::Generic, request).await
}

async fn deliver(
    app: &App,
    caller: &Caller<ToWrite>,
    format: LetterFormat,
    request: Request,
) -> Result<Response, Problem> {
    let body = body(&app.limits, request, BATCH_BODY_BYTES_MAX).await.map_err(Problem::for_webhook)?;
    let delivered = app.intake.deliver(&caller.tenant(), format, &body).await;
    let delivered = delivered.map_err(|error| Problem::from(error).for_webhook())?;
    let mut incidents: Vec<String> =
        delivered.alerts.iter().map(|alert| alert.incident.to_string()).collect();
    incidents.sort();
    incidents.dedup();
    let status = if delivered.parked.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let answer = Delivered {
        alerts: delivered.alerts.len(),
        incidents,
        written: delivered.written.len(),
        parked: delivered.parked.iter().map(ToString::to_string).collect(),
    };
    Ok((status, Json(answer)).into_response())
}
