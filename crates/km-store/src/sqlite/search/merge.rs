//! Merging neighbouring segments, which keeps them few and drops dead documents.

use std::ops::Range;

use km_search::LengthCode;
use rusqlite::Connection;

use super::codec::{Block, Listed, Place, Postings, PostingsWriter};
use super::dictionary::{DictionaryWriter, StoredBlock, block_after, posting};
use super::error::{SearchError, damaged};
use super::segment::{Column, Segment, rounded};

/// So many neighbours of one size are merged.
const NEIGHBOURS: usize = 8;
/// Largest segment that merging makes, in documents: it bounds how long one merge takes.
pub(super) const DOCUMENTS_MAX: u32 = 32_768;

/// Which neighbours to merge next, if any.
pub(super) fn plan(segments: &[Segment]) -> Option<Range<usize>> {
    let rewritten = segments.iter().position(|segment| segment.dead_count * 2 > segment.documents);
    rewritten.map(|at| at..at + 1).or_else(|| {
        let sizes = size(DOCUMENTS_MAX);
        (0..=sizes).find_map(|size| plan_of_size(segments, size))
    })
}

/// Merging so many neighbours of one size makes a segment of the next size, so that a document is written anew
/// a few times only.
fn size(documents: u32) -> u32 {
    documents.max(1).ilog(NEIGHBOURS as u32)
}

/// Neighbours of at most this size, when there are many of just this size or they fill a segment.
fn plan_of_size(segments: &[Segment], size_max: u32) -> Option<Range<usize>> {
    let fits =
        |segment: &Segment| segment.living() <= DOCUMENTS_MAX / 2 && size(segment.living()) <= size_max;
    let mut start = 0;
    for run in segments.chunk_by(|left, right| fits(left) == fits(right)) {
        let living: u32 = run.iter().map(Segment::living).sum();
        let many = run.iter().filter(|segment| size(segment.living()) == size_max).count() >= NEIGHBOURS;
        let enough = many || (run.len() > 1 && living >= DOCUMENTS_MAX);
        if enough && fits(&run[0]) {
            return Some(start..start + filling(run));
        }
        start += run.len();
    }
    None
}

/// How many of these fill one segment.
fn filling(run: &[Segment]) -> usize {
    let totals = run.iter().scan(0, |total, segment| {
        *total += segment.living();
        Some(*total)
    });
    totals.take_while(|&total| total <= DOCUMENTS_MAX).count()
}

/// Replaces neighbouring segments of one tenant by one without their dead.
pub(super) fn merge(connection: &Connection, segments: &[Segment]) -> Result<(), SearchError> {
    if segments.iter().any(|segment| segment.living() > 0) {
        write_merged(connection, segments)?;
    }
    segments.iter().try_for_each(|segment| remove(connection, segment))
}

fn write_merged(connection: &Connection, segments: &[Segment]) -> Result<(), SearchError> {
    let (row, columns) = merged_columns(connection, segments)?;
    let id = row.insert(connection)?;
    for (column, data) in Column::ALL.into_iter().zip(&columns) {
        column.store(connection, id, data)?;
    }
    let mut base = 0;
    let mut sources = Vec::with_capacity(segments.len());
    for segment in segments {
        sources.push(Source::open(connection, segment, base)?);
        base += segment.living();
    }
    merge_terms(connection, id, &mut sources)
}

fn merged_columns(
    connection: &Connection,
    segments: &[Segment],
) -> Result<(Segment, [Vec<u8>; 4]), SearchError> {
    let mut columns: [Vec<u8>; 4] = Default::default();
    for segment in segments {
        for (column, merged) in Column::ALL.into_iter().zip(&mut columns) {
            let data = column.load(connection, segment)?;
            let values = data.chunks_exact(column.width()).zip(0..);
            values
                .filter(|&(_, at)| !segment.is_dead(at))
                .for_each(|(value, _)| merged.extend_from_slice(value));
        }
    }
    let numbers = columns[3].as_chunks::<8>().0;
    let number = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| i64::from_le_bytes(*chunk));
    let row = Segment {
        id: 0,
        tenant: segments[0].tenant,
        first_number: number(numbers.first()),
        last_number: number(numbers.last()),
        documents: segments.iter().map(Segment::living).sum(),
        length_total: columns[0].iter().map(|&code| rounded(LengthCode(code).length())).sum(),
        position_max: segments.iter().map(|segment| segment.position_max).max().unwrap_or(0),
        dead_count: 0,
        dead: Vec::new(),
    };
    Ok((row, columns))
}

fn merge_terms(connection: &Connection, id: i64, sources: &mut [Source<'_>]) -> Result<(), SearchError> {
    let mut dictionary = DictionaryWriter::new(connection, id);
    let mut postings = PostingsWriter::default();
    let mut term = Vec::new();
    while let Some(least) = sources.iter().filter(|source| !source.ended).map(|source| &source.term).min() {
        term.clone_from(least);
        for source in sources.iter_mut().filter(|source| !source.ended && source.term == term) {
            source.copy_to(&mut postings)?;
            source.advance()?;
        }
        if postings.count > 0 {
            dictionary.push(&term, postings.listed())?;
        }
        postings.clear();
    }
    dictionary.finish()
}

fn remove(connection: &Connection, segment: &Segment) -> Result<(), SearchError> {
    for sql in [
        "DELETE FROM block WHERE segment = ?1",
        "DELETE FROM segment_column WHERE segment = ?1",
        "DELETE FROM segment WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([segment.id])?;
    }
    Ok(())
}

/// A segment that is read term by term.
struct Source<'c> {
    connection: &'c Connection,
    segment: i64,
    /// The ordinal of its first living document in the merged segment.
    base: u32,
    /// The new ordinal of each document, none for the dead; absent when none is dead.
    ordinals: Option<Vec<Option<u32>>>,
    first_term: Vec<u8>,
    block: Vec<u8>,
    at: usize,
    term: Vec<u8>,
    count: u32,
    next: u32,
    place: OwnedPlace,
    ended: bool,
}

enum OwnedPlace {
    Here(Range<usize>),
    Row(i64),
}

impl<'c> Source<'c> {
    fn open(connection: &'c Connection, segment: &Segment, base: u32) -> Result<Self, SearchError> {
        let mut source = Self {
            connection,
            segment: segment.id,
            base,
            ordinals: (segment.dead_count > 0).then(|| living_ordinals(segment, base)),
            first_term: Vec::new(),
            block: Vec::new(),
            at: 0,
            term: Vec::new(),
            count: 0,
            next: 0,
            place: OwnedPlace::Here(0..0),
            ended: false,
        };
        source.advance()?;
        Ok(source)
    }

    fn advance(&mut self) -> Result<(), SearchError> {
        if self.at == self.block.len() {
            let next = block_after(self.connection, self.segment, &self.first_term)?;
            let Some(StoredBlock { first_term, data }) = next else {
                self.ended = true;
                return Ok(());
            };
            (self.first_term, self.block, self.at) = (first_term, data, 0);
        }
        let mut rest = Block(&self.block[self.at..]);
        let entry = rest.next().ok_or(damaged("a dictionary block is empty"))??;
        self.at = self.block.len() - rest.0.len();
        self.term.clear();
        self.term.extend_from_slice(entry.term);
        (self.count, self.next) = (entry.count, entry.next);
        self.place = match entry.place {
            Place::Here(bytes) => OwnedPlace::Here(self.at - bytes.len()..self.at),
            Place::Row(id) => OwnedPlace::Row(id),
        };
        Ok(())
    }

    /// Adds the postings of the term at hand; long ones are taken out of their row.
    fn copy_to(&self, merged: &mut PostingsWriter) -> Result<(), SearchError> {
        match &self.place {
            OwnedPlace::Here(range) => self.copy_bytes(&self.block[range.clone()], merged),
            OwnedPlace::Row(id) => {
                self.copy_bytes(&posting(self.connection, *id)?, merged)?;
                self.connection.prepare_cached("DELETE FROM posting WHERE id = ?1")?.execute([id])?;
                Ok(())
            }
        }
    }

    fn copy_bytes(&self, bytes: &[u8], merged: &mut PostingsWriter) -> Result<(), SearchError> {
        let Some(ordinals) = &self.ordinals else {
            let listed = Listed { bytes, count: self.count, next: self.next };
            return merged.append(&listed, self.base).ok_or(damaged("postings end early"));
        };
        for (ordinal, frequencies) in Postings::of(bytes) {
            if let Some(ordinal) = ordinals.get(ordinal as usize).copied().flatten() {
                merged.push(ordinal, frequencies);
            }
        }
        Ok(())
    }
}

fn living_ordinals(segment: &Segment, base: u32) -> Vec<Option<u32>> {
    let mut next = base;
    let mut ordinal = |at: u32| {
        let living = !segment.is_dead(at);
        let ordinal = living.then_some(next);
        next += u32::from(living);
        ordinal
    };
    (0..segment.documents).map(&mut ordinal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(documents: u32, dead_count: u32) -> Segment {
        Segment {
            id: 0,
            tenant: 1,
            first_number: 0,
            last_number: 0,
            documents,
            length_total: 0,
            position_max: 0,
            dead_count,
            dead: Vec::new(),
        }
    }

    #[test]
    fn segments_stay_few_however_small_the_batches_are() {
        let mut segments = Vec::new();
        let mut written = 0_u64;
        for _ in 0..20_000 {
            segments.push(segment(7, 0));
            while let Some(range) = plan(&segments) {
                let documents = segments[range.clone()].iter().map(Segment::living).sum();
                assert!(documents <= DOCUMENTS_MAX);
                written += u64::from(documents);
                segments.splice(range, [segment(documents, 0)]);
            }
        }
        let full = 20_000 * 7 / (DOCUMENTS_MAX as usize / 2);
        assert!(segments.len() <= full + 6 * NEIGHBOURS, "{} segments", segments.len());
        assert!(written < 20_000 * 7 * 8, "{written} documents were written again");
    }

    #[test]
    fn a_segment_that_is_mostly_dead_is_written_anew_alone() {
        assert_eq!(plan(&[segment(DOCUMENTS_MAX, 1), segment(100, 51), segment(100, 0)]), Some(1..2));
        assert_eq!(plan(&[segment(DOCUMENTS_MAX, 1), segment(100, 50), segment(100, 0)]), None);
    }
}
