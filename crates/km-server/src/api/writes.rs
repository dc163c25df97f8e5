//! `POST /v1/writes`, `GET /v1/writes`, `GET /v1/writes/{write_id}`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use km_contract::Arrival;
use km_model::limits::BODY_BYTES_MAX;
use km_model::{Outcome, Timestamp, WriteId};

use crate::app::App;
use crate::auth::{Caller, ToRead, ToWrite};
use crate::problem::Problem;
use crate::request::{Parameters, Segment, body, expect_media, idempotency_key, one_id};
use crate::wire::{Feed, Write, WriteRecord, Written};

/// Remembers one write.
///
/// The answer comes after the write is durable. Repeating the call with the same write id is harmless and gives
/// the same receipt; after `504` it resolves the doubt.
#[utoipa::path(
    post,
    path = "/v1/writes",
    params(("Idempotency-Key" = Option<String>, Header, description = "The write id")),
    request_body = Write,
    responses(
        (status = 201, description = "`created`", body = Written, headers(("Location", description = "The entry"))),
        (status = 200, description = "`revised`, `superseded` or `replayed`", body = Written)
    ),
    security(("key" = ["write"]))
)]
pub(super) async fn write(
    State(app): State<App>,
    caller: Caller<ToWrite>,
    request: Request,
) -> Result<Response, Problem> {
    expect_media(request.headers(), &["application/json"])?;
    let header = idempotency_key(request.headers())?;
    let body = body(&app.limits, request, BODY_BYTES_MAX).await?;
    let read = km_intake::json::read(&body)?;
    let id = one_id(header, read.write_id)?;
    let arrival = arrival(read.received_at);
    let written = app.writer.write(&caller.tenant(), id, read.write, arrival).await?;
    let answer = Json(Written::from(&written));
    Ok(match written.outcome {
        Outcome::Created => {
            let entry = format!("/v1/entries/{}", written.receipt.entry_id());
            (StatusCode::CREATED, [(LOCATION, entry)], answer).into_response()
        }
        Outcome::Revised | Outcome::Replayed | Outcome::Superseded | Outcome::Parked => {
            answer.into_response()
        }
    })
}

/// How a caller's write comes in.
pub(super) fn arrival(received_at: Option<Timestamp>) -> Arrival {
    received_at.map_or(Arrival::Call, |since| Arrival::HandedOn { since })
}

/// What became of a write.
#[utoipa::path(
    get,
    path = "/v1/writes/{write_id}",
    params(("write_id" = String, Path)),
    responses((status = 200, description = "The write as it was kept", body = WriteRecord)),
    security(("key" = ["read"]))
)]
pub(super) async fn find(
    State(app): State<App>,
    caller: Caller<ToRead>,
    Segment(id): Segment,
) -> Result<Json<WriteRecord>, Problem> {
    let id = WriteId::parse(id).map_err(|_| Problem::not_found("write"))?;
    let record = app.store.ledger.find(&caller.tenant(), &id).await?;
    let record = record.ok_or_else(|| Problem::not_found("write"))?;
    Ok(Json(WriteRecord::of(&record, app.store.ledger.durability())))
}

/// The ledger of the tenant: every write in the order of application, dead letters included.
#[utoipa::path(
    get,
    path = "/v1/writes",
    params(
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 100, else 20")
    ),
    responses((status = 200, description = "A page", body = Feed)),
    security(("key" = ["read"]))
)]
pub(super) async fn feed(
    State(app): State<App>,
    caller: Caller<ToRead>,
    mut parameters: Parameters,
) -> Result<Json<Feed>, Problem> {
    let after = parameters.position("after")?.unwrap_or(0);
    let limit = parameters.limit()?;
    parameters.finish()?;
    let records = app.store.library.feed(&caller.tenant(), after, limit).await?;
    let full = records.len() == limit;
    let next_cursor = records.last().filter(|_| full).map(|record| record.position.to_string());
    let durability = app.store.ledger.durability();
    let writes = records.iter().map(|record| WriteRecord::of(record, durability)).collect();
    Ok(Json(Feed { writes, next_cursor }))
}
