//! The one map from failures to problem documents (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use km_contract::port::{StoreError, StoreErrorKind};
use km_contract::{LetterError, WriteError};
use km_intake::json::{InvalidBatch, InvalidJson};
use km_model::{Rule, Violation};
use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;

/// How long a caller waits where nothing better is known.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// Why a call was not answered with what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    write_id: Option<String>,
    retry_after: Option<Duration>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field as the caller spelt it, with an index where there is one.
    field: String,
    /// The rule that it breaks, with its figures.
    message: String,
}

/// A problem document, `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The page that explains the code, relative to the server.
    #[serde(rename = "type")]
    kind: String,
    /// What happened, in words without data.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened here.
    detail: String,
    /// The stable code.
    code: &'static str,
    /// Whether the same request, with the same write id, may succeed later.
    retryable: bool,
    /// What is wrong, by field.
    errors: Vec<FieldError>,
    /// The write to ask about, where its outcome is in doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    write_id: Option<String>,
}

impl Problem {
    /// A problem that `detail` explains.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after =
            (code.is_retryable() && status != StatusCode::BAD_REQUEST).then_some(RETRY_AFTER_DEFAULT);
        Self { code, status, detail: detail.into(), errors: Vec::new(), write_id: None, retry_after }
    }

    /// Names a field and what is wrong with it.
    pub(crate) fn with_error(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// A parameter of the query that cannot be used.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self::new(Code::BadFilter, "a query parameter cannot be used").with_error(name, message)
    }

    /// Something that is not there, or belongs to somebody else.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// A body beyond the limit of its call.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self::new(Code::BodyTooLarge, format!("the limit is {bytes_max} bytes"))
    }

    /// A fault of km itself.
    pub(crate) fn internal() -> Self {
        Self::new(Code::Internal, Code::Internal.title())
    }

    /// As senders of webhooks need it: 503 wherever delivering again can help, since other codes make some
    /// of them give up.
    pub(crate) fn for_webhook(mut self) -> Self {
        if self.code.is_retryable() {
            self.status = StatusCode::SERVICE_UNAVAILABLE;
            self.retry_after.get_or_insert(RETRY_AFTER_DEFAULT);
        }
        self
    }

    fn after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The document, for an answer or for one line of a batch.
    pub(crate) fn body(self) -> ProblemBody {
        ProblemBody {
            kind: format!("/errors/{}", self.code.id()),
            title: self.code.title(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code.id(),
            retryable: self.code.is_retryable(),
            errors: self.errors,
            write_id: self.write_id,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status, retry_after) = (self.code, self.status, self.retry_after);
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(pause) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs_f64().ceil().max(1.0) as u64));
        }
        if code == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        debug_assert!(!headers.contains_key(ALLOW), "the router names the methods");
        response
    }
}

impl From<Vec<Violation>> for Problem {
    fn from(violations: Vec<Violation>) -> Self {
        let code = violations.first().map_or(Code::Internal, code_of);
        let rules = if violations.len() == 1 { "rule" } else { "rules" };
        let problem = Self::new(code, format!("the request breaks {} {rules}", violations.len()));
        violations.iter().fold(problem, |problem, violation| {
            problem.with_error(violation.field.as_ref(), violation.rule.to_string())
        })
    }
}

impl From<Violation> for Problem {
    fn from(violation: Violation) -> Self {
        Self::from(vec![violation])
    }
}

fn code_of(violation: &Violation) -> Code {
    match violation.rule {
        Rule::Missing { .. } => Code::Missing,
        Rule::NothingToRemember => Code::NothingToRemember,
        Rule::TooLong { .. } => Code::TooLong,
        Rule::TooMany { .. } => Code::TooMany,
        Rule::TooDeep { .. } => Code::TooDeep,
        Rule::ControlCharacter { .. } => Code::ControlCharacter,
        Rule::Malformed { .. } | Rule::HoldsSecret => Code::Malformed,
        Rule::NotOneOf { .. } if violation.field == "path" => Code::UnknownPath,
        Rule::NotOneOf { .. } => Code::NotOneOf,
        Rule::NotOnThisPath { .. } => Code::NotOnThisPath,
        Rule::InTheFuture { .. } => Code::InTheFuture,
    }
}

impl From<InvalidJson> for Problem {
    fn from(error: InvalidJson) -> Self {
        match error {
            InvalidJson::TooLong { .. } => Self::too_large(km_model::limits::BODY_BYTES_MAX),
            InvalidJson::Syntax { source } => Self::new(Code::InvalidJson, source.to_string()),
            InvalidJson::Shape { field, source } => {
                let detail = format!("`{field}` is not as expected");
                Self::new(Code::WrongShape, detail).with_error(field, source.to_string())
            }
            InvalidJson::Violations(violations) => Self::from(violations),
        }
    }
}

impl From<InvalidBatch> for Problem {
    fn from(error: InvalidBatch) -> Self {
        match &error {
            InvalidBatch::Syntax(_) => Self::new(Code::InvalidJson, error.to_string()),
            InvalidBatch::TooMany => Self::new(Code::BatchTooLarge, error.to_string()),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        let detail = error.to_string();
        match error {
            WriteError::Refused(violations) => Self::from(violations),
            WriteError::Conflict { kept, .. } => Self::new(Code::WriteIdConflict, detail)
                .with_error("write_id", format!("was used for other content (kept: {kept})")),
            WriteError::Unstorable(_) => Self::new(Code::Unstorable, detail),
            WriteError::Overloaded { limit } => {
                Self::new(Code::Overloaded, format!("the limit of {limit} is reached"))
            }
            WriteError::Unavailable { retry_after, cause } => {
                let code = cause.as_ref().map_or(Code::Unavailable, |cause| unavailable(cause));
                Self::new(code, detail).after(retry_after)
            }
            WriteError::Stopping => Self::new(Code::ShuttingDown, detail),
            WriteError::Unknown { write_id } => Self {
                write_id: write_id.as_ref().map(ToString::to_string),
                ..Self::new(Code::UnknownOutcome, detail)
            },
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = unavailable(&error);
        if code == Code::BadCursor {
            return Self::new(code, "the cursor cannot be read");
        }
        tracing::warn!(error = &error as &dyn std::error::Error, "a call to the store failed");
        Self::new(code, error.to_string())
    }
}

impl From<LetterError> for Problem {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::NotFound => Self::not_found("dead letter"),
            LetterError::Closed(_) => Self::new(Code::LetterClosed, error.to_string()),
            LetterError::Store(error) => Self::from(error),
        }
    }
}

/// What a failure of the store means for a caller.
fn unavailable(error: &StoreError) -> Code {
    match error.kind {
        StoreErrorKind::Exhausted if error.code == km_contract::port::DEAD_LETTERS_FULL => {
            Code::DeadLettersFull
        }
        StoreErrorKind::Exhausted => Code::DiskFull,
        StoreErrorKind::Fatal => Code::StoreFailed,
        StoreErrorKind::Refused if error.code == km_contract::port::BAD_CURSOR => Code::BadCursor,
        StoreErrorKind::Refused => Code::Internal,
        StoreErrorKind::Transient | StoreErrorKind::Unknown | StoreErrorKind::Misconfigured => {
            Code::Unavailable
        }
    }
}

#[cfg(test)]
mod tests;
