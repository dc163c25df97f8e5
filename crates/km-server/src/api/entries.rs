//! `GET /v1/entries`, `/{id}`, `/{id}/revisions`.

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use km_contract::port::Filter;
use km_model::{ApprovalId, EntryId, EntryType, IncidentId, PathKind, TenantId, Timestamp};
use tokio::time::Instant;

use crate::app::App;
use crate::auth::{Caller, ToRead};
use crate::problem::Problem;
use crate::request::{Parameters, Segment};
use crate::wire::{Entries, Entry, Revision, Revisions};

/// What the filters of a list or a search say.
pub(super) fn filter(tenant: TenantId, parameters: &mut Parameters) -> Result<Filter, Problem> {
    Ok(Filter {
        tenant,
        path: parameters.one_of("path", PathKind::from_name, PathKind::NAMES)?,
        entry_type: parameters.id("entry_type", EntryType::parse)?,
        tags: parameters.all("tag"),
        labels: parameters.prefixed("label."),
        incident: parameters.id("incident_id", IncidentId::parse)?,
        approval: parameters.id("approval_id", ApprovalId::parse)?,
        occurred_from: parameters.read("occurred_from", Timestamp::parse)?,
        occurred_before: parameters.read("occurred_before", Timestamp::parse)?,
    })
}

/// Entries, the one that was written last first. All filters must hold.
#[utoipa::path(
    get,
    path = "/v1/entries",
    params(
        ("path" = Option<String>, Query, description = "From this path"),
        ("entry_type" = Option<String>, Query, description = "Of this type"),
        ("tag" = Option<Vec<String>>, Query, description = "With this tag; may be given again"),
        ("label.{name}" = Option<String>, Query, description = "With this label; may be given again"),
        ("incident_id" = Option<String>, Query, description = "About this incident"),
        ("approval_id" = Option<String>, Query, description = "About this approval"),
        ("occurred_from" = Option<String>, Query, description = "At this time or later, RFC 3339"),
        ("occurred_before" = Option<String>, Query, description = "Before this time, RFC 3339"),
        ("limit" = Option<usize>, Query, description = "1 to 100, else 20"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page", body = Entries)),
    security(("key" = ["read"]))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<ToRead>,
    mut parameters: Parameters,
) -> Result<Json<Entries>, Problem> {
    let begun = Instant::now();
    let filter = filter(caller.tenant(), &mut parameters)?;
    let (limit, after) = (parameters.limit()?, parameters.position("cursor")?);
    parameters.finish()?;
    let page = app.store.library.entries(&filter, after, limit).await?;
    app.metrics.searched("list", begun.elapsed().as_secs_f64());
    let entries = page.items.into_iter().map(Entry::from).collect();
    Ok(Json(Entries { entries, next_cursor: page.next.map(|position| position.to_string()) }))
}

/// One entry. Its `ETag` is the hash of its content.
#[utoipa::path(
    get,
    path = "/v1/entries/{entry_id}",
    params(
        ("entry_id" = String, Path),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of an earlier answer")
    ),
    responses(
        (status = 200, description = "The entry", body = Entry, headers(("ETag", description = "Of its head"))),
        (status = 304, description = "It is as it was")
    ),
    security(("key" = ["read"]))
)]
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller<ToRead>,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let entry = app.store.library.entry(&caller.tenant(), entry_id(&id)?).await?;
    let entry = entry.ok_or_else(|| Problem::not_found("entry"))?;
    let tag = format!("\"{}-{}\"", entry.head.content_hash, entry.revisions);
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let unchanged = known
        .is_some_and(|tags| tags.split(',').any(|known| matches!(known.trim(), "*") || known.trim() == tag));
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    Ok(([(ETAG, tag)], Json(Entry::from(entry))).into_response())
}

/// The history of an entry, the write that was applied last first, each with what it changed.
#[utoipa::path(
    get,
    path = "/v1/entries/{entry_id}/revisions",
    params(
        ("entry_id" = String, Path),
        ("before" = Option<u64>, Query, description = "The `next_cursor` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 100, else 20")
    ),
    responses((status = 200, description = "A page", body = Revisions)),
    security(("key" = ["read"]))
)]
pub(super) async fn revisions(
    State(app): State<App>,
    caller: Caller<ToRead>,
    Segment(id): Segment,
    mut parameters: Parameters,
) -> Result<Json<Revisions>, Problem> {
    let before = parameters.position("before")?.and_then(|number| u64::try_from(number).ok());
    let limit = parameters.limit()?;
    parameters.finish()?;
    let (tenant, id) = (caller.tenant(), entry_id(&id)?);
    // One more than is shown: the oldest of the page is compared with it.
    let mut found = app.store.library.revisions(&tenant, id, before, limit + 1).await?;
    if found.is_empty() && before.is_none() {
        return Err(Problem::not_found("entry"));
    }
    let next_cursor = (found.len() > limit).then(|| found[limit - 1].revision);
    let writes: Vec<_> =
        found.iter().skip(1).map(|revision| Some(revision.write.clone())).chain([None]).collect();
    found.truncate(limit);
    let shown =
        found.into_iter().zip(writes).map(|(revision, before)| Revision::of(revision, before.as_ref()));
    Ok(Json(Revisions { revisions: shown.collect(), next_cursor }))
}

fn entry_id(text: &str) -> Result<EntryId, Problem> {
    EntryId::parse(text).map_err(|_| Problem::not_found("entry"))
}
