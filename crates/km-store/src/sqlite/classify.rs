//! What each of SQLite's codes means for a write. The one place that knows them.

use std::borrow::Cow;

use km_contract::port::{StoreError, StoreErrorKind};
use rusqlite::ffi;

/// The store's view of a failure of the driver.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    let (kind, code) = classify(&error);
    StoreError::new(kind, code, error)
}

/// A row that contradicts its own schema.
pub(super) fn damaged(what: &'static str) -> StoreError {
    StoreError::bare(StoreErrorKind::Fatal, what)
}

fn classify(error: &rusqlite::Error) -> (StoreErrorKind, Cow<'static, str>) {
    use StoreErrorKind::{Exhausted, Fatal, Misconfigured, Refused, Transient};
    let Some(failure) = error.sqlite_error() else {
        return (Misconfigured, "DRIVER".into());
    };
    let extended = failure.extended_code;
    let kind = match (extended, extended & 0xff) {
        (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_INTERRUPT) => Transient,
        (_, ffi::SQLITE_FULL | ffi::SQLITE_NOMEM) => Exhausted,
        // The shared memory beside the log could not grow, or no file could be opened: room, not damage.
        (ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP | ffi::SQLITE_IOERR_NOMEM, _) => Exhausted,
        (_, ffi::SQLITE_CANTOPEN) => Exhausted,
        (_, ffi::SQLITE_CONSTRAINT | ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH | ffi::SQLITE_RANGE) => {
            Refused
        }
        (_, ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB) => Fatal,
        (_, ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH | ffi::SQLITE_SCHEMA) => Misconfigured,
        (_, ffi::SQLITE_ERROR | ffi::SQLITE_MISUSE | ffi::SQLITE_NOTFOUND) => Misconfigured,
        _ => Misconfigured,
    };
    (kind, name(extended))
}

fn name(extended: i32) -> Cow<'static, str> {
    match extended & 0xff {
        ffi::SQLITE_BUSY => "SQLITE_BUSY".into(),
        ffi::SQLITE_LOCKED => "SQLITE_LOCKED".into(),
        ffi::SQLITE_FULL => "SQLITE_FULL".into(),
        ffi::SQLITE_NOMEM => "SQLITE_NOMEM".into(),
        ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT".into(),
        ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG".into(),
        ffi::SQLITE_CORRUPT => "SQLITE_CORRUPT".into(),
        ffi::SQLITE_NOTADB => "SQLITE_NOTADB".into(),
        ffi::SQLITE_IOERR => format!("SQLITE_IOERR ({extended})").into(),
        ffi::SQLITE_CANTOPEN => "SQLITE_CANTOPEN".into(),
        ffi::SQLITE_READONLY => "SQLITE_READONLY".into(),
        _ => format!("SQLITE ({extended})").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_matters_has_its_class() {
        use StoreErrorKind::{Exhausted, Fatal, Misconfigured, Refused, Transient};
        let table = [
            (ffi::SQLITE_BUSY, Transient),
            (ffi::SQLITE_BUSY_SNAPSHOT, Transient),
            (ffi::SQLITE_LOCKED, Transient),
            (ffi::SQLITE_FULL, Exhausted),
            (ffi::SQLITE_NOMEM, Exhausted),
            (ffi::SQLITE_IOERR_SHMSIZE, Exhausted),
            (ffi::SQLITE_CONSTRAINT_CHECK, Refused),
            (ffi::SQLITE_TOOBIG, Refused),
            (ffi::SQLITE_IOERR_FSYNC, Fatal),
            (ffi::SQLITE_IOERR_WRITE, Fatal),
            (ffi::SQLITE_CORRUPT, Fatal),
            (ffi::SQLITE_NOTADB, Fatal),
            (ffi::SQLITE_READONLY, Misconfigured),
            (ffi::SQLITE_ERROR, Misconfigured),
        ];
        for (code, kind) in table {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(classify(&error).0, kind, "{code}");
        }
    }
}
