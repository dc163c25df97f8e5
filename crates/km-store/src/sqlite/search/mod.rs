//! The search index of the SQLite store: an inverted index of our own, kept in a file beside the ledger.
//!
//! The index is derived. It is fed from the ledger after the commit, in batches, and keeps the position
//! it has read in the same transaction as the terms, so a crash loses nothing and repeats nothing. It can be
//! deleted at any time; [`SearchIndex::open`] makes an empty one, and feeding starts from position 0.
//!
//! # How it is laid out
//!
//! Every tenant has an index of its own in the file: documents, statistics and work of others neither change what
//! one finds nor can be told from it. A tenant's documents get numbers in the order they are indexed. A *segment*
//! covers a range of numbers; within it a document is an *ordinal*. A segment holds a dictionary (sorted terms,
//! with how many documents hold each), the *postings* of each term (ordinals, and how often each field holds the
//! term), and *columns* (length, position, time of occurrence). Filters and names are terms as well. A batch
//! becomes a segment and segments never change: a newer head of an entry marks the older document *dead*, and
//! neighbouring segments are merged when there are many of one size, which drops the dead.
//!
//! # How it answers
//!
//! A [`Snapshot`] is one read transaction. A query adds up BM25 for every document that holds one of its terms,
//! segment by segment, and keeps the best. Entries that the caller has read from the ledger beyond
//! [`Snapshot::indexed_through`] are given as the *tail* and scored alike. The ledger says which of the documents
//! that were found are heads still. A [`Cursor`] keeps what the scores depend on, so that the pages of one ranking
//! fit together whatever is written between them.
//!
//! # When it is damaged
//!
//! All bytes that scores are made of carry a checksum, and what is found is compared with the ledger: a damaged
//! index gives an error and no wrong hit. [`SearchError::calls_for_rebuild`] says that the index has to be
//! replaced by an empty one.

mod codec;
mod cursor;
mod dictionary;
mod error;
mod fields;
mod index;
mod lookup;
mod merge;
mod reader;
mod schema;
mod score;
mod segment;
mod select;
mod statistics;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use cursor::{CURSOR_CHARS_MAX, Cursor, View};
pub use error::SearchError;
pub use fields::Field;
pub use index::SearchIndex;
pub use reader::{Ranking, SearchReader, Snapshot, Start};
pub use score::Work;
pub use select::Found;

/// The ledger that an index is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which ledger it is.
    pub ledger_id: [u8; 16],
    /// The newest position that it holds.
    pub newest: i64,
}

/// The head of an entry as the index reads it.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// Where the head stands in the ledger: unique, and higher for newer heads.
    pub position: i64,
    /// Whose entry it is.
    pub tenant: &'a str,
    /// The entry.
    pub entry_id: [u8; 16],
    /// The write path, by name.
    pub path: &'a str,
    /// What kind of knowledge it is.
    pub entry_type: Option<&'a str>,
    /// The incident it is about.
    pub incident_id: Option<&'a str>,
    /// The approval it is about.
    pub approval_id: Option<&'a str>,
    /// The playbook it is about.
    pub playbook: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [String],
    /// Its labels; an alert's name is the label `alertname`.
    pub labels: &'a BTreeMap<String, String>,
    /// When it happened, in microseconds since 1970.
    pub occurred_at: i64,
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub content: &'a str,
}

/// Which entries are looked at: all of a tenant's that have everything asked for, compared exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose entries.
    pub tenant: String,
    /// The write path, by name.
    pub path: Option<String>,
    /// What kind of knowledge.
    pub entry_type: Option<String>,
    /// Tags, all of them.
    pub tags: Vec<String>,
    /// Labels with their values, all of them.
    pub labels: Vec<(String, String)>,
    /// The incident.
    pub incident_id: Option<String>,
    /// The approval.
    pub approval_id: Option<String>,
    /// Happened at this time or later, in microseconds since 1970.
    pub occurred_from: Option<i64>,
    /// Happened before this time, in microseconds since 1970.
    pub occurred_to: Option<i64>,
}

/// Something that a hit was found by.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// What it is.
    pub reason: Reason,
    /// What it adds to the score.
    pub score: f32,
}

/// What a hit can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It holds a term of the query.
    Term {
        /// The term, analyzed.
        term: String,
        /// The fields that hold it.
        fields: Vec<Field>,
    },
    /// It is called what the query names; folded.
    Name(String),
}
