//! What an answer to a write means, decided in one place by the rules of the contract.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Reply;

/// The media type of every answer that is no success. (RFC 9457)
const PROBLEM: &str = "application/problem+json";

/// A receipt as a client keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) write_id: String,
    pub(crate) entry_id: String,
    pub(crate) revision: u64,
    pub(crate) content_hash: String,
    pub(crate) durability: String,
    pub(crate) stored_at: String,
}

/// What a write was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is durable.
    Acknowledged { outcome: String, receipt: Receipt },
    /// It was not kept, and may be sent again.
    Declined(Problem),
    /// It was not kept, and never will be as it is.
    Refused(Problem),
    /// Nobody knows; the same write again resolves it.
    InDoubt,
}

/// What a problem document says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
}

impl Answer {
    /// Reads the answer to a write.
    ///
    /// # Errors
    /// What the contract does not allow, in words.
    pub(crate) fn read(reply: &Reply) -> Result<Self, String> {
        match reply.status {
            200 | 201 => acknowledged(reply),
            429 | 503 | 507 => problem(reply).map(Self::Declined),
            504 => problem(reply).map(|_| Self::InDoubt),
            400..=499 => problem(reply).map(Self::Refused),
            _ => Err(format!("a write was answered {}", said(reply))),
        }
    }
}

fn acknowledged(reply: &Reply) -> Result<Answer, String> {
    #[derive(Deserialize)]
    struct Body {
        outcome: String,
        receipt: Receipt,
    }
    let Body { outcome, receipt } = serde_json::from_slice(&reply.body)
        .map_err(|error| format!("a success without a receipt ({error}): {}", said(reply)))?;
    match (outcome.as_str(), reply.status) {
        ("created", 201) | ("revised" | "replayed" | "superseded", 200) => {
            Ok(Answer::Acknowledged { outcome, receipt })
        }
        _ => Err(format!("the outcome does not fit the status: {}", said(reply))),
    }
}

/// Reads an answer that has to be a problem document.
pub(crate) fn problem(reply: &Reply) -> Result<Problem, String> {
    #[derive(Deserialize)]
    struct Body {
        title: String,
        status: u16,
        code: String,
        retryable: bool,
    }
    let no_document = || format!("no problem document: {}", said(reply));
    if reply.media_type != PROBLEM {
        return Err(no_document());
    }
    let body: Body = serde_json::from_slice(&reply.body).map_err(|_| no_document())?;
    let is_later = matches!(reply.status, 429 | 503 | 504 | 507);
    if body.status != reply.status || body.title.is_empty() || (is_later && !body.retryable) {
        return Err(format!("a problem that contradicts itself: {}", said(reply)));
    }
    Ok(Problem { status: body.status, code: body.code })
}

/// An answer as it is shown in a finding.
pub(crate) fn said(reply: &Reply) -> String {
    let body = String::from_utf8_lossy(&reply.body);
    let body: String = body.chars().take(400).collect();
    format!("{} {} {body}", reply.status, reply.media_type)
}

/// A JSON body of a successful answer.
pub(crate) fn json(reply: &Reply) -> Result<Value, String> {
    let read = (reply.status == 200).then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    read.ok_or_else(|| format!("no JSON with status 200: {}", said(reply)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16, media_type: &str, body: &Value) -> Reply {
        Reply::new(status, media_type, body.to_string().into_bytes())
    }

    fn read(status: u16, media_type: &str, body: &Value) -> Result<Answer, String> {
        Answer::read(&reply(status, media_type, body))
    }

    #[test]
    fn only_a_receipt_is_an_acknowledgement() {
        let receipt = json!({
            "write_id": "w", "entry_id": "e", "revision": 1, "content_hash": "h", "durability": "disk",
            "stored_at": "2026-11-23T10:00:00Z", "outcome": "created",
        });
        let whole = json!({ "outcome": "created", "receipt": receipt });
        assert!(matches!(read(201, "application/json", &whole), Ok(Answer::Acknowledged { .. })));
        assert!(read(200, "application/json", &whole).is_err(), "created is 201");
        assert!(read(202, "application/json", &whole).is_err());
        assert!(read(200, "application/json", &json!({ "outcome": "replayed" })).is_err());
    }

    #[test]
    fn failures_are_problem_documents() {
        let problem = |status: u16, code: &str, retryable: bool| json!({ "type": "t", "title": "t", "status": status, "code": code, "retryable": retryable });
        let full = read(507, PROBLEM, &problem(507, "KM0037", true));
        assert_eq!(full, Ok(Answer::Declined(Problem { status: 507, code: "KM0037".to_owned() })));
        assert_eq!(read(504, PROBLEM, &problem(504, "KM0039", true)), Ok(Answer::InDoubt));
        assert!(matches!(read(422, PROBLEM, &problem(422, "KM0003", false)), Ok(Answer::Refused(_))));
        assert!(read(503, "text/plain", &problem(503, "KM0034", true)).is_err());
        assert!(read(503, PROBLEM, &problem(500, "KM0034", true)).is_err());
        assert!(read(503, PROBLEM, &problem(503, "KM0034", false)).is_err());
        assert!(read(500, PROBLEM, &problem(500, "KM0041", false)).is_err());
    }
}
