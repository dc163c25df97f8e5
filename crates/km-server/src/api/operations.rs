//! `/v1/policy`, `/v1/reconcilers`, `/v1/status`: looking at a running km, and steering it.

use axum::Json;
use axum::extract::{Request, State};
use km_contract::{Health, PolicyName, WritePolicy};
use km_model::limits::BODY_BYTES_MAX;
use km_model::{Rule, Violation};
use tracing::info;

use crate::app::App;
use crate::auth::{Caller, ToAdminister, ToRead};
use crate::code::Code;
use crate::problem::Problem;
use crate::request::{Segment, json};
use crate::wire::{LetterCount, Policy, Queue, Reconciler, Reconcilers, Run, Seal, Status, StoreSizes};

/// How hard writes are tried.
#[utoipa::path(
    get,
    path = "/v1/policy",
    responses((status = 200, description = "The policy in force", body = Policy)),
    security(("key" = ["read"]))
)]
pub(super) async fn policy(State(app): State<App>, _: Caller<ToRead>) -> Json<Policy> {
    Json(Policy { policy: app.writer.policy().name.as_str().to_owned() })
}

/// Puts a policy in force for every write from now on, until the server starts again.
#[utoipa::path(
    put,
    path = "/v1/policy",
    request_body = Policy,
    responses((status = 200, description = "The policy in force", body = Policy)),
    security(("key" = ["admin"]))
)]
pub(super) async fn set_policy(
    State(app): State<App>,
    caller: Caller<ToAdminister>,
    request: Request,
) -> Result<Json<Policy>, Problem> {
    caller.principal.must_run_the_installation()?;
    let wanted: Policy = json(&app.limits, request, BODY_BYTES_MAX).await?;
    let policy = match PolicyName::from_name(&wanted.policy) {
        Some(PolicyName::Normal) => WritePolicy::NORMAL,
        Some(PolicyName::Emergency) => WritePolicy::EMERGENCY,
        None => return Err(Violation::new("policy", Rule::NotOneOf { allowed: "normal, emergency" }).into()),
    };
    app.writer.set_policy(policy);
    info!(policy = policy.name.as_str(), by = caller.principal.name(), "the write policy was set");
    Ok(Json(wanted))
}

/// The background jobs, and how their last runs ended.
#[utoipa::path(
    get,
    path = "/v1/reconcilers",
    responses((status = 200, description = "The jobs", body = Reconcilers)),
    security(("key" = ["read"]))
)]
pub(super) async fn reconcilers(State(app): State<App>, _: Caller<ToRead>) -> Json<Reconcilers> {
    let show = |job: &km_contract::reconcile::Reconciler| Reconciler {
        name: job.name(),
        every_seconds: job.every().as_secs_f64(),
        last: job.last().map(Run::from),
    };
    Json(Reconcilers { reconcilers: app.reconcilers.iter().map(show).collect() })
}

/// `POST /v1/reconcilers/{name}:run`.
pub(super) async fn act(
    State(app): State<App>,
    caller: Caller<ToAdminister>,
    Segment(segment): Segment,
) -> Result<Json<Run>, Problem> {
    let no_action = || Problem::new(Code::NoSuchCall, "a reconciler takes :run");
    run_reconciler(&app, &caller, segment.strip_suffix(":run").ok_or_else(no_action)?).await
}

/// Runs a job now, and says what it came to.
#[utoipa::path(
    post,
    path = "/v1/reconcilers/{name}:run",
    params(("name" = String, Path)),
    responses((status = 200, description = "What the run came to", body = Run)),
    security(("key" = ["admin"]))
)]
pub(super) async fn run_reconciler(
    app: &App,
    caller: &Caller<ToAdminister>,
    name: &str,
) -> Result<Json<Run>, Problem> {
    caller.principal.must_run_the_installation()?;
    let job = app.reconcilers.iter().find(|job| job.name() == name);
    let job = job.ok_or_else(|| Problem::not_found("reconciler"))?;
    Ok(Json(Run::from(job.run_now().await)))
}

/// How the server and its store are doing.
#[utoipa::path(
    get,
    path = "/v1/status",
    responses((status = 200, description = "The status", body = Status)),
    security(("key" = ["read"]))
)]
pub(super) async fn status(State(app): State<App>, caller: Caller<ToRead>) -> Result<Json<Status>, Problem> {
    let (writes, bytes) = app.writer.queued();
    let counts = app.store.letters.letter_counts().await?;
    let measures = app.store.upkeep.measures().await?;
    let seal = app.store.audit.newest_seal().await?;
    let health = match *app.writer.health().borrow() {
        Health::Ready => "ready",
        Health::Degraded { .. } => "degraded",
        Health::Failed { .. } => "failed",
    };
    Ok(Json(Status {
        version: app.version,
        health,
        durability: app.store.ledger.durability().as_str(),
        policy: app.writer.policy().name.as_str(),
        access: if app.keys.ring().await?.is_empty() { "this machine" } else { "keys" },
        tenant: caller.tenant().to_string(),
        queue: Queue { writes, bytes },
        store: StoreSizes::from(measures),
        seal: seal.map(Seal::from),
        dead_letters: counts.into_iter().map(LetterCount::from).collect(),
    }))
}
