//! What can go wrong with the search index.

use std::io;
use std::path::PathBuf;

use rusqlite::ffi;

/// Why the search index did not answer. The index is derived: nothing of the ledger is at stake.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// SQLite refused.
    #[error("the search index could not be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The index contradicts itself or the ledger.
    #[error("the search index is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
    /// A file of a damaged or outdated index could not be removed.
    #[error("could not remove {}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The index has another version.
    #[error("the search index has another version")]
    Outdated,
    /// There is no index.
    #[error("there is no search index")]
    Missing,
    /// The index was built from another ledger, or from what this one held before it was put back from a copy.
    #[error("the search index belongs to another ledger")]
    Foreign,
}

impl SearchError {
    /// Whether the index has to be made anew: whatever it holds is not what was written. The one place that
    /// decides this, for the writer and for readers.
    pub fn calls_for_rebuild(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_extended_error_code().is_none_or(shows_damage),
            Self::Damaged { .. } | Self::Outdated | Self::Foreign => true,
            Self::Remove { .. } | Self::Missing => false,
        }
    }
}

/// Whether this code of SQLite shows a file that is not as it was written. A code that has a passing cause, such
/// as a full disk, does not.
fn shows_damage(extended: i32) -> bool {
    match extended {
        ffi::SQLITE_IOERR_READ
        | ffi::SQLITE_IOERR_SHORT_READ
        | ffi::SQLITE_IOERR_DATA
        | ffi::SQLITE_IOERR_CORRUPTFS
        | ffi::SQLITE_READONLY_DBMOVED => true,
        // A missing table is a plain error, and a row that is there twice breaks a constraint.
        other => matches!(
            other & 0xff,
            ffi::SQLITE_CORRUPT
                | ffi::SQLITE_NOTADB
                | ffi::SQLITE_ERROR
                | ffi::SQLITE_CONSTRAINT
                | ffi::SQLITE_MISMATCH
                | ffi::SQLITE_TOOBIG
        ),
    }
}

pub(super) const fn damaged(what: &'static str) -> SearchError {
    SearchError::Damaged { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_calls_for_a_rebuild_and_a_passing_trouble_does_not() {
        let of = |code| SearchError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_CORRUPT_INDEX,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_ERROR,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_IOERR_SHORT_READ,
        ] {
            assert!(of(code).calls_for_rebuild(), "{code}");
        }
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_FULL,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_SHMSIZE,
            ffi::SQLITE_READONLY,
        ] {
            assert!(!of(code).calls_for_rebuild(), "{code}");
        }
        assert!(SearchError::from(rusqlite::Error::QueryReturnedNoRows).calls_for_rebuild());
        assert!(SearchError::Outdated.calls_for_rebuild() && damaged("x").calls_for_rebuild());
        assert!(!SearchError::Missing.calls_for_rebuild());
    }
}
