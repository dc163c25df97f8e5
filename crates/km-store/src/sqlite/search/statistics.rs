//! The numbers that a ranking depends on.

use km_search::{Bm25, COUNTED_TERMS_MAX, POSTINGS_MAX, Query, QueryTerm};

use super::lookup::LookedUp;
use super::segment::{Segment, rounded};
use super::tail::TailDocument;

/// What a ranking depends on besides its documents.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statistics {
    pub(super) documents: u64,
    /// The lengths of all documents together.
    pub(super) length_total: u64,
    /// The terms that count, in the order of the query.
    pub(super) terms: Vec<Counted>,
}

/// A term and how many documents hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Its place in the query.
    pub(super) term: usize,
    pub(super) holders: u64,
}

impl Statistics {
    /// Counts the documents of the segments and the tail.
    pub(super) fn count(
        segments: &[Segment],
        tail: &[TailDocument<'_>],
        query: &Query,
        looked_up: &[LookedUp],
    ) -> Self {
        let indexed: u64 = segments.iter().map(|segment| u64::from(segment.documents)).sum();
        let lengths = segments.iter().map(|segment| segment.length_total);
        let lengths = lengths.chain(tail.iter().map(|document| rounded(document.length.length())));
        let holders = |looked_up: &LookedUp| {
            looked_up.holders() + tail.iter().map(|document| document.met[looked_up.term]).sum::<u64>()
        };
        let counted = looked_up.iter().map(|one| Counted { term: one.term, holders: holders(one) });
        let documents = indexed + tail.len() as u64;
        Self {
            documents,
            length_total: lengths.sum::<i64>().unsigned_abs(),
            terms: most_telling(query, documents, counted.collect()),
        }
    }

    /// The mean length of a document.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs seven digits")]
    pub(super) fn mean_length(&self) -> f32 {
        self.length_total as f32 / self.documents.max(1) as f32
    }

    /// What a document earns that holds this term of the query without end; none when the term does not count.
    pub(super) fn gain(&self, query: &Query, term: usize) -> Option<f32> {
        let at = self.terms.binary_search_by_key(&term, |counted| counted.term).ok()?;
        Some(gain(&query.terms()[term], self.documents, self.terms[at].holders))
    }
}

fn gain(term: &QueryTerm, documents: u64, holders: u64) -> f32 {
    term.weight * Bm25::rarity(documents, holders.min(documents))
}

/// The terms that say most, within the limits, in the order of the query.
fn most_telling(query: &Query, documents: u64, mut counted: Vec<Counted>) -> Vec<Counted> {
    let says = |counted: &Counted| gain(&query.terms()[counted.term], documents, counted.holders);
    counted.retain(|counted| counted.holders > 0);
    counted.sort_by(|left, right| says(right).total_cmp(&says(left)).then(left.term.cmp(&right.term)));
    counted.truncate(COUNTED_TERMS_MAX);
    let postings = counted.iter().scan(0, |postings, counted| {
        *postings += counted.holders;
        Some(*postings)
    });
    let affordable = postings.take_while(|&postings| postings <= POSTINGS_MAX).count();
    counted.truncate(affordable.max(1));
    counted.sort_unstable_by_key(|counted| counted.term);
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(holders: impl IntoIterator<Item = u64>) -> Vec<Counted> {
        holders.into_iter().enumerate().map(|(term, holders)| Counted { term, holders }).collect()
    }

    fn query(terms: usize) -> Query {
        Query::like(&(0..terms).map(|n| format!("w{n} ")).collect::<String>())
    }

    #[test]
    fn the_rarest_terms_count_and_so_many_at_most() {
        let holders = (0..200).map(|n| 1 + n * 37 % 200);
        let told = most_telling(&query(200), 1_000, counted(holders));
        assert_eq!(told.len(), COUNTED_TERMS_MAX);
        assert!(told.iter().all(|counted| counted.holders <= COUNTED_TERMS_MAX as u64));
        assert!(told.is_sorted_by_key(|counted| counted.term));
    }

    #[test]
    fn postings_are_bounded_but_for_the_first_term() {
        let documents = 20 * POSTINGS_MAX;
        let third = POSTINGS_MAX / 3;
        let told = most_telling(&query(5), documents, counted([third + 9, 7, third, 0, third + 1]));
        assert_eq!(told.iter().map(|counted| counted.term).collect::<Vec<_>>(), [1, 2, 4]);
        let told = most_telling(&query(2), documents, counted([3 * POSTINGS_MAX, 2 * POSTINGS_MAX]));
        assert_eq!(told, [Counted { term: 1, holders: 2 * POSTINGS_MAX }]);
    }
}
