//! What can go wrong with the search index.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the search index did not answer. The index is derived: nothing of the ledger is at stake.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// SQLite refused.
    #[error("the search index could not be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The index contradicts itself; [`super::SearchIndex::rebuild`] mends it.
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
    /// A reader met an index of another version; the writer builds it anew when it opens.
    #[error("the search index has another version")]
    Outdated,
    /// The index was built from another ledger, or from what this one held before it was put back from a copy.
    #[error("the search index belongs to another ledger")]
    Foreign,
}

impl SearchError {
    /// Whether building the index anew would mend it.
    pub fn calls_for_rebuild(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            Self::Damaged { .. } | Self::Outdated | Self::Foreign => true,
            Self::Remove { .. } => false,
        }
    }
}

pub(super) const fn damaged(what: &'static str) -> SearchError {
    SearchError::Damaged { what }
}
