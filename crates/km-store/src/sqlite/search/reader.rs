//! The reading side of the index.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use km_search::Query;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::codec::numbers;
use super::cursor::{Cursor, View};
use super::error::{SearchError, damaged};
use super::index::{find_tenant, indexed_through};
use super::schema;
use super::score::{Scorer, Work};
use super::segment::{Column, Segment};
use super::select::{Allowed, Best, Found, Place, Source};
use super::tail::{self, TailDocument};
use super::{Document, Filter, Why};

/// What is found beyond a page: so many may turn out to be no heads any more.
const SPARE: usize = 64;

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

    /// The position in the ledger up to which everything is indexed.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn indexed_through(&self) -> Result<i64, SearchError> {
        schema::check_version(&self.connection)?;
        indexed_through(&self.connection)
    }

    /// What the index holds of one tenant now. It stays so while the snapshot lives, which should be short: until
    /// then the file cannot be tidied.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn snapshot(&self, tenant: &str) -> Result<Snapshot<'_>, SearchError> {
        let connection = self.connection.unchecked_transaction()?;
        schema::check_version(&connection)?;
        let indexed_through = indexed_through(&connection)?;
        let tenant = find_tenant(&connection, tenant)?;
        let segments = tenant.map(|tenant| Segment::of_tenant(&connection, tenant)).transpose()?;
        Ok(Snapshot { connection, indexed_through, segments: segments.unwrap_or_default() })
    }
}

/// The index of one tenant at one moment.
pub struct Snapshot<'r> {
    connection: Transaction<'r>,
    indexed_through: i64,
    segments: Vec<Segment>,
}

/// Which page of a ranking is asked for.
pub enum Start {
    /// The first, of this part of the ledger.
    First(View),
    /// The one after this cursor.
    After(Cursor),
}

impl Start {
    /// What the ranking is of.
    pub fn view(&self) -> View {
        match self {
            Self::First(view) => *view,
            Self::After(cursor) => cursor.view,
        }
    }

    fn after(&self) -> Option<Place> {
        match self {
            Self::First(_) => None,
            Self::After(cursor) => Some(cursor.last),
        }
    }
}

/// A part of a ranking, best first; among equals the newest first.
pub struct Ranking<'a> {
    /// What was found: a page and some to spare.
    pub found: Vec<Found>,
    /// Whether there may be more than that.
    pub cut: bool,
    view: View,
    scorer: Scorer<'a>,
    tail: Vec<TailDocument<'a>>,
}

impl Ranking<'_> {
    /// Where the ranking goes on after one that it found.
    pub fn after(&self, found: &Found) -> Cursor {
        Cursor { view: self.view, statistics: self.scorer.statistics.clone(), last: found.place }
    }

    /// What it cost.
    pub fn work(&self) -> Work {
        self.scorer.work
    }
}

impl Snapshot<'_> {
    /// The position in the ledger up to which this snapshot knows everything: the tail is what comes after it.
    pub fn indexed_through(&self) -> i64 {
        self.indexed_through
    }

    /// The entries that fit `query` best, among those that `filter` allows: `limit` of them, and some to spare.
    ///
    /// `tail` holds the tenant's heads that are not indexed yet, one of each entry. Reading it costs some 50 µs for 1 KiB: keep it short. `None`
    /// when the cursor was made up.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn rank<'a>(
        &self,
        query: &'a Query,
        filter: &Filter,
        tail: &'a [Document<'a>],
        start: &Start,
        limit: usize,
    ) -> Result<Option<Ranking<'a>>, SearchError> {
        let (connection, segments) = (&self.connection, &self.segments);
        let (tail, view) = (tail::read(tail, query), start.view());
        let scorer = match start {
            Start::First(_) => Some(Scorer::first(connection, segments, &tail, query)?),
            Start::After(cursor) => Scorer::again(connection, segments, query, cursor.statistics.clone())?,
        };
        let Some(mut scorer) = scorer else { return Ok(None) };
        // Whatever the tail replaces may stand before those of the page.
        let mut best = Best::new(limit + 1 + tail.len() + SPARE, start.after());
        self.offer_scored(&mut scorer, filter, view, &mut best)?;
        offer_tail(&scorer, filter, view, &tail, &mut best);
        let cut = best.is_full();
        Ok(Some(Ranking { found: best.into_sorted(), cut, view, scorer, tail }))
    }

    /// The entries that `filter` allows at positions below `before`, the highest first: `limit` of them and some
    /// to spare, and whether there may be more.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn list(
        &self,
        filter: &Filter,
        before: i64,
        limit: usize,
    ) -> Result<(Vec<Found>, bool), SearchError> {
        let mut best = Best::new(limit + 1 + SPARE, Some(Place { score: 0.0, position: before }));
        let mut segments: Vec<_> = self.segments.iter().enumerate().collect();
        segments.sort_by_key(|(_, segment)| Reverse(segment.position_max));
        for (at, segment) in segments {
            let reach = Place { score: 0.0, position: segment.position_max.min(before.saturating_sub(1)) };
            if !best.takes(reach) {
                break;
            }
            self.offer_listed(at, filter, &mut best)?;
        }
        let cut = best.is_full();
        Ok((best.into_sorted(), cut))
    }

    fn offer_listed(&self, at: usize, filter: &Filter, best: &mut Best) -> Result<(), SearchError> {
        let segment = &self.segments[at];
        let Some(allowed) = Allowed::of(&self.connection, segment, filter)? else { return Ok(()) };
        let positions = Column::Positions.load(&self.connection, segment)?;
        for (position, ordinal) in numbers(&positions).zip(0..).filter(|&(_, ordinal)| allowed.holds(ordinal))
        {
            let place = Place { score: 0.0, position };
            best.offer(Found { place, source: Source::Indexed { segment: at, ordinal } });
        }
        Ok(())
    }

    fn offer_scored(
        &self,
        scorer: &mut Scorer<'_>,
        filter: &Filter,
        view: View,
        best: &mut Best,
    ) -> Result<(), SearchError> {
        let mut scores = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let Some(allowed) = Allowed::of(&self.connection, segment, filter)? else { continue };
            scorer.score_segment(&self.connection, &self.segments, at, &mut scores)?;
            if !scores.iter().any(|&score| score > 0.0 && best.takes_score(score)) {
                continue;
            }
            let positions = Column::Positions.load(&self.connection, segment)?;
            let positions = positions.as_chunks::<8>().0;
            for (&score, ordinal) in scores.iter().zip(0..) {
                if score > 0.0 && best.takes_score(score) && allowed.holds(ordinal) {
                    let position = i64::from_le_bytes(positions[ordinal as usize]);
                    if view.holds(position) {
                        let source = Source::Indexed { segment: at, ordinal };
                        best.offer(Found { place: Place { score, position }, source });
                    }
                }
            }
        }
        Ok(())
    }

    /// The entries of some that were found, with the tail in which they were found.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn entries(&self, found: &[Found], tail: &[Document<'_>]) -> Result<Vec<[u8; 16]>, SearchError> {
        let mut all = vec![[0; 16]; found.len()];
        for (found, id) in found.iter().zip(&mut all) {
            if let Source::Tail(at) = found.source {
                *id = tail[at].entry_id;
            }
        }
        for (at, places) in by_segment(found) {
            let ordinals: Vec<u32> = places.iter().map(|&(ordinal, _)| ordinal).collect();
            let numbers = self.segments[at].numbers(&self.connection, &ordinals)?;
            for ((_, place), number) in places.into_iter().zip(numbers) {
                all[place] = self.entry(self.segments[at].tenant, number)?;
            }
        }
        Ok(all)
    }

    fn entry(&self, tenant: i64, number: i64) -> Result<[u8; 16], SearchError> {
        let sql = "SELECT entry_id FROM document WHERE tenant = ?1 AND number = ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        let id = select.query_row(params![tenant, number], |row| row.get(0)).optional()?;
        id.ok_or(damaged("a document's entry is missing"))
    }

    /// Says of some that a ranking found why it found them, most telling reason first.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn explain(&self, ranking: &Ranking<'_>, found: &[Found]) -> Result<Vec<Vec<Why>>, SearchError> {
        let mut all = vec![Vec::new(); found.len()];
        for (found, why) in found.iter().zip(&mut all) {
            if let Source::Tail(at) = found.source {
                *why = ranking.scorer.why_tail(&ranking.tail[at]);
            }
        }
        for (at, places) in by_segment(found) {
            let ordinals: Vec<u32> = places.iter().map(|&(ordinal, _)| ordinal).collect();
            let whys = ranking.scorer.why_segment(&self.connection, &self.segments, at, &ordinals)?;
            for ((_, place), why) in places.into_iter().zip(whys) {
                all[place] = why;
            }
        }
        Ok(all)
    }
}

fn offer_tail(scorer: &Scorer<'_>, filter: &Filter, view: View, tail: &[TailDocument<'_>], best: &mut Best) {
    let allowed = |one: &TailDocument<'_>| view.holds(one.document.position) && filter.allows(one.document);
    for (at, document) in tail.iter().enumerate().filter(|(_, one)| allowed(one)) {
        let place = Place { score: scorer.score_tail(document), position: document.document.position };
        if place.score > 0.0 {
            best.offer(Found { place, source: Source::Tail(at) });
        }
    }
}

/// What was found in the index by segment: the ordinals, ascending, with their places in `found`.
fn by_segment(found: &[Found]) -> BTreeMap<usize, Vec<(u32, usize)>> {
    let mut by_segment: BTreeMap<usize, Vec<(u32, usize)>> = BTreeMap::new();
    for (place, found) in found.iter().enumerate() {
        if let Source::Indexed { segment, ordinal } = found.source {
            by_segment.entry(segment).or_default().push((ordinal, place));
        }
    }
    by_segment.values_mut().for_each(|places| places.sort_unstable());
    by_segment
}
