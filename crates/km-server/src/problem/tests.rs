//! Every failure has one code, and every code that a healthy server does not show is shown here.

use std::sync::Arc;

use km_contract::port::{BAD_CURSOR, DEAD_LETTERS_FULL};
use km_model::{ContentHash, LetterState, WriteId};

use super::*;

const PAUSE: Duration = Duration::from_millis(1_500);

fn store(kind: StoreErrorKind, code: &'static str) -> StoreError {
    StoreError::bare(kind, code)
}

fn unavailable_for(kind: StoreErrorKind, code: &'static str) -> WriteError {
    WriteError::Unavailable { retry_after: PAUSE, cause: Some(Arc::new(store(kind, code))) }
}

fn id() -> WriteId {
    WriteId::parse("deploy-17").unwrap()
}

fn write_errors() -> Vec<(WriteError, Code)> {
    let violation = Violation::new("title", Rule::TooLong { bytes: 513, max: 512 });
    vec![
        (WriteError::Refused(vec![violation]), Code::TooLong),
        (WriteError::Conflict { write_id: id(), kept: ContentHash::of(b"km") }, Code::WriteIdConflict),
        (WriteError::Unstorable(Arc::new(store(StoreErrorKind::Refused, "SQLITE_TOOBIG"))), Code::Unstorable),
        (WriteError::Overloaded { limit: "queue.writes-max" }, Code::Overloaded),
        (WriteError::Unavailable { retry_after: PAUSE, cause: None }, Code::Unavailable),
        (unavailable_for(StoreErrorKind::Transient, "SQLITE_BUSY"), Code::Unavailable),
        (unavailable_for(StoreErrorKind::Misconfigured, "SQLITE_ERROR"), Code::Unavailable),
        (unavailable_for(StoreErrorKind::Exhausted, "SQLITE_FULL"), Code::DiskFull),
        (unavailable_for(StoreErrorKind::Exhausted, DEAD_LETTERS_FULL), Code::DeadLettersFull),
        (unavailable_for(StoreErrorKind::Fatal, "SQLITE_CORRUPT"), Code::StoreFailed),
        (WriteError::Stopping, Code::ShuttingDown),
        (WriteError::Unknown { write_id: Some(id()) }, Code::UnknownOutcome),
    ]
}

#[test]
fn every_write_error_has_its_code() {
    for (error, code) in write_errors() {
        let shown = error.to_string();
        assert_eq!(Problem::from(error).body().code, code.id(), "{shown}");
    }
}

#[test]
fn a_webhook_is_answered_503_wherever_trying_again_helps() {
    for (error, code) in write_errors() {
        let response = Problem::from(error).for_webhook().into_response();
        let expected = if code.is_retryable() { 503 } else { code.status() };
        assert_eq!(response.status().as_u16(), expected, "{}", code.id());
        assert_eq!(response.headers().contains_key(RETRY_AFTER), code.is_retryable(), "{}", code.id());
    }
}

#[test]
fn every_failure_of_the_store_has_its_code() {
    use StoreErrorKind::{Exhausted, Fatal, Misconfigured, Refused, Transient, Unknown};
    for (kind, code, expected) in [
        (Transient, "SQLITE_BUSY", Code::Unavailable),
        (Unknown, "TRY_TIMEOUT", Code::Unavailable),
        (Misconfigured, "SQLITE_ERROR", Code::Unavailable),
        (Exhausted, "SQLITE_FULL", Code::DiskFull),
        (Fatal, "SQLITE_CORRUPT", Code::StoreFailed),
        (Refused, BAD_CURSOR, Code::BadCursor),
        (Refused, "SQLITE_RANGE", Code::Internal),
    ] {
        assert_eq!(Problem::from(store(kind, code)).body().code, expected.id(), "{code}");
    }
    assert_eq!(Problem::from(LetterError::NotFound).body().code, Code::NotFound.id());
    assert_eq!(Problem::from(LetterError::Closed(LetterState::Settled)).body().code, Code::LetterClosed.id());
}

#[test]
fn the_pause_is_told_in_whole_seconds_and_the_write_is_named() {
    let response = Problem::from(unavailable_for(StoreErrorKind::Exhausted, "SQLITE_FULL")).into_response();
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    let body = Problem::from(WriteError::Unknown { write_id: Some(id()) }).body();
    assert_eq!((body.status, body.retryable, body.write_id.as_deref()), (504, true, Some("deploy-17")));
}

#[test]
fn every_broken_rule_is_named_with_its_figures() {
    let violations = vec![
        Violation::new("tags[3]", Rule::TooLong { bytes: 300, max: 256 }),
        Violation::new("path", Rule::NotOneOf { allowed: "a, b" }),
    ];
    let body = Problem::from(violations).body();
    assert_eq!((body.code, body.errors.len()), (Code::TooLong.id(), 2));
    assert_eq!(body.errors[0].field, "tags[3]");
    assert!(body.errors[0].message.contains("300") && body.errors[0].message.contains("256"));
    let alone = Problem::from(Violation::new("path", Rule::NotOneOf { allowed: "a, b" })).body();
    assert_eq!(alone.code, Code::UnknownPath.id());
}
