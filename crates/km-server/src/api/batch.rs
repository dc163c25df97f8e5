//! `POST /v1/writes:batch`: many writes in one call, one answer for each, in order.

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use km_intake::json::{self, Form};
use km_model::TenantId;
use km_model::limits::BATCH_BODY_BYTES_MAX;

use super::writes::arrival;
use crate::app::App;
use crate::auth::{Caller, ToWrite};
use crate::problem::Problem;
use crate::request::{body, expect_media};
use crate::wire::{BatchItem, Write, Written};

const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

/// Remembers up to 1,000 writes, each by itself: what is wrong with one is its own answer and no other's.
///
/// The body is JSON lines or one JSON array, at most 16 MiB and 1 MiB a write; each may carry its `write_id`. The
/// answer has the same form, the same order and the same length.
#[utoipa::path(
    post,
    path = "/v1/writes:batch",
    request_body(content((Write = "application/x-ndjson"), (Vec<Write> = "application/json"))),
    responses((status = 200, description = "One answer for each write, in order", content(
        (BatchItem = "application/x-ndjson"),
        (Vec<BatchItem> = "application/json")
    ))),
    security(("key" = ["write"]))
)]
pub(super) async fn write_batch(
    State(app): State<App>,
    caller: Caller<ToWrite>,
    request: Request,
) -> Result<Response, Problem> {
    expect_media(request.headers(), &[JSON, NDJSON, "application/jsonl", "application/ndjson"])?;
    let body = body(&app.limits, request, BATCH_BODY_BYTES_MAX).await?;
    let (form, items) = json::items(&body)?;
    let tenant = caller.tenant();
    // Joined, not awaited in turn: the writes of a batch wait for the disk together.
    let answers = join_all(items.into_iter().map(|item| answer(&app, &tenant, item))).await;
    show(form, &answers)
}

async fn answer(app: &App, tenant: &TenantId, item: &[u8]) -> BatchItem {
    match write_one(app, tenant, item).await {
        Ok(written) => BatchItem::Written(written),
        Err(problem) => BatchItem::Problem { problem: problem.body() },
    }
}

async fn write_one(app: &App, tenant: &TenantId, item: &[u8]) -> Result<Written, Problem> {
    let read = json::read(item)?;
    let arrival = arrival(read.received_at);
    let written = app.writer.write_patiently(tenant, read.write_id, read.write, arrival).await?;
    Ok(Written::from(&written))
}

fn show(form: Form, answers: &[BatchItem]) -> Result<Response, Problem> {
    let mut body = Vec::new();
    let (kind, shown) = match form {
        Form::Array => (JSON, serde_json::to_writer(&mut body, answers)),
        Form::Lines => (
            NDJSON,
            answers.iter().try_for_each(|answer| {
                serde_json::to_writer(&mut body, answer)?;
                body.push(b'\n');
                Ok(())
            }),
        ),
    };
    shown.map_err(|_| Problem::internal())?;
    Ok(([(CONTENT_TYPE, kind)], body).into_response())
}
