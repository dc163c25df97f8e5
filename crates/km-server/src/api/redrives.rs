//! `/v1/redrives`: trying many dead letters again, at a bounded rate, also after a restart.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use km_contract::LetterError;
use km_model::limits::BODY_BYTES_MAX;
use km_model::{LetterState, Rule, Violation};

use super::letters::{filter_of, visit};
use crate::app::App;
use crate::auth::{Caller, ToRedrive};
use crate::problem::Problem;
use crate::request::{Segment, json};
use crate::wire::{Redrive, RedriveDryRun, RedriveRequest};

/// Letters a second where the caller names no rate.
const RATE_DEFAULT: u32 = 50;
/// Most letters a second.
const RATE_MAX: u32 = 1_000;

/// Begins to try every letter that matches, or counts them.
#[utoipa::path(
    post,
    path = "/v1/redrives",
    request_body = RedriveRequest,
    responses(
        (status = 202, description = "It runs in the background", body = Redrive,
            headers(("Location", description = "Where to look at it"))),
        (status = 200, description = "How many would be tried", body = RedriveDryRun)
    ),
    security(("key" = ["redrive"]))
)]
pub(super) async fn begin(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    request: Request,
) -> Result<Response, Problem> {
    let wanted: RedriveRequest = json(&app.limits, request, BODY_BYTES_MAX).await?;
    let rate = wanted.rate_per_second.unwrap_or(RATE_DEFAULT);
    if !(1..=RATE_MAX).contains(&rate) {
        let rule = Rule::Malformed { expected: "a whole number from 1 to 1000" };
        return Err(Violation::new("rate_per_second", rule).into());
    }
    let (state, format) = (wanted.state.as_deref(), wanted.format.as_deref());
    let filter = filter_of(caller.tenant(), state, format, wanted.code)?;
    if wanted.dry_run {
        let mut matching = 0;
        visit(&app, &filter, |letter| {
            matching += u64::from(matches!(letter.state, LetterState::Pending | LetterState::Parked));
        })
        .await?;
        return Ok(Json(RedriveDryRun { dry_run: true, matching }).into_response());
    }
    let begun = app.letters.begin(filter, rate, caller.principal.name()).await?;
    app.wake("dead-letters");
    let location = format!("/v1/redrives/{}", begun.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(Redrive::from(begun))).into_response())
}

/// How far a redrive is.
#[utoipa::path(
    get,
    path = "/v1/redrives/{id}",
    params(("id" = String, Path)),
    responses((status = 200, description = "The redrive", body = Redrive)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    Segment(id): Segment,
) -> Result<Json<Redrive>, Problem> {
    let found = app.store.letters.redrive(&caller.tenant(), &id).await?;
    Ok(Json(Redrive::from(found.ok_or_else(|| Problem::not_found("redrive"))?)))
}

/// Stops a redrive; letters that were tried stay as they are.
#[utoipa::path(
    delete,
    path = "/v1/redrives/{id}",
    params(("id" = String, Path)),
    responses((status = 200, description = "The redrive as it stopped", body = Redrive)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    Segment(id): Segment,
) -> Result<Json<Redrive>, Problem> {
    match app.letters.cancel(&caller.tenant(), &id).await {
        Ok(redrive) => Ok(Json(Redrive::from(redrive))),
        Err(LetterError::NotFound) => Err(Problem::not_found("redrive")),
        Err(error) => Err(error.into()),
    }
}
