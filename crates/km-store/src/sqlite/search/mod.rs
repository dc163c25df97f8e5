//! The search index of the SQLite store: an inverted index of our own, kept in a file beside the ledger.
//!
//! The index is derived. It is fed from the ledger after the commit, in batches, and keeps the position
//! it has read in the same transaction as the terms, so a crash loses nothing and repeats nothing. It can be
//! deleted at any time; [`SearchIndex::open`] makes an empty one, and feeding starts from position 0.
//!
//! # How it is laid out
//!
//! Documents get numbers in the order they are indexed. A *segment* covers a range of numbers; within it a
//! document is an *ordinal*. A segment holds a dictionary (sorted terms, with how many documents hold each),
//! the *postings* of each term (ordinals, and how often each field holds the term), and *columns* (length,
//! position, time of occurrence). Filters are terms as well. A batch becomes a segment and segments never
//! change: a newer head of an entry marks the older document *dead*, and neighbouring segments are merged when
//! there are many of one size, which drops the dead.
//!
//! # How it answers
//!
//! A [`Snapshot`] is one read transaction. A query adds up BM25 for every document that holds one of its terms,
//! segment by segment, and keeps the best. Entries that the caller has read from the ledger beyond
//! [`Snapshot::indexed_through`] are given as the *tail*: they are scored alike and replace their older heads.

mod codec;
mod dictionary;
mod error;
mod fields;
mod index;
mod merge;
mod reader;
mod schema;
mod score;
mod segment;
mod select;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use error::SearchError;
pub use fields::Field;
pub use index::SearchIndex;
pub use reader::{SearchReader, Snapshot};

/// Most hits of one page.
pub const PAGE_HITS_MAX: usize = 200;

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

/// Where a page ends: the next one starts after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cursor {
    /// The score of the last hit; 0 in lists.
    pub score: f32,
    /// The position of the last hit.
    pub position: i64,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The entry.
    pub entry_id: [u8; 16],
    /// The position of the head that was found.
    pub position: i64,
    /// How well it fits; comparable only within one answer. 0 in lists.
    pub score: f32,
    /// What it was found by, most telling first. Empty in lists.
    pub why: Vec<Why>,
}

/// One term that a hit was found by.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The term of the query, analyzed.
    pub term: String,
    /// The fields that hold it.
    pub fields: Vec<Field>,
    /// What it adds to the score.
    pub score: f32,
}

/// Some of the hits, best first; among equals the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The hits.
    pub hits: Vec<Hit>,
    /// Where the next page starts, if there is one.
    pub next: Option<Cursor>,
}
