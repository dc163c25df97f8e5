//! `/v1/keys`: API keys, made once, shown once, ended for good.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use km_contract::port::Scope;
use km_model::limits::{BODY_BYTES_MAX, ID_BYTES_MAX};
use km_model::{Rule, TenantId, Violation};

use crate::app::App;
use crate::auth::{Caller, ToAdminister};
use crate::code::Code;
use crate::problem::Problem;
use crate::request::{Segment, json};
use crate::wire::{Key, KeyList, KeyRequest, MadeKey};

/// The scopes, for messages.
const SCOPES: &str = "write, read, redrive, admin";
/// Most keys that an installation keeps, ended ones included.
const KEYS_MAX: usize = 10_000;

/// Makes a key. It is shown in this answer and never again; km keeps its SHA-256.
#[utoipa::path(
    post,
    path = "/v1/keys",
    request_body = KeyRequest,
    responses((status = 201, description = "The key", body = MadeKey)),
    security(("key" = ["admin"]))
)]
pub(super) async fn make(
    State(app): State<App>,
    caller: Caller<ToAdminister>,
    request: Request,
) -> Result<Response, Problem> {
    let wanted: KeyRequest = json(&app.limits, request, BODY_BYTES_MAX).await?;
    let name = name(wanted.name)?;
    let scopes = scopes(&wanted.scopes)?;
    let tenant = match wanted.tenant {
        Some(tenant) => TenantId::parse(tenant)?,
        None => caller.tenant(),
    };
    if tenant != caller.tenant() {
        caller.principal.must_run_the_installation()?;
    }
    if app.keys.list().await?.len() >= KEYS_MAX {
        let rule = Rule::TooMany { count: KEYS_MAX + 1, max: KEYS_MAX };
        return Err(Violation::new("keys", rule).into());
    }
    let made = app.keys.make(name, tenant, scopes, app.clock.now(), (app.entropy)()).await?;
    let answer = MadeKey { key: made.text, described: Key::from(made.key) };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn name(name: String) -> Result<String, Violation> {
    let rule = match name.len() {
        0 => Rule::Missing { because: "it says what the key is for" },
        bytes if bytes > ID_BYTES_MAX => Rule::TooLong { bytes, max: ID_BYTES_MAX },
        _ => match name.chars().find(|c| c.is_control()) {
            Some(c) => Rule::ControlCharacter { code_point: c.into() },
            None => return Ok(name),
        },
    };
    Err(Violation::new("name", rule))
}

fn scopes(names: &[String]) -> Result<Vec<Scope>, Violation> {
    if names.is_empty() {
        return Err(Violation::new("scopes", Rule::Missing { because: "a key without one may do nothing" }));
    }
    let mut scopes: Vec<Scope> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let unknown = || Violation::new(format!("scopes[{at}]"), Rule::NotOneOf { allowed: SCOPES });
        let scope = Scope::from_name(name).ok_or_else(unknown)?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// The keys that the caller administers, the oldest first, revoked ones included.
#[utoipa::path(
    get,
    path = "/v1/keys",
    responses((status = 200, description = "The keys", body = KeyList)),
    security(("key" = ["admin"]))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<ToAdminister>,
) -> Result<Json<KeyList>, Problem> {
    let mut keys = app.keys.list().await?;
    if !caller.principal.runs_the_installation() {
        keys.retain(|key| key.tenant == caller.tenant());
    }
    Ok(Json(KeyList { keys: keys.into_iter().map(Key::from).collect() }))
}

/// Ends a key, from the next request on. Ending the last one does not open the server again.
#[utoipa::path(
    delete,
    path = "/v1/keys/{id}",
    params(("id" = String, Path)),
    responses((status = 204, description = "The key is ended")),
    security(("key" = ["admin"]))
)]
pub(super) async fn end(
    State(app): State<App>,
    caller: Caller<ToAdminister>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let key = app.keys.list().await?.into_iter().find(|key| key.id == id);
    let reaches = |key: &km_contract::port::ApiKey| {
        key.tenant == caller.tenant() || caller.principal.runs_the_installation()
    };
    if !key.as_ref().is_some_and(reaches) || !app.keys.end(&id, app.clock.now()).await? {
        return Err(Problem::new(Code::NotFound, "there is no such key"));
    }
    Ok(StatusCode::NO_CONTENT)
}
