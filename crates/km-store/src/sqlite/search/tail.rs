//! The tail: heads that the caller read from the ledger, not indexed yet.

use std::collections::{HashMap, HashSet};

use km_search::{Analyzer, LengthCode, Matching, Query};

use super::fields::{
    FIELDS, Frequencies, document_names, document_properties, filter_properties, text_terms,
};
use super::{Document, Filter};

/// A document of the tail as a query sees it.
pub(super) struct TailDocument<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) length: LengthCode,
    /// How often each field holds each term of the query, by the query's terms.
    pub(super) frequencies: Vec<Frequencies>,
    /// How many of its terms each term of the query meets.
    pub(super) met: Vec<u64>,
    /// The names of the query that it carries.
    pub(super) names: Vec<&'a str>,
}

/// What `query` meets in each of the documents.
pub(super) fn read<'a>(documents: &'a [Document<'a>], query: &'a Query) -> Vec<TailDocument<'a>> {
    let mut analyzer = Analyzer::new();
    let wanted = Wanted::of(query);
    documents.iter().map(|document| TailDocument::of(document, &wanted, &mut analyzer)).collect()
}

/// The terms of a query by their text.
struct Wanted<'q> {
    query: &'q Query,
    exact: HashMap<&'q [u8], usize>,
    /// By the prefix; and how long prefixes are.
    prefixes: HashMap<&'q [u8], usize>,
    prefix_lengths: Vec<usize>,
}

impl<'q> Wanted<'q> {
    fn of(query: &'q Query) -> Self {
        let of_kind = |kind: Matching| -> HashMap<&'q [u8], usize> {
            let terms = query.terms().iter().enumerate().filter(|(_, term)| term.matching == kind);
            terms.map(|(at, term)| (term.text.as_bytes(), at)).collect()
        };
        let prefixes = of_kind(Matching::Prefix);
        let lengths: HashSet<usize> = prefixes.keys().map(|prefix| prefix.len()).collect();
        Self {
            query,
            exact: of_kind(Matching::Exact),
            prefixes,
            prefix_lengths: lengths.into_iter().collect(),
        }
    }

    /// The terms of the query that a term of a document meets.
    fn met_by(&self, term: &[u8]) -> impl Iterator<Item = usize> {
        let beginnings = self.prefix_lengths.iter().filter_map(|&length| term.get(..length));
        let prefixes = beginnings.filter_map(|beginning| self.prefixes.get(beginning).copied());
        self.exact.get(term).copied().into_iter().chain(prefixes)
    }
}

impl<'a> TailDocument<'a> {
    fn of(document: &'a Document<'a>, wanted: &Wanted<'a>, analyzer: &mut Analyzer) -> Self {
        let mut frequencies = vec![[0; FIELDS]; wanted.query.terms().len()];
        let mut terms: HashMap<usize, HashSet<Vec<u8>>> = HashMap::new();
        let length = text_terms(analyzer, document, |term, field| {
            for at in wanted.met_by(term) {
                let frequency: &mut u32 = &mut frequencies[at][field as usize];
                *frequency = frequency.saturating_add(1);
                terms.entry(at).or_default().insert(term.to_vec());
            }
        });
        let met = (0..frequencies.len()).map(|at| terms.get(&at).map_or(0, |terms| terms.len() as u64));
        let own: Vec<String> = document_names(document).collect();
        let names = wanted.query.names().iter().map(|name| &**name);
        let names = names.filter(|name| own.iter().any(|own| own == name)).collect();
        Self { document, length, met: met.collect(), frequencies, names }
    }
}

impl Filter {
    /// Whether the filter allows this document.
    pub fn allows(&self, document: &Document<'_>) -> bool {
        let mut asked = filter_properties(self);
        self.tenant == document.tenant
            && self.spans(document.occurred_at)
            && asked.all(|asked| document_properties(document).any(|property| property == asked))
    }
}
