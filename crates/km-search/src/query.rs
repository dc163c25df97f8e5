//! A query: the words somebody looks for, bounded.
//!
//! Two kinds of limits hold. A text is read as far as [`QUERY_BYTES_MAX`] and [`QUERY_TERMS_MAX`] allow. And a
//! store spends only so much on it, however the terms are chosen: [`LOOKUPS_MAX`], [`COUNTED_TERMS_MAX`] and
//! [`POSTINGS_MAX`]. They count work and not time, so that the same query of the same store always has the same
//! answer.

use std::collections::HashMap;

use crate::fold::{Class, fold};
use crate::names::names;
use crate::tables::{REGIONAL_CHARS_MAX, regional};
use crate::{Analyzer, Term, TermKind};

/// Longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 8_192;
/// Most different terms of a query.
pub const QUERY_TERMS_MAX: usize = 1_024;

/// Most pieces of its dictionaries that a store reads to look the terms of one query up. Terms that are matched
/// exactly come first, for they cost one piece in each part of an index; then prefixes, each whole, in the order
/// they were written, until so many are read. What is left is not looked for.
pub const LOOKUPS_MAX: u64 = 4_096;
/// Most terms of a query that count in a ranking: those that say most, of all that the store holds.
pub const COUNTED_TERMS_MAX: usize = 64;
/// Most postings that a store reads to rank the documents for one query: the terms that say most come first, and
/// those that would go beyond are left out, but for the very first.
pub const POSTINGS_MAX: u64 = 8_388_608;

/// What a term of another region's word counts, against 1 for a term that was written.
const REGIONAL_WEIGHT: f32 = 0.8;

/// How a term of a query meets the terms of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matching {
    /// The same term.
    Exact,
    /// Every term that begins with it.
    Prefix,
}

/// One term that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTerm {
    /// The term, analyzed.
    pub text: Box<str>,
    /// How it meets the terms of a document.
    pub matching: Matching,
    /// How often it was asked for.
    pub weight: f32,
}

/// The words somebody looks for. A document that holds any of them is found, as far as they count; more of them,
/// and rarer ones, rank it higher, and a name of the query that it is called by beats any words. There are no
/// operators: every text is a query, also a pasted alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    terms: Vec<QueryTerm>,
    names: Vec<Box<str>>,
}

/// Why a text is not a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is longer than [`QUERY_BYTES_MAX`].
    #[error("the query has {bytes} bytes, and at most {QUERY_BYTES_MAX} are taken")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has more different terms than [`QUERY_TERMS_MAX`].
    #[error("the query has {terms} different terms, and at most {QUERY_TERMS_MAX} are taken")]
    TooManyTerms {
        /// How many it has.
        terms: usize,
    },
}

impl Query {
    /// Reads a query. It may turn out empty, when the text holds no word or only English stop words.
    ///
    /// # Errors
    /// [`QueryError`] for a text beyond the limits; [`Self::like`] takes the beginning of such a text.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLong { bytes: text.len() });
        }
        let query = Self::of(text);
        match query.terms.len() {
            terms if terms > QUERY_TERMS_MAX => Err(QueryError::TooManyTerms { terms }),
            _ => Ok(query),
        }
    }

    /// The query for documents like `text`: as [`Self::parse`], from as much of its beginning as the limits allow.
    pub fn like(text: &str) -> Self {
        let mut query = Self::of(&text[..text.floor_char_boundary(QUERY_BYTES_MAX)]);
        query.terms.truncate(QUERY_TERMS_MAX);
        query
    }

    /// The terms, each once, in the order they were written.
    pub fn terms(&self) -> &[QueryTerm] {
        &self.terms
    }

    /// What it may name as a whole, such as an alert; compare with [`crate::name`]. At most
    /// [`QUERY_NAMES_MAX`](crate::QUERY_NAMES_MAX).
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    fn of(text: &str) -> Self {
        let mut written = Gathered::default();
        let mut analyzer = Analyzer::new();
        analyzer.analyze(text, |term| written.add(&term, 1.0));
        let mut others = Gathered::default();
        for word in regional_words(text) {
            analyzer.analyze(word, |term| others.add(&term, REGIONAL_WEIGHT));
        }
        others.terms.retain(|other| !written.places.contains_key(&other.text));
        for other in &mut others.terms {
            other.weight = REGIONAL_WEIGHT;
        }
        written.terms.append(&mut others.terms);
        Self { terms: written.terms, names: names(text) }
    }
}

/// Terms that are counted as they come.
#[derive(Default)]
struct Gathered {
    terms: Vec<QueryTerm>,
    places: HashMap<Box<str>, usize>,
}

impl Gathered {
    fn add(&mut self, term: &Term<&str>, weight: f32) {
        let matching = match term.kind {
            TermKind::Word | TermKind::Reading => Matching::Exact,
            TermKind::Single => Matching::Prefix,
            TermKind::Edge => return,
        };
        if let Some(&place) = self.places.get(term.text) {
            self.terms[place].weight += weight;
            return;
        }
        self.places.insert(term.text.into(), self.terms.len());
        self.terms.push(QueryTerm { text: term.text.into(), matching, weight });
    }
}

/// What other regions say for the words of `text`: the longest word at each place.
fn regional_words(text: &str) -> Vec<&'static str> {
    let mut folded: Vec<char> = Vec::new();
    fold(text, |glyph| folded.push(if glyph.class == Class::Cjk { glyph.ch } else { ' ' }));
    let mut found = Vec::new();
    let mut at = 0;
    while at < folded.len() {
        let (length, others) = regional_at(&folded[at..]);
        found.extend_from_slice(others);
        at += length;
    }
    found
}

fn regional_at(folded: &[char]) -> (usize, &'static [&'static str]) {
    let longest = folded.iter().take(REGIONAL_CHARS_MAX).take_while(|&&c| c != ' ').count();
    (2..=longest)
        .rev()
        .map(|length| (length, regional(&folded[..length].iter().collect::<String>())))
        .find(|(_, others)| !others.is_empty())
        .unwrap_or((1, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(query: &Query) -> Vec<&str> {
        query.terms().iter().map(|term| &*term.text).collect()
    }

    #[test]
    fn words_are_counted_and_stop_words_left_out() {
        let query = Query::parse("The disk of the disks").unwrap_or_default();
        assert_eq!(texts(&query), ["disk"]);
        assert_eq!(query.terms()[0].weight, 2.0);
        assert!(Query::parse("the of, !?").is_ok_and(|query| query.is_empty()));
    }

    #[test]
    fn a_lone_character_is_a_prefix_and_a_run_has_no_edge() {
        let query = Query::parse("盤 磁碟").unwrap_or_default();
        assert_eq!(texts(&query)[..2], ["盘", "磁碟"]);
        assert_eq!(query.terms()[0].matching, Matching::Prefix);
        assert_eq!(query.terms()[1].matching, Matching::Exact);
        assert!(!texts(&query).contains(&"碟"));
    }

    #[test]
    fn a_word_of_another_region_is_looked_for_too_and_counts_less() {
        let query = Query::parse("伺服器").unwrap_or_default();
        assert_eq!(texts(&query), ["伺服", "服器", "服务", "务器"]);
        assert!(query.terms()[2].weight < query.terms()[0].weight);
    }

    #[test]
    fn a_query_is_taken_at_its_limits_and_refused_one_past_them() {
        assert!(Query::parse(&"x".repeat(QUERY_BYTES_MAX)).is_ok());
        let long = "x".repeat(QUERY_BYTES_MAX + 1);
        assert_eq!(Query::parse(&long), Err(QueryError::TooLong { bytes: QUERY_BYTES_MAX + 1 }));
        let words = |count: usize| (0..count).map(|n| format!("{n} ")).collect::<String>();
        assert!(Query::parse(&words(QUERY_TERMS_MAX)).is_ok());
        let many = words(QUERY_TERMS_MAX + 1);
        assert!(many.len() < QUERY_BYTES_MAX);
        assert_eq!(Query::parse(&many), Err(QueryError::TooManyTerms { terms: QUERY_TERMS_MAX + 1 }));
        assert_eq!(Query::like(&many).terms().len(), QUERY_TERMS_MAX);
    }
}
