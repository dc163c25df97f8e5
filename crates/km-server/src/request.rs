//! Reading requests: bodies within their limits, parameters without surprises, ids.

use std::ops::Deref;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query, Request};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use km_model::{Rule, Violation, WriteId};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::code::Code;
use crate::limits::Limits;
use crate::problem::Problem;

/// Largest page of any list.
pub(crate) const PAGE_MAX: usize = 100;
/// A page where the caller names no size.
const PAGE_DEFAULT: usize = 20;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What calls answer with.
const ANSWERS: [&str; 3] = ["application/json", "application/x-ndjson", "application/problem+json"];

/// A whole body, and the room that it takes.
pub(crate) struct Body {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The whole body, if it is not larger than `bytes_max` and there is room for it.
///
/// # Errors
/// [`Code::BodyTooLarge`], before more than the limit is read; [`Code::Busy`]; [`Code::BodyBroken`].
pub(crate) async fn body(limits: &Limits, request: Request, bytes_max: usize) -> Result<Body, Problem> {
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|bytes: usize| bytes > bytes_max) {
        return Err(Problem::too_large(bytes_max));
    }
    let room = limits.room(declared.unwrap_or(bytes_max))?;
    match Limited::new(request.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(Body { bytes: body.to_bytes(), _room: room }),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(bytes_max)),
        Err(_) => Err(Problem::new(Code::BodyBroken, "the body broke off")),
    }
}

/// Refuses a body that is declared as something else. A web page of another origin cannot declare JSON without
/// asking first, so this also keeps such pages out.
pub(crate) fn expect_media(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Problem> {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(essence);
    let named = declared.is_some_and(|media| accepted.iter().any(|known| media.eq_ignore_ascii_case(known)));
    if named {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, format!("expected {}", accepted.join(" or "))))
}

/// A media type without its parameters.
fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// A JSON body of an administrative call.
///
/// # Errors
/// [`Problem`]; a field that does not exist is named.
pub(crate) async fn json<T: DeserializeOwned>(
    limits: &Limits,
    request: Request,
    bytes_max: usize,
) -> Result<T, Problem> {
    expect_media(request.headers(), &["application/json"])?;
    let body = body(limits, request, bytes_max).await?;
    Ok(km_intake::json::read_as(&body)?)
}

/// Whether the caller takes one of the media types that calls answer with.
pub(crate) fn expect_acceptable(headers: &HeaderMap) -> Result<(), Problem> {
    let mut ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !is_excluded(range))
        .map(essence)
        .peekable();
    if ranges.peek().is_none() && !headers.contains_key(ACCEPT) || ranges.any(admits) {
        return Ok(());
    }
    Err(Problem::new(Code::NotAcceptable, format!("the answers are {}", ANSWERS.join(", "))))
}

fn is_excluded(range: &str) -> bool {
    let weights = range.split(';').skip(1).filter_map(|parameter| parameter.trim().strip_prefix("q="));
    weights.filter_map(|weight| weight.parse::<f32>().ok()).any(|weight| weight <= 0.0)
}

fn admits(range: &str) -> bool {
    let range = range.to_ascii_lowercase();
    matches!(range.as_str(), "*/*" | "application/*") || ANSWERS.contains(&range.as_str())
}

/// The `Idempotency-Key` header: a string of RFC 8941, with or without its quotes.
///
/// # Errors
/// [`Code::Malformed`] and its like, for the field `write_id`.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<WriteId>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().map_err(|_| {
        Problem::from(Violation::new("write_id", Rule::Malformed { expected: "visible ASCII characters" }))
    })?;
    let text = text.trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    Ok(Some(WriteId::parse(bare)?))
}

/// The write id of the header or of the body; both must name the same write.
pub(crate) fn one_id(header: Option<WriteId>, body: Option<WriteId>) -> Result<Option<WriteId>, Problem> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            let detail = "the header and the body name different write ids";
            let problem = Problem::new(Code::WriteIdsDiffer, detail);
            Err(problem.with_error("write_id", "differs from the Idempotency-Key header"))
        }
        (header, body) => Ok(header.or(body)),
    }
}

/// The last segment of the path, decoded.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        named.map(|Path(text)| Self(text)).map_err(|_| Problem::not_found("thing"))
    }
}

/// The parameters of the query. What a call does not take is refused: a filter that is silently passed over
/// gives wrong answers.
pub(crate) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = pairs.map_err(|_| Problem::new(Code::BadFilter, "the query cannot be read"))?;
        // What is not UTF-8 was replaced when it was decoded, and would look for something else.
        for (name, value) in &pairs {
            if [name, value].iter().any(|text| text.contains(['\0', char::REPLACEMENT_CHARACTER])) {
                return Err(Problem::parameter(name, "is not text, or holds the control character U+0000"));
            }
        }
        Ok(Self(pairs))
    }
}

impl Parameters {
    /// Every value of `name`.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }

    /// The value of `name`, which may stand once. An empty one is none.
    pub(crate) fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name).into_iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
            (_, Some(_)) => Err(Problem::parameter(name, "may be given once")),
        }
    }

    /// The value of `name`, read by `parse`.
    pub(crate) fn read<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let value = self.one(name)?;
        value
            .map(|text| parse(&text).map_err(|error| Problem::parameter(name, error.to_string())))
            .transpose()
    }

    /// As [`Parameters::read`], for an id of the model.
    pub(crate) fn id<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, Violation>,
    ) -> Result<Option<T>, Problem> {
        self.read(name, |text| parse(text.to_owned()).map_err(|violation| violation.rule))
    }

    /// As [`Parameters::read`], for one of a closed set.
    pub(crate) fn one_of<T>(
        &mut self,
        name: &str,
        of_name: impl FnOnce(&str) -> Option<T>,
        allowed: &str,
    ) -> Result<Option<T>, Problem> {
        self.read(name, |text| of_name(text).ok_or_else(|| format!("must be one of {allowed}")))
    }

    /// Every `prefix…=value`.
    pub(crate) fn prefixed(&mut self, prefix: &str) -> Vec<(String, String)> {
        let taken =
            self.0.extract_if(.., |(given, _)| given.starts_with(prefix) && given.len() > prefix.len());
        taken.map(|(name, value)| (name[prefix.len()..].to_owned(), value)).collect()
    }

    /// The size of a page.
    pub(crate) fn limit(&mut self) -> Result<usize, Problem> {
        self.limit_or(PAGE_DEFAULT)
    }

    /// The size of a page, or `default`.
    pub(crate) fn limit_or(&mut self, default: usize) -> Result<usize, Problem> {
        let limit = self.read("limit", |text| {
            let number = usize::from_str(text).ok().filter(|number| (1..=PAGE_MAX).contains(number));
            number.ok_or_else(|| format!("must be a whole number from 1 to {PAGE_MAX}"))
        })?;
        Ok(limit.unwrap_or(default))
    }

    /// A place in a list that counts.
    pub(crate) fn position(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        let text = self.one(name)?;
        let read = |text: String| {
            let position = i64::from_str(&text).ok().filter(|position| *position >= 0);
            position.ok_or_else(|| Problem::new(Code::BadCursor, "the cursor cannot be read"))
        };
        text.map(read).transpose()
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            Some((name, _)) => Err(Problem::parameter(name, "is not a parameter of this call")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, axum::http::HeaderValue::from_static(value))])
    }

    #[test]
    fn an_idempotency_key_may_stand_in_quotes() {
        for (value, id) in [("\"deploy-17\"", "deploy-17"), ("deploy-17", "deploy-17"), (" a ", "a")] {
            let read = idempotency_key(&headers(IDEMPOTENCY_KEY, value)).unwrap();
            assert_eq!(read.unwrap().as_str(), id);
        }
        assert!(idempotency_key(&headers(IDEMPOTENCY_KEY, "two words")).is_err());
        assert!(idempotency_key(&headers(IDEMPOTENCY_KEY, "\"\"")).is_err());
        assert!(idempotency_key(&HeaderMap::new()).unwrap().is_none());
    }

    #[test]
    fn any_usual_accept_header_is_served() {
        for value in ["*/*", "application/json", "text/html, application/*;q=0.5", "Application/JSON; a=b"] {
            assert!(expect_acceptable(&headers(ACCEPT, value)).is_ok(), "{value}");
        }
        for value in ["text/html", "application/json;q=0", "image/*"] {
            assert!(expect_acceptable(&headers(ACCEPT, value)).is_err(), "{value}");
        }
        assert!(expect_acceptable(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn parameters_are_taken_once_and_none_is_left() {
        let mut parameters = Parameters(
            [("tag", "a"), ("tag", "b"), ("label.x", "1"), ("limit", "7"), ("odd", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        );
        assert_eq!(parameters.all("tag"), ["a", "b"]);
        assert_eq!(parameters.prefixed("label."), [("x".to_owned(), "1".to_owned())]);
        assert_eq!(parameters.limit().unwrap(), 7);
        assert!(parameters.finish().is_err());
    }
}
