//! `/v1/dead-letters`: look at what was kept and not applied, and decide.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use km_contract::port::{LetterFilter, LetterFormat, LetterSummary};
use km_model::limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX, SOURCE_BYTES_MAX};
use km_model::{LetterState, Rule, TenantId, Timestamp, Violation, WriteId};

use crate::app::App;
use crate::auth::{Caller, ToRedrive};
use crate::code::Code;
use crate::problem::Problem;
use crate::request::{Parameters, Segment, json};
use crate::wire::{
    DeadLetter, DeadLetters, LetterDiscard, LetterEdit, LetterGroup, LetterGroups, LetterStanding,
    WholeLetter,
};

/// The states, for messages.
const STATES: &str = "pending, parked, settled, discarded";
/// The formats, for messages.
const FORMATS: &str = "write, alertmanager, generic";
/// Letters that one look takes when all are looked at.
const LOOK: usize = 1_000;

/// Dead letters, the newest first. All filters must hold.
#[utoipa::path(
    get,
    path = "/v1/dead-letters",
    params(
        ("state" = Option<String>, Query, description = "In this state"),
        ("format" = Option<String>, Query, description = "Of this format"),
        ("code" = Option<String>, Query, description = "With this reason code"),
        ("limit" = Option<usize>, Query, description = "1 to 100, else 20"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page", body = DeadLetters)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    mut parameters: Parameters,
) -> Result<Json<DeadLetters>, Problem> {
    let filter = filter(caller.tenant(), &mut parameters)?;
    let (limit, after) = (parameters.limit()?, parameters.position("cursor")?);
    parameters.finish()?;
    let page = app.store.letters.letters(&filter, after, limit).await?;
    let dead_letters = page.items.iter().map(DeadLetter::from).collect();
    Ok(Json(DeadLetters { dead_letters, next_cursor: page.next.map(|position| position.to_string()) }))
}

/// Dead letters by state, format and reason: where to begin when there are many.
#[utoipa::path(
    get,
    path = "/v1/dead-letters:groups",
    params(
        ("state" = Option<String>, Query, description = "In this state"),
        ("format" = Option<String>, Query, description = "Of this format"),
        ("code" = Option<String>, Query, description = "With this reason code")
    ),
    responses((status = 200, description = "The groups, the largest first", body = LetterGroups)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn groups(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    mut parameters: Parameters,
) -> Result<Json<LetterGroups>, Problem> {
    let filter = filter(caller.tenant(), &mut parameters)?;
    parameters.finish()?;
    let mut groups = BTreeMap::new();
    visit(&app, &filter, |letter| {
        let reason = (letter.state.as_str(), letter.format.as_str(), letter.reason.code.to_string());
        let (letters, bytes, oldest) = groups.entry(reason).or_insert((0, 0, letter.stored_at));
        *letters += 1;
        *bytes += letter.payload_bytes as u64;
        *oldest = letter.stored_at.min(*oldest);
    })
    .await?;
    Ok(Json(LetterGroups { groups: largest_first(groups) }))
}

type Groups = BTreeMap<(&'static str, &'static str, String), (u64, u64, Timestamp)>;

fn largest_first(groups: Groups) -> Vec<LetterGroup> {
    let show = |((state, format, code), (letters, bytes, oldest)): (_, (u64, u64, Timestamp))| LetterGroup {
        state,
        format,
        code,
        letters,
        bytes,
        oldest: oldest.to_string(),
    };
    let mut shown: Vec<LetterGroup> = groups.into_iter().map(show).collect();
    shown.sort_by_key(|group| std::cmp::Reverse(group.letters));
    shown
}

/// Looks at every letter that passes a filter; the limit on dead letters bounds how many there are.
pub(super) async fn visit(
    app: &App,
    filter: &LetterFilter,
    mut look: impl FnMut(&LetterSummary),
) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let page = app.store.letters.letters(filter, after, LOOK).await?;
        page.items.iter().for_each(&mut look);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// One dead letter with its payload and all that happened to it.
#[utoipa::path(
    get,
    path = "/v1/dead-letters/{id}",
    params(("id" = String, Path)),
    responses((status = 200, description = "The letter", body = WholeLetter)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    Segment(id): Segment,
) -> Result<Json<WholeLetter>, Problem> {
    let letter = app.store.letters.letter(&caller.tenant(), &letter_id(id)?).await?;
    Ok(Json(WholeLetter::from(letter.ok_or_else(|| Problem::not_found("dead letter"))?)))
}

/// `POST /v1/dead-letters/{id}:{action}`.
pub(super) async fn act(
    State(app): State<App>,
    caller: Caller<ToRedrive>,
    Segment(segment): Segment,
    request: Request,
) -> Result<Response, Problem> {
    let (id, action) = segment.rsplit_once(':').ok_or_else(no_action)?;
    let id = letter_id(id.to_owned())?;
    let standing = match action {
        "edit" => edit(&app, &caller, id, request).await,
        "discard" => discard(&app, &caller, id, request).await,
        "redrive" => redrive(&app, &caller, id).await,
        _ => Err(no_action()),
    };
    Ok(standing?.into_response())
}

fn no_action() -> Problem {
    Problem::new(Code::NoSuchCall, "a dead letter takes :edit, :discard and :redrive")
}

/// Replaces what would be applied, and lets it be tried. The original stays readable.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{id}:edit",
    params(("id" = String, Path)),
    request_body(content = LetterEdit, description = "At most 16 MiB"),
    responses((status = 200, description = "Where the letter stands", body = LetterStanding)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn edit(
    app: &App,
    caller: &Caller<ToRedrive>,
    id: WriteId,
    request: Request,
) -> Result<Json<LetterStanding>, Problem> {
    let edit: LetterEdit = json(&app.limits, request, BATCH_BODY_BYTES_MAX).await?;
    let format = LetterFormat::from_name(&edit.format)
        .ok_or_else(|| Violation::new("format", Rule::NotOneOf { allowed: FORMATS }))?;
    let state =
        app.letters.edit(&caller.tenant(), &id, edit.payload, format, caller.principal.name()).await?;
    Ok(standing(&id, state))
}

/// Decides that a letter will not be applied. It stays readable.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{id}:discard",
    params(("id" = String, Path)),
    request_body = LetterDiscard,
    responses((status = 200, description = "Where the letter stands", body = LetterStanding)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn discard(
    app: &App,
    caller: &Caller<ToRedrive>,
    id: WriteId,
    request: Request,
) -> Result<Json<LetterStanding>, Problem> {
    let LetterDiscard { reason } = json(&app.limits, request, BODY_BYTES_MAX).await?;
    if reason.trim().is_empty() {
        return Err(
            Violation::new("reason", Rule::Missing { because: "it stays in the letter's history" }).into()
        );
    }
    if reason.len() > SOURCE_BYTES_MAX {
        let rule = Rule::TooLong { bytes: reason.len(), max: SOURCE_BYTES_MAX };
        return Err(Violation::new("reason", rule).into());
    }
    let state = app.letters.discard(&caller.tenant(), &id, &reason, caller.principal.name()).await?;
    Ok(standing(&id, state))
}

/// Tries a letter now. Repeating it is harmless.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{id}:redrive",
    params(("id" = String, Path)),
    responses((status = 200, description = "Where the letter stands now", body = LetterStanding)),
    security(("key" = ["redrive"]))
)]
pub(super) async fn redrive(
    app: &App,
    caller: &Caller<ToRedrive>,
    id: WriteId,
) -> Result<Json<LetterStanding>, Problem> {
    let state = app.letters.redrive(&caller.tenant(), &id, caller.principal.name()).await?;
    Ok(standing(&id, state))
}

fn standing(id: &WriteId, state: LetterState) -> Json<LetterStanding> {
    Json(LetterStanding { id: id.to_string(), state: state.as_str() })
}

fn letter_id(text: String) -> Result<WriteId, Problem> {
    WriteId::parse(text).map_err(|_| Problem::not_found("dead letter"))
}

fn filter(tenant: TenantId, parameters: &mut Parameters) -> Result<LetterFilter, Problem> {
    Ok(LetterFilter {
        tenant,
        state: parameters.one_of("state", LetterState::from_name, STATES)?,
        format: parameters.one_of("format", LetterFormat::from_name, FORMATS)?,
        code: parameters.one("code")?,
    })
}

/// As [`filter`], from the fields of a body.
pub(super) fn filter_of(
    tenant: TenantId,
    state: Option<&str>,
    format: Option<&str>,
    code: Option<String>,
) -> Result<LetterFilter, Problem> {
    let no_state = || Violation::new("state", Rule::NotOneOf { allowed: STATES });
    let no_format = || Violation::new("format", Rule::NotOneOf { allowed: FORMATS });
    Ok(LetterFilter {
        tenant,
        state: state.map(|name| LetterState::from_name(name).ok_or_else(no_state)).transpose()?,
        format: format.map(|name| LetterFormat::from_name(name).ok_or_else(no_format)).transpose()?,
        code,
    })
}
