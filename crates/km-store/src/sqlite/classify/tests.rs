//! Every code, one by one.

use rusqlite::types::Type;

use super::*;
use StoreErrorKind::{Exhausted, Fatal, Misconfigured, Refused, Transient, Unknown};

const TRANSIENT: &[i32] = &[
    ffi::SQLITE_ABORT,
    ffi::SQLITE_BUSY,
    ffi::SQLITE_LOCKED,
    ffi::SQLITE_INTERRUPT,
    ffi::SQLITE_PROTOCOL,
    ffi::SQLITE_LOCKED_SHAREDCACHE,
    ffi::SQLITE_LOCKED_VTAB,
    ffi::SQLITE_BUSY_RECOVERY,
    ffi::SQLITE_BUSY_SNAPSHOT,
    ffi::SQLITE_BUSY_TIMEOUT,
    ffi::SQLITE_ABORT_ROLLBACK,
];

const EXHAUSTED: &[i32] = &[
    ffi::SQLITE_NOMEM,
    ffi::SQLITE_FULL,
    ffi::SQLITE_CANTOPEN,
    ffi::SQLITE_IOERR_NOMEM,
    ffi::SQLITE_IOERR_SHMOPEN,
    ffi::SQLITE_IOERR_SHMSIZE,
    ffi::SQLITE_IOERR_SHMMAP,
    ffi::SQLITE_CANTOPEN_DIRTYWAL,
];

const REFUSED: &[i32] = &[
    ffi::SQLITE_TOOBIG,
    ffi::SQLITE_CONSTRAINT,
    ffi::SQLITE_MISMATCH,
    ffi::SQLITE_CONSTRAINT_CHECK,
    ffi::SQLITE_CONSTRAINT_COMMITHOOK,
    ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
    ffi::SQLITE_CONSTRAINT_FUNCTION,
    ffi::SQLITE_CONSTRAINT_NOTNULL,
    ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
    ffi::SQLITE_CONSTRAINT_TRIGGER,
    ffi::SQLITE_CONSTRAINT_UNIQUE,
    ffi::SQLITE_CONSTRAINT_VTAB,
    ffi::SQLITE_CONSTRAINT_ROWID,
    ffi::SQLITE_CONSTRAINT_PINNED,
    ffi::SQLITE_CONSTRAINT_DATATYPE,
];

const MISCONFIGURED: &[i32] = &[
    ffi::SQLITE_ERROR,
    ffi::SQLITE_PERM,
    ffi::SQLITE_READONLY,
    ffi::SQLITE_NOTFOUND,
    ffi::SQLITE_EMPTY,
    ffi::SQLITE_SCHEMA,
    ffi::SQLITE_MISUSE,
    ffi::SQLITE_NOLFS,
    ffi::SQLITE_AUTH,
    ffi::SQLITE_RANGE,
    ffi::SQLITE_NOTICE,
    ffi::SQLITE_WARNING,
    ffi::SQLITE_ERROR_MISSING_COLLSEQ,
    ffi::SQLITE_ERROR_RETRY,
    ffi::SQLITE_ERROR_SNAPSHOT,
    ffi::SQLITE_ERROR_RESERVESIZE,
    ffi::SQLITE_ERROR_KEY,
    ffi::SQLITE_ERROR_UNABLE,
    ffi::SQLITE_IOERR_GETTEMPPATH,
    ffi::SQLITE_IOERR_CONVPATH,
    ffi::SQLITE_CANTOPEN_NOTEMPDIR,
    ffi::SQLITE_CANTOPEN_ISDIR,
    ffi::SQLITE_CANTOPEN_FULLPATH,
    ffi::SQLITE_CANTOPEN_CONVPATH,
    ffi::SQLITE_CANTOPEN_SYMLINK,
    ffi::SQLITE_READONLY_RECOVERY,
    ffi::SQLITE_READONLY_CANTLOCK,
    ffi::SQLITE_READONLY_ROLLBACK,
    ffi::SQLITE_READONLY_CANTINIT,
    ffi::SQLITE_READONLY_DIRECTORY,
    ffi::SQLITE_NOTICE_RECOVER_WAL,
    ffi::SQLITE_NOTICE_RECOVER_ROLLBACK,
    ffi::SQLITE_NOTICE_RBU,
    ffi::SQLITE_WARNING_AUTOINDEX,
    ffi::SQLITE_AUTH_USER,
];

const FATAL: &[i32] = &[
    ffi::SQLITE_INTERNAL,
    ffi::SQLITE_IOERR,
    ffi::SQLITE_CORRUPT,
    ffi::SQLITE_FORMAT,
    ffi::SQLITE_NOTADB,
    ffi::SQLITE_IOERR_READ,
    ffi::SQLITE_IOERR_SHORT_READ,
    ffi::SQLITE_IOERR_WRITE,
    ffi::SQLITE_IOERR_FSYNC,
    ffi::SQLITE_IOERR_DIR_FSYNC,
    ffi::SQLITE_IOERR_TRUNCATE,
    ffi::SQLITE_IOERR_FSTAT,
    ffi::SQLITE_IOERR_UNLOCK,
    ffi::SQLITE_IOERR_RDLOCK,
    ffi::SQLITE_IOERR_DELETE,
    ffi::SQLITE_IOERR_BLOCKED,
    ffi::SQLITE_IOERR_ACCESS,
    ffi::SQLITE_IOERR_CHECKRESERVEDLOCK,
    ffi::SQLITE_IOERR_LOCK,
    ffi::SQLITE_IOERR_CLOSE,
    ffi::SQLITE_IOERR_DIR_CLOSE,
    ffi::SQLITE_IOERR_SHMLOCK,
    ffi::SQLITE_IOERR_SEEK,
    ffi::SQLITE_IOERR_DELETE_NOENT,
    ffi::SQLITE_IOERR_MMAP,
    ffi::SQLITE_IOERR_VNODE,
    ffi::SQLITE_IOERR_AUTH,
    ffi::SQLITE_IOERR_BEGIN_ATOMIC,
    ffi::SQLITE_IOERR_COMMIT_ATOMIC,
    ffi::SQLITE_IOERR_ROLLBACK_ATOMIC,
    ffi::SQLITE_IOERR_DATA,
    ffi::SQLITE_IOERR_CORRUPTFS,
    ffi::SQLITE_IOERR_IN_PAGE,
    ffi::SQLITE_IOERR_BADKEY,
    ffi::SQLITE_IOERR_CODEC,
    ffi::SQLITE_CORRUPT_VTAB,
    ffi::SQLITE_CORRUPT_SEQUENCE,
    ffi::SQLITE_CORRUPT_INDEX,
    ffi::SQLITE_READONLY_DBMOVED,
];

/// How many primary and extended codes `sqlite3.h` of the SQLite that is built in defines, but for OK, ROW and
/// DONE with theirs, which are no failures. A new SQLite may bring more.
const CODES: usize = 108;

fn failure(code: i32) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}

fn table() -> impl Iterator<Item = (StoreErrorKind, i32)> {
    let classes = [
        (Transient, TRANSIENT),
        (Exhausted, EXHAUSTED),
        (Refused, REFUSED),
        (Misconfigured, MISCONFIGURED),
        (Fatal, FATAL),
    ];
    classes.into_iter().flat_map(|(kind, codes)| codes.iter().map(move |code| (kind, *code)))
}

#[test]
fn every_code_of_sqlite_has_its_class() {
    for (kind, code) in table() {
        assert_eq!(failed(failure(code)).kind, kind, "{code}");
    }
    let mut codes: Vec<i32> = table().map(|(_, code)| code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CODES);
    assert_eq!(
        ffi::SQLITE_VERSION_NUMBER,
        3054001,
        "look for new codes in sqlite3.h, then say its version here"
    );
}

#[test]
fn only_a_failed_commit_that_may_have_reached_the_log_is_in_doubt() {
    for (kind, code) in table() {
        let in_doubt = kind == Exhausted && code != ffi::SQLITE_FULL;
        let expected = if in_doubt { Unknown } else { kind };
        assert_eq!(commit_failed(failure(code)).kind, expected, "{code}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_damage() {
    let cause = || Box::new(std::io::Error::other("unfit"));
    let invalid = String::from_utf8(vec![0xff]).unwrap_err().utf8_error();
    for error in [
        Error::FromSqlConversionFailure(0, Type::Text, cause()),
        Error::IntegralValueOutOfRange(0, -1),
        Error::Utf8Error(0, invalid),
        Error::InvalidColumnType(0, "revision".to_owned(), Type::Null),
    ] {
        let failed = failed(error);
        assert_eq!((failed.kind, failed.code.as_ref()), (Fatal, "UNREADABLE_ROW"));
    }
}

#[test]
fn a_value_that_cannot_be_bound_is_the_writes_own_fault() {
    let error = Error::ToSqlConversionFailure(Box::new(std::io::Error::other("unfit")));
    assert_eq!(failed(error).kind, Refused);
}

#[test]
fn a_fault_in_the_statements_of_km_is_no_damage() {
    assert_eq!(failed(Error::InvalidColumnIndex(9)).kind, Misconfigured);
}
