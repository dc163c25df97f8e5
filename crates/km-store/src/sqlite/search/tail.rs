//! The tail: heads that the caller read from the ledger, not indexed yet.

use std::collections::HashSet;

use km_search::{Analyzer, LengthCode, Matching, Query, QueryTerm};
use rusqlite::Connection;

use super::error::SearchError;
use super::fields::{FIELDS, Frequencies, document_properties, filter_properties, text_terms};
use super::index::number_of;
use super::{Document, Filter};

/// A document of the tail as a query sees it.
pub(super) struct TailDocument<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) length: LengthCode,
    /// How often each field holds each term of the query, by the query's terms.
    pub(super) frequencies: Vec<Frequencies>,
    /// How many of its terms each term of the query meets.
    pub(super) met: Vec<u64>,
}

/// What `query` meets in each of the documents.
pub(super) fn read<'a>(documents: &[&'a Document<'a>], query: &Query) -> Vec<TailDocument<'a>> {
    let mut analyzer = Analyzer::new();
    documents.iter().map(|&document| TailDocument::of(document, query, &mut analyzer)).collect()
}

impl<'a> TailDocument<'a> {
    fn of(document: &'a Document<'a>, query: &Query, analyzer: &mut Analyzer) -> Self {
        let wanted = query.terms();
        let mut frequencies = vec![[0; FIELDS]; wanted.len()];
        let mut terms: Vec<HashSet<Vec<u8>>> = vec![HashSet::new(); wanted.len()];
        let length = text_terms(analyzer, document, |term, field| {
            for (at, _) in wanted.iter().enumerate().filter(|(_, wanted)| meets(wanted, term)) {
                let frequency: &mut u32 = &mut frequencies[at][field as usize];
                *frequency = frequency.saturating_add(1);
                terms[at].insert(term.to_vec());
            }
        });
        let met = terms.iter().map(|terms| terms.len() as u64).collect();
        Self { document, length, frequencies, met }
    }
}

impl Filter {
    /// Whether the filter allows this document.
    pub(super) fn allows(&self, document: &Document<'_>) -> bool {
        let mut asked = filter_properties(self);
        self.spans(document.occurred_at)
            && asked.all(|asked| document_properties(document).any(|property| property == asked))
    }
}

fn meets(wanted: &QueryTerm, term: &[u8]) -> bool {
    match wanted.matching {
        Matching::Exact => wanted.text.as_bytes() == term,
        Matching::Prefix => term.starts_with(wanted.text.as_bytes()),
    }
}

/// The numbers of the indexed documents that the tail replaces, for one tenant.
pub(super) fn replaced(
    connection: &Connection,
    documents: &[&Document<'_>],
    tenant: &str,
) -> Result<HashSet<i64>, SearchError> {
    let same_tenant = documents.iter().filter(|document| document.tenant == tenant);
    let numbers = same_tenant.map(|document| number_of(connection, tenant, &document.entry_id));
    numbers.filter_map(Result::transpose).collect()
}
