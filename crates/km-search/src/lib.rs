//! How km reads text: one analyzer for documents and queries, the query, and highlighted snippets.
//!
//! Everything here is pure and knows no store. A store keeps an index of the terms an [`Analyzer`]
//! finds, asks it for the terms of a [`Query`], and ranks by [`Bm25`]; [`highlight`] then shows where
//! the query stands in the text as it was written.
//!
//! A text goes through these steps:
//!
//! 1. *Folding*: NFKC, case, and traditional to simplified Chinese characters. The text itself is kept
//!    as it came; every folded character knows its bytes in it.
//! 2. *Runs*: Chinese, Japanese and Korean characters that stand together; and words, with their parts
//!    joined by `.`, `-` or `_`.
//! 3. *Terms*: overlapping pairs of characters for the first; for the second the parts (split at
//!    `camelCase`, joints and digits; English stop words dropped, the rest stemmed) and the whole.

mod analyzer;
mod fold;
mod highlight;
mod names;
mod query;
mod rank;
mod tables;
mod words;

pub use analyzer::{ANALYSIS_VERSION, Analyzer, Term, TermKind, terms};
pub use highlight::{HIGHLIGHT_BYTES_MAX, Snippet, SnippetLimits, highlight};
pub use names::{QUERY_NAMES_MAX, is_identifier, name};
pub use query::{
    COUNTED_TERMS_MAX, LOOKUPS_MAX, Matching, POSTINGS_MAX, QUERY_BYTES_MAX, QUERY_TERMS_MAX, Query,
    QueryError, QueryTerm,
};
pub use rank::{Bm25, LengthCode};
