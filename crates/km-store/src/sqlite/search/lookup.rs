//! Looking up what a query asks for, in every segment and within the limits.

use km_search::{LOOKUPS_MAX, Matching, Query, QueryTerm};
use rusqlite::Connection;

use super::dictionary::{Dictionary, Found};
use super::error::SearchError;
use super::fields::name_term;
use super::segment::Segment;

/// A term of the query as the segments hold it.
pub(super) struct LookedUp {
    /// Its place in the query.
    pub(super) term: usize,
    /// By segment: one list of postings, or one for each term that begins with it.
    pub(super) found: Vec<Vec<Found>>,
}

impl LookedUp {
    /// How many documents hold it.
    pub(super) fn holders(&self) -> u64 {
        self.found.iter().flatten().map(|found| u64::from(found.count)).sum()
    }
}

/// A name of the query that documents carry.
pub(super) struct Named<'q> {
    pub(super) name: &'q str,
    /// By segment.
    pub(super) found: Vec<Option<Found>>,
}

/// Looking up what a query asks for in every segment.
pub(super) struct Lookup<'c, 'q> {
    dictionaries: Vec<Dictionary<'c>>,
    query: &'q Query,
}

impl<'c, 'q> Lookup<'c, 'q> {
    pub(super) fn of(connection: &'c Connection, segments: &[Segment], query: &'q Query) -> Self {
        let dictionaries = segments.iter().map(|segment| Dictionary::of(connection, segment.id)).collect();
        Self { dictionaries, query }
    }

    /// Looks up as many terms as the limit allows, in the order of the query.
    pub(super) fn affordable(&mut self) -> Result<Vec<LookedUp>, SearchError> {
        let of_kind = |kind: Matching| {
            let terms = self.query.terms().iter().enumerate();
            terms.filter(move |(_, term)| term.matching == kind).map(|(at, _)| at)
        };
        let exact = usize::try_from(LOOKUPS_MAX).unwrap_or(usize::MAX) / self.dictionaries.len().max(1);
        let exact: Vec<usize> = of_kind(Matching::Exact).take(exact.max(1)).collect();
        let prefixes: Vec<usize> = of_kind(Matching::Prefix).collect();
        let mut looked_up = self.all(&exact)?;
        for term in prefixes {
            if self.cost() < LOOKUPS_MAX {
                looked_up.extend(self.all(&[term])?);
            }
        }
        looked_up.sort_unstable_by_key(|looked_up| looked_up.term);
        Ok(looked_up)
    }

    /// Looks up the terms at these places, and gives them in the order of their places.
    pub(super) fn all(&mut self, terms: &[usize]) -> Result<Vec<LookedUp>, SearchError> {
        let mut sorted = terms.to_vec();
        sorted.sort_unstable_by_key(|&term| &self.query.terms()[term].text);
        let mut all: Vec<_> = sorted.into_iter().map(|term| self.one(term)).collect::<Result<_, _>>()?;
        all.sort_unstable_by_key(|looked_up| looked_up.term);
        Ok(all)
    }

    fn one(&mut self, term: usize) -> Result<LookedUp, SearchError> {
        let QueryTerm { text, matching, .. } = &self.query.terms()[term];
        let find = |dictionary: &mut Dictionary<'_>| match matching {
            Matching::Exact => Ok(dictionary.find(text.as_bytes())?.into_iter().collect()),
            Matching::Prefix => dictionary.find_prefix(text.as_bytes()),
        };
        let found = self.dictionaries.iter_mut().map(find).collect::<Result<_, SearchError>>()?;
        Ok(LookedUp { term, found })
    }

    /// Looks up the names of the query.
    pub(super) fn names(&mut self) -> Result<Vec<Named<'q>>, SearchError> {
        let mut names: Vec<&str> = self.query.names().iter().map(|name| &**name).collect();
        names.sort_unstable();
        let mut all = Vec::new();
        for name in names {
            let term = name_term(name);
            let found = self.dictionaries.iter_mut().map(|dictionary| dictionary.find(&term));
            let found = found.collect::<Result<Vec<_>, _>>()?;
            all.extend(found.iter().any(Option::is_some).then_some(Named { name, found }));
        }
        Ok(all)
    }

    /// How many pieces of dictionaries were read so far.
    pub(super) fn cost(&self) -> u64 {
        self.dictionaries.iter().map(|dictionary| dictionary.blocks_read).sum()
    }
}
