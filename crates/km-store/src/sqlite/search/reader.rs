//! The reading side of the index.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use km_search::Query;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::codec::numbers;
use super::error::{SearchError, damaged};
use super::index::{indexed_through, newest};
use super::schema;
use super::score::Scorer;
use super::segment::{Column, Segment};
use super::select::{Allowed, Best, Candidate, Source};
use super::tail::{self, TailDocument};
use super::{Cursor, Document, Filter, Hit, PAGE_HITS_MAX, Page, Why};

/// A connection that reads an index; as many as wanted may read beside the one writer.
pub struct SearchReader {
    connection: Connection,
}

impl SearchReader {
    /// Opens the index at `path`, which a [`super::SearchIndex`] has made.
    ///
    /// # Errors
    /// [`SearchError`] when there is no index, or one of another version.
    pub fn open(path: &Path) -> Result<Self, SearchError> {
        Ok(Self { connection: schema::open_for_reading(path)? })
    }

    /// The index as it is now. It stays so while the snapshot lives, which should be short: until then the
    /// file cannot be tidied.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, SearchError> {
        let connection = self.connection.unchecked_transaction()?;
        let indexed_through = indexed_through(&connection)?;
        let segments = Segment::all(&connection)?;
        Ok(Snapshot { connection, indexed_through, segments })
    }
}

/// The index at one moment.
pub struct Snapshot<'r> {
    connection: Transaction<'r>,
    indexed_through: i64,
    segments: Vec<Segment>,
}

/// A candidate with its document's number; one of the tail has none.
type Numbered = (Candidate, Option<i64>);

impl Snapshot<'_> {
    /// The position in the ledger up to which this snapshot knows everything: the tail is what comes after it.
    pub fn indexed_through(&self) -> i64 {
        self.indexed_through
    }

    /// The entries that fit `query` best, among those that `filter` allows.
    ///
    /// `tail` holds heads that are not indexed yet; they replace indexed ones of the same entry, and of several
    /// of one entry the last counts. Reading it costs some 50 µs a document: keep it short. A page has at most
    /// [`PAGE_HITS_MAX`] hits. Pages cover every hit once as long as the index and the tail stay as they are.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn search(
        &self,
        query: &Query,
        filter: &Filter,
        tail: &[Document<'_>],
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, SearchError> {
        let documents = newest(tail);
        let replaced = tail::replaced(&self.connection, &documents, &filter.tenant)?;
        let tail = tail::read(&documents, query);
        let scorer = Scorer::prepare(&self.connection, &self.segments, &tail, query)?;
        let limit = limit.clamp(1, PAGE_HITS_MAX);
        let mut best = Best::new(limit + 1 + replaced.len(), after);
        self.offer_scored(&scorer, filter, &mut best)?;
        for (at, document) in tail.iter().enumerate().filter(|(_, one)| filter.allows(one.document)) {
            let score = scorer.score_tail(document);
            if score > 0.0 {
                best.offer(Candidate {
                    score,
                    position: document.document.position,
                    source: Source::Tail(at),
                });
            }
        }
        let (candidates, next) = self.page(best, &replaced, limit)?;
        let mut hits = self.hits(&candidates, &documents)?;
        self.explain(&scorer, &candidates, &tail, &mut hits)?;
        Ok(Page { hits, next })
    }

    /// The entries that `filter` allows, the highest position first; otherwise as [`Self::search`].
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn list(
        &self,
        filter: &Filter,
        tail: &[Document<'_>],
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, SearchError> {
        let tail = newest(tail);
        let replaced = tail::replaced(&self.connection, &tail, &filter.tenant)?;
        let limit = limit.clamp(1, PAGE_HITS_MAX);
        let mut best = Best::new(limit + 1 + replaced.len(), after);
        for (at, document) in tail.iter().enumerate().filter(|(_, document)| filter.allows(document)) {
            best.offer(Candidate { score: 0.0, position: document.position, source: Source::Tail(at) });
        }
        self.offer_all(filter, &mut best)?;
        let (candidates, next) = self.page(best, &replaced, limit)?;
        Ok(Page { hits: self.hits(&candidates, &tail)?, next })
    }

    fn offer_scored(&self, scorer: &Scorer<'_>, filter: &Filter, best: &mut Best) -> Result<(), SearchError> {
        let mut scores = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let Some(allowed) = Allowed::of(&self.connection, segment, filter)? else { continue };
            scorer.score_segment(&self.connection, &self.segments, at, &mut scores)?;
            let positions = Column::Positions.load(&self.connection, segment)?;
            let positions = positions.as_chunks::<8>().0;
            for (&score, ordinal) in scores.iter().zip(0..) {
                if score > 0.0 && score >= best.score_min() && allowed.holds(ordinal) {
                    let position = i64::from_le_bytes(positions[ordinal as usize]);
                    best.offer(Candidate {
                        score,
                        position,
                        source: Source::Indexed { segment: at, ordinal },
                    });
                }
            }
        }
        Ok(())
    }

    /// Offers what a list may hold, the segments with the newest first so that the others need no look.
    fn offer_all(&self, filter: &Filter, best: &mut Best) -> Result<(), SearchError> {
        let mut segments: Vec<_> = self.segments.iter().enumerate().collect();
        segments.sort_by_key(|(_, segment)| Reverse(segment.position_max));
        for (at, segment) in segments {
            if !best.takes_position(segment.position_max) {
                return Ok(());
            }
            let Some(allowed) = Allowed::of(&self.connection, segment, filter)? else { continue };
            let positions = Column::Positions.load(&self.connection, segment)?;
            for (position, ordinal) in
                numbers(&positions).zip(0..).filter(|&(_, ordinal)| allowed.holds(ordinal))
            {
                let source = Source::Indexed { segment: at, ordinal };
                best.offer(Candidate { score: 0.0, position, source });
            }
        }
        Ok(())
    }

    /// The candidates of one page without those the tail replaces, and where the next page starts.
    fn page(
        &self,
        best: Best,
        replaced: &HashSet<i64>,
        limit: usize,
    ) -> Result<(Vec<Numbered>, Option<Cursor>), SearchError> {
        let mut candidates = self.numbered(best.into_sorted())?;
        candidates.retain(|(_, number)| number.is_none_or(|number| !replaced.contains(&number)));
        let more = candidates.len() > limit;
        candidates.truncate(limit);
        let last = candidates.last().filter(|_| more);
        let next = last.map(|(last, _)| Cursor { score: last.score, position: last.position });
        Ok((candidates, next))
    }

    /// Gives every indexed candidate its document's number.
    fn numbered(&self, candidates: Vec<Candidate>) -> Result<Vec<Numbered>, SearchError> {
        let mut numbered: Vec<_> = candidates.into_iter().map(|candidate| (candidate, None)).collect();
        for (at, places) in by_segment(numbered.iter().map(|(candidate, _)| candidate)) {
            let ordinals: Vec<u32> = places.iter().map(|&(ordinal, _)| ordinal).collect();
            let numbers = self.segments[at].numbers(&self.connection, &ordinals)?;
            for ((_, place), number) in places.into_iter().zip(numbers) {
                numbered[place].1 = Some(number);
            }
        }
        Ok(numbered)
    }

    fn hits(&self, candidates: &[Numbered], tail: &[&Document<'_>]) -> Result<Vec<Hit>, SearchError> {
        let hit = |&(candidate, number): &Numbered| {
            let entry_id = match candidate.source {
                Source::Tail(at) => tail[at].entry_id,
                Source::Indexed { .. } => self.entry_id(number)?,
            };
            Ok(Hit { entry_id, position: candidate.position, score: candidate.score, why: Vec::new() })
        };
        candidates.iter().map(hit).collect()
    }

    fn entry_id(&self, number: Option<i64>) -> Result<[u8; 16], SearchError> {
        let mut select = self.connection.prepare_cached("SELECT entry_id FROM document WHERE number = ?1")?;
        let id = select.query_row([number], |row| row.get(0)).optional()?;
        id.ok_or(damaged("a document's entry is missing"))
    }

    /// Says of every hit what it was found by.
    fn explain(
        &self,
        scorer: &Scorer<'_>,
        candidates: &[Numbered],
        tail: &[TailDocument<'_>],
        hits: &mut [Hit],
    ) -> Result<(), SearchError> {
        for ((candidate, _), hit) in candidates.iter().zip(&mut *hits) {
            if let Source::Tail(at) = candidate.source {
                hit.why = scorer.why_tail(&tail[at]);
            }
        }
        for (at, places) in by_segment(candidates.iter().map(|(candidate, _)| candidate)) {
            let ordinals: Vec<u32> = places.iter().map(|&(ordinal, _)| ordinal).collect();
            let whys: Vec<Vec<Why>> = scorer.why_segment(&self.connection, &self.segments, at, &ordinals)?;
            for ((_, place), why) in places.into_iter().zip(whys) {
                hits[place].why = why;
            }
        }
        Ok(())
    }
}

/// The indexed candidates by segment: their ordinals, ascending, with their places among the candidates.
fn by_segment<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> BTreeMap<usize, Vec<(u32, usize)>> {
    let mut by_segment: BTreeMap<usize, Vec<(u32, usize)>> = BTreeMap::new();
    for (place, candidate) in candidates.enumerate() {
        if let Source::Indexed { segment, ordinal } = candidate.source {
            by_segment.entry(segment).or_default().push((ordinal, place));
        }
    }
    by_segment.values_mut().for_each(|places| places.sort_unstable());
    by_segment
}
