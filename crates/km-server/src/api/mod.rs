//! The calls of the API: one file for each resource, and the document that describes them all.

mod batch;
mod entries;
mod incidents;
mod keys;
mod letters;
mod operations;
mod redrives;
mod search;
mod slo;
mod webhooks;
mod writes;

use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{Json, Router, routing};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::code::Code;
use crate::problem::{Problem, ProblemBody};
use crate::request::Segment;

/// The document without the calls.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "km",
        description = "A knowledge memory for incident response. Every failure is a problem document (RFC 9457) with a \
                       stable code; its page is served at `/errors/{code}`."
    ),
    components(schemas(ProblemBody)),
    paths(letters::edit, letters::discard, letters::redrive, operations::run_reconciler),
    modifiers(&Common)
)]
struct Described;

/// Every call: those whose address ends in an action are described above and told apart by their handler, since
/// the router takes whole segments.
fn calls() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(writes::write, writes::feed))
        .routes(routes!(batch::write_batch))
        .routes(routes!(writes::find))
        .routes(routes!(entries::list))
        .routes(routes!(entries::one))
        .routes(routes!(entries::revisions))
        .routes(routes!(search::search))
        .routes(routes!(incidents::chain))
        .routes(routes!(incidents::of_approval))
        .routes(routes!(webhooks::alertmanager))
        .routes(routes!(webhooks::generic))
        .routes(routes!(letters::list))
        .routes(routes!(letters::groups))
        .routes(routes!(letters::one))
        .route("/v1/dead-letters/{id}", routing::post(letters::act))
        .routes(routes!(redrives::begin))
        .routes(routes!(redrives::one, redrives::cancel))
        .routes(routes!(keys::make, keys::list))
        .routes(routes!(keys::end))
        .routes(routes!(operations::policy, operations::set_policy))
        .routes(routes!(operations::reconcilers))
        .route("/v1/reconcilers/{name}", routing::post(operations::act))
        .routes(routes!(operations::status))
        .routes(routes!(slo::report))
}

pub(crate) fn router() -> Router<App> {
    calls().split_for_parts().0
}

/// What describes the calls and their failures: the same for everybody, and open to everybody.
pub(crate) fn documents() -> Router<App> {
    Router::new().route("/openapi.json", routing::get(document)).route("/errors/{code}", routing::get(page))
}

/// The document that describes every call, OpenAPI 3.1.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = calls().into_openapi();
    Common.modify(&mut document);
    document
}

async fn document() -> Json<&'static utoipa::openapi::OpenApi> {
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(openapi);
    Json(&DOCUMENT)
}

/// The page that explains a code.
async fn page(Segment(code): Segment) -> Result<impl IntoResponse, Problem> {
    let code = Code::from_id(&code).ok_or_else(|| Problem::not_found("code"))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("max-age=3600")),
    ];
    Ok((headers, code.page()))
}

/// What holds for every call: how keys are shown, and what a failure looks like.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key, `km_…`, with the scope that the call names. Not needed on this machine while no key was \
                 ever made.",
            ))
            .build();
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
            operations.into_iter().flatten().for_each(describe_failures);
        }
    }
}

fn describe_failures(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let failure = ResponseBuilder::new()
        .description("A problem; `code` says which")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".to_owned(), failure.into());
}
