//! `GET /v1/search`.

use axum::Json;
use axum::extract::State;
use km_contract::port::SearchRequest;
use tokio::time::Instant;

use super::entries::filter;
use crate::app::App;
use crate::auth::{Caller, ToRead};
use crate::problem::Problem;
use crate::request::Parameters;
use crate::wire::Hits;

/// Hits of a page where the caller names no size.
const HITS_DEFAULT: usize = 10;

/// Finds entries by words, best first, each with why it was found.
///
/// Any of the words may match; more and rarer ones rank higher. English and Chinese, Japanese and Korean texts are
/// understood. What was acknowledged before the call is found.
#[utoipa::path(
    get,
    path = "/v1/search",
    params(
        ("q" = String, Query, description = "Words, or a whole alert; the first 8 KiB count"),
        ("path" = Option<String>, Query, description = "From this path"),
        ("entry_type" = Option<String>, Query, description = "Of this type"),
        ("tag" = Option<Vec<String>>, Query, description = "With this tag; may be given again"),
        ("label.{name}" = Option<String>, Query, description = "With this label; may be given again"),
        ("incident_id" = Option<String>, Query, description = "About this incident"),
        ("approval_id" = Option<String>, Query, description = "About this approval"),
        ("occurred_from" = Option<String>, Query, description = "At this time or later, RFC 3339"),
        ("occurred_before" = Option<String>, Query, description = "Before this time, RFC 3339"),
        ("limit" = Option<usize>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of hits", body = Hits)),
    security(("key" = ["read"]))
)]
pub(super) async fn search(
    State(app): State<App>,
    caller: Caller<ToRead>,
    mut parameters: Parameters,
) -> Result<Json<Hits>, Problem> {
    let begun = Instant::now();
    let text =
        parameters.one("q")?.ok_or_else(|| Problem::parameter("q", "is missing: say what to look for"))?;
    let filter = filter(caller.tenant(), &mut parameters)?;
    let after = parameters.one("cursor")?;
    let limit = parameters.limit_or(HITS_DEFAULT)?;
    parameters.finish()?;
    let page = app.store.library.search(&SearchRequest { text, filter, after, limit }).await?;
    app.metrics.searched("text", begun.elapsed().as_secs_f64());
    Ok(Json(Hits::from(page)))
}
