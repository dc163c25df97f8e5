//! Choosing: which documents a filter allows, and keeping the best of many candidates.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rusqlite::Connection;

use super::codec::{Postings, numbers};
use super::dictionary::find;
use super::error::SearchError;
use super::fields::filter_properties;
use super::segment::{Column, Segment};
use super::{Cursor, Filter};

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
        for property in filter_properties(filter) {
            let Some((count, found)) = find(connection, segment.id, &property.term())? else {
                return Ok(None);
            };
            if count < segment.documents {
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

/// A document that may become a hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) score: f32,
    pub(super) position: i64,
    pub(super) source: Source,
}

/// Where a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the segment at this place, at this ordinal.
    Indexed { segment: usize, ordinal: u32 },
    /// In the tail, at this place.
    Tail(usize),
}

/// The order of hits: the higher score is greater, among equals the newer.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(self.position.cmp(&other.position))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Candidate {}

/// Keeps the best candidates after a cursor, so many at most.
pub(super) struct Best {
    kept: BinaryHeap<Reverse<Candidate>>,
    size: usize,
    after: Option<Cursor>,
}

impl Best {
    pub(super) fn new(size: usize, after: Option<Cursor>) -> Self {
        Self { kept: BinaryHeap::with_capacity(size + 1), size, after }
    }

    /// The least score that can still get in.
    pub(super) fn score_min(&self) -> f32 {
        match self.worst() {
            Some(worst) => worst.score,
            None => f32::MIN,
        }
    }

    /// Whether a document of a list at this position can still get in.
    pub(super) fn takes_position(&self, position: i64) -> bool {
        self.worst().is_none_or(|worst| position > worst.position)
    }

    fn worst(&self) -> Option<&Candidate> {
        if self.kept.len() < self.size { None } else { self.kept.peek().map(|Reverse(worst)| worst) }
    }

    pub(super) fn offer(&mut self, candidate: Candidate) {
        let shown = self.after.is_some_and(|after| {
            let order = candidate.score.total_cmp(&after.score).then(candidate.position.cmp(&after.position));
            order != Ordering::Less
        });
        if shown || self.worst().is_some_and(|worst| candidate < *worst) {
            return;
        }
        self.kept.push(Reverse(candidate));
        if self.kept.len() > self.size {
            self.kept.pop();
        }
    }

    /// The candidates, best first.
    pub(super) fn into_sorted(self) -> Vec<Candidate> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(candidate)| candidate).collect()
    }
}
