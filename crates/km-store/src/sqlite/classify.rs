//! What each of SQLite's codes means for a write. The one place that knows them.

use std::borrow::Cow;

use km_contract::port::{StoreError, StoreErrorKind};
use rusqlite::{Error, ffi};

/// The store's view of a failure of the driver.
pub(super) fn failed(error: Error) -> StoreError {
    let (kind, code) = classify(&error);
    StoreError::new(kind, code, error)
}

/// As [`failed`], for a COMMIT. SQLite writes the record of the commit into the log before it enters it into the
/// shared index of the log: where that ran out of room, the next start may find the commit.
pub(super) fn commit_failed(error: Error) -> StoreError {
    let full = error.sqlite_error().is_some_and(|failure| failure.extended_code & 0xff == ffi::SQLITE_FULL);
    match classify(&error) {
        (StoreErrorKind::Exhausted, code) if !full => StoreError::new(StoreErrorKind::Unknown, code, error),
        (kind, code) => StoreError::new(kind, code, error),
    }
}

/// A row that contradicts its own schema.
pub(super) fn damaged(what: &'static str) -> StoreError {
    StoreError::bare(StoreErrorKind::Fatal, what)
}

fn classify(error: &Error) -> (StoreErrorKind, Cow<'static, str>) {
    use StoreErrorKind::{Fatal, Misconfigured, Refused};
    if let Some(failure) = error.sqlite_error() {
        return (kind_of(failure.extended_code), name(failure.extended_code));
    }
    match error {
        // km writes no such value: somebody else did, or the page is damaged.
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::InvalidColumnType(..) => (Fatal, "UNREADABLE_ROW".into()),
        Error::ToSqlConversionFailure(_) | Error::NulError(_) => (Refused, "UNSTORABLE_VALUE".into()),
        _ => (Misconfigured, "DRIVER".into()),
    }
}

const fn kind_of(extended: i32) -> StoreErrorKind {
    use StoreErrorKind::{Exhausted, Fatal, Misconfigured};
    match extended {
        // The shared memory beside the log could not grow: room, not damage.
        ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP | ffi::SQLITE_IOERR_SHMOPEN => Exhausted,
        ffi::SQLITE_IOERR_NOMEM => Exhausted,
        // A directory for temporary files, or a path, that does not fit.
        ffi::SQLITE_IOERR_GETTEMPPATH | ffi::SQLITE_IOERR_CONVPATH => Misconfigured,
        ffi::SQLITE_CANTOPEN_NOTEMPDIR
        | ffi::SQLITE_CANTOPEN_ISDIR
        | ffi::SQLITE_CANTOPEN_FULLPATH
        | ffi::SQLITE_CANTOPEN_CONVPATH
        | ffi::SQLITE_CANTOPEN_SYMLINK => Misconfigured,
        // The file was moved or removed beneath us: what is written goes nowhere.
        ffi::SQLITE_READONLY_DBMOVED => Fatal,
        _ => kind_of_primary(extended & 0xff),
    }
}

const fn kind_of_primary(code: i32) -> StoreErrorKind {
    use StoreErrorKind::{Exhausted, Fatal, Misconfigured, Refused, Transient};
    match code {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Transient,
        ffi::SQLITE_INTERRUPT | ffi::SQLITE_ABORT => Transient,
        // No file could be opened: mostly there are too many already.
        ffi::SQLITE_FULL | ffi::SQLITE_NOMEM | ffi::SQLITE_CANTOPEN => Exhausted,
        ffi::SQLITE_CONSTRAINT | ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH => Refused,
        ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Fatal,
        ffi::SQLITE_FORMAT | ffi::SQLITE_INTERNAL => Fatal,
        // What is left says that km, its file or its rights are not as they should be.
        _ => Misconfigured,
    }
}

fn name(extended: i32) -> Cow<'static, str> {
    match extended & 0xff {
        ffi::SQLITE_BUSY => "SQLITE_BUSY".into(),
        ffi::SQLITE_LOCKED => "SQLITE_LOCKED".into(),
        ffi::SQLITE_PROTOCOL => "SQLITE_PROTOCOL".into(),
        ffi::SQLITE_FULL => "SQLITE_FULL".into(),
        ffi::SQLITE_NOMEM => "SQLITE_NOMEM".into(),
        ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT".into(),
        ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG".into(),
        ffi::SQLITE_CORRUPT => "SQLITE_CORRUPT".into(),
        ffi::SQLITE_NOTADB => "SQLITE_NOTADB".into(),
        ffi::SQLITE_IOERR => format!("SQLITE_IOERR ({extended})").into(),
        ffi::SQLITE_CANTOPEN => format!("SQLITE_CANTOPEN ({extended})").into(),
        ffi::SQLITE_READONLY => format!("SQLITE_READONLY ({extended})").into(),
        _ => format!("SQLITE ({extended})").into(),
    }
}

#[cfg(test)]
mod tests;
