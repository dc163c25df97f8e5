//! Choosing: which documents a filter allows, and keeping the best of many.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rusqlite::Connection;

use super::Filter;
use super::codec::{Postings, numbers};
use super::dictionary::Dictionary;
use super::error::SearchError;
use super::fields::filter_properties;
use super::segment::{Column, Segment};

/// The documents of a segment that a filter allows.
pub(super) enum Allowed {
    /// All of them.
    All,
    /// Those whose bit is set; possibly none.
    Some(Bits),
}

/// One bit for each ordinal.
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn none(documents: u32) -> Self {
        Self(vec![0; (documents as usize).div_ceil(64)])
    }

    fn all(documents: u32) -> Self {
        Self(vec![u64::MAX; (documents as usize).div_ceil(64)])
    }

    fn set(&mut self, ordinal: u32) {
        if let Some(word) = self.0.get_mut(ordinal as usize / 64) {
            *word |= 1 << (ordinal % 64);
        }
    }

    fn unset(&mut self, ordinal: u32) {
        if let Some(word) = self.0.get_mut(ordinal as usize / 64) {
            *word &= !(1 << (ordinal % 64));
        }
    }

    fn holds(&self, ordinal: u32) -> bool {
        self.0.get(ordinal as usize / 64).is_some_and(|word| word >> (ordinal % 64) & 1 == 1)
    }

    fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }
}

impl Allowed {
    /// What `filter` allows in `segment`; none when it allows nothing.
    pub(super) fn of(
        connection: &Connection,
        segment: &Segment,
        filter: &Filter,
    ) -> Result<Option<Self>, SearchError> {
        let mut bits: Option<Bits> = None;
        let mut dictionary = Dictionary::of(connection, segment.id);
        for property in filter_properties(filter) {
            let Some(found) = dictionary.find(&property.term())? else {
                return Ok(None);
            };
            if found.count < segment.documents {
                let mut holders = Bits::none(segment.documents);
                Postings::of(&found.load(connection)?).for_each(|(ordinal, _)| holders.set(ordinal));
                match &mut bits {
                    Some(bits) => bits.keep(&holders),
                    None => bits = Some(holders),
                }
            }
        }
        if segment.dead_count > 0 {
            let bits = bits.get_or_insert_with(|| Bits::all(segment.documents));
            (0..segment.documents).filter(|&at| segment.is_dead(at)).for_each(|at| bits.unset(at));
        }
        if filter.occurred_from.is_some() || filter.occurred_to.is_some() {
            let times = Column::Times.load(connection, segment)?;
            let bits = bits.get_or_insert_with(|| Bits::all(segment.documents));
            let outside = numbers(&times).zip(0..).filter(|&(time, _)| !filter.spans(time));
            outside.for_each(|(_, at)| bits.unset(at));
        }
        Ok(Some(bits.map_or(Self::All, Self::Some)))
    }

    pub(super) fn holds(&self, ordinal: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits.holds(ordinal),
        }
    }
}

impl Filter {
    /// Whether `time` lies in the filter's span.
    pub(super) fn spans(&self, time: i64) -> bool {
        self.occurred_from.is_none_or(|from| time >= from) && self.occurred_to.is_none_or(|to| time < to)
    }
}

/// Where a hit stands in a ranking: the higher score comes first, among equals the newer. In lists every score
/// is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) score: f32,
    pub(super) position: i64,
}

impl Eq for Place {}

/// What comes first is greater.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(self.position.cmp(&other.position))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A document that was found. It may have been superseded by one that neither the index nor the tail holds:
/// whoever knows compares its position with that of the entry's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub(super) place: Place,
    pub(super) source: Source,
}

impl Found {
    /// The position of the document in the ledger.
    pub fn position(&self) -> i64 {
        self.place.position
    }

    /// How well it fits; comparable only within one ranking. 0 in lists.
    pub fn score(&self) -> f32 {
        self.place.score
    }
}

/// Where a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// In the segment at this place, at this ordinal.
    Indexed { segment: usize, ordinal: u32 },
    /// In the tail, at this place.
    Tail(usize),
}

/// Keeps the best of what is found after a place, so many at most.
pub(super) struct Best {
    kept: BinaryHeap<Reverse<Found>>,
    size: usize,
    after: Option<Place>,
}

impl Best {
    pub(super) fn new(size: usize, after: Option<Place>) -> Self {
        Self { kept: BinaryHeap::with_capacity(size + 1), size, after }
    }

    /// Whether a document at this place gets in. Many are asked about; few do.
    #[inline]
    pub(super) fn takes(&self, place: Place) -> bool {
        self.after.is_none_or(|after| place < after) && self.worst().is_none_or(|worst| place > worst)
    }

    /// Whether any document with this score may get in.
    #[inline]
    pub(super) fn takes_score(&self, score: f32) -> bool {
        self.worst().is_none_or(|worst| score >= worst.score)
    }

    /// Whether there may have been more than were kept.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= self.size
    }

    fn worst(&self) -> Option<Place> {
        if self.is_full() { self.kept.peek().map(|Reverse(worst)| worst.place) } else { None }
    }

    pub(super) fn offer(&mut self, found: Found) {
        if self.takes(found.place) {
            self.kept.push(Reverse(found));
        }
        if self.kept.len() > self.size {
            self.kept.pop();
        }
    }

    /// What was kept, best first.
    pub(super) fn into_sorted(self) -> Vec<Found> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(found)| found).collect()
    }
}
