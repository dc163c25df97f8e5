//! Scoring: BM25 over the segments and the tail, with the statistics of both.

use km_search::{Bm25, LengthCode, Matching, Query, QueryTerm};
use rusqlite::Connection;

use super::Why;
use super::codec::{CONTENT_ONCE, Postings};
use super::dictionary::{Found, find, find_prefix};
use super::error::SearchError;
use super::fields::{FIELDS, Field, Frequencies, weighted};
use super::segment::{Column, Segment};
use super::tail::TailDocument;

/// Most terms that are named as the reason of a hit.
const WHY_TERMS_MAX: usize = 8;

/// A term of the query with what the index knows of it.
struct Term<'q> {
    query: &'q QueryTerm,
    /// Its postings, by segment: one list, or one for each term that begins with it.
    found: Vec<Vec<Found>>,
    /// What a document earns that holds it without end.
    gain: f32,
}

/// A query made ready: every document is scored alike, wherever it is.
pub(super) struct Scorer<'q> {
    terms: Vec<Term<'q>>,
    /// By length code.
    resistance: [f32; 256],
}

impl<'q> Scorer<'q> {
    /// Looks the query's terms up and counts who holds them.
    pub(super) fn prepare(
        connection: &Connection,
        segments: &[Segment],
        tail: &[TailDocument<'_>],
        query: &'q Query,
    ) -> Result<Self, SearchError> {
        let indexed: u64 = segments.iter().map(|segment| u64::from(segment.documents)).sum();
        let documents = indexed + tail.len() as u64;
        let mut terms = Vec::with_capacity(query.terms().len());
        for (at, term) in query.terms().iter().enumerate() {
            let (mut holders, found) = look_up(connection, segments, term)?;
            holders += tail.iter().map(|document| document.met[at]).sum::<u64>();
            let gain = term.weight * Bm25::rarity(documents, holders.min(documents));
            terms.push(Term { query: term, found, gain });
        }
        Ok(Self { terms, resistance: resistance(mean_length(segments, tail, documents)) })
    }

    /// Writes the score of every document of a segment to `scores`; 0 for those that hold no term.
    pub(super) fn score_segment(
        &self,
        connection: &Connection,
        segments: &[Segment],
        at: usize,
        scores: &mut Vec<f32>,
    ) -> Result<(), SearchError> {
        scores.clear();
        scores.resize(segments[at].documents as usize, 0.0);
        if self.terms.iter().all(|term| term.found[at].is_empty()) {
            return Ok(());
        }
        let lengths = Column::Lengths.load(connection, &segments[at])?;
        for term in &self.terms {
            match (term.query.matching, term.found[at].as_slice()) {
                (_, []) => {}
                (Matching::Exact, [found]) => self.add(term, &found.load(connection)?, &lengths, scores),
                (Matching::Exact | Matching::Prefix, found) => {
                    let frequencies = united(connection, found, scores.len())?;
                    self.add_united(term, &frequencies, &lengths, scores);
                }
            }
        }
        Ok(())
    }

    fn add(&self, term: &Term<'_>, postings: &[u8], lengths: &[u8], scores: &mut [f32]) {
        // Most postings are plain: what they earn depends on the length alone.
        let plain = self.resistance.map(|resistance| term.gain * Bm25::saturation(1.0, resistance));
        for (ordinal, frequencies) in Postings::of(postings) {
            let at = ordinal as usize;
            let (Some(score), Some(&length)) = (scores.get_mut(at), lengths.get(at)) else { return };
            *score += match frequencies {
                CONTENT_ONCE => plain[usize::from(length)],
                _ => self.earned(term, weighted(frequencies), LengthCode(length)),
            };
        }
    }

    fn add_united(&self, term: &Term<'_>, frequencies: &[f32], lengths: &[u8], scores: &mut [f32]) {
        let held =
            frequencies.iter().zip(lengths).zip(scores).filter(|((frequency, _), _)| **frequency > 0.0);
        for ((&frequency, &length), score) in held {
            *score += self.earned(term, frequency, LengthCode(length));
        }
    }

    #[inline]
    fn earned(&self, term: &Term<'_>, frequency: f32, length: LengthCode) -> f32 {
        term.gain * Bm25::saturation(frequency, self.resistance[usize::from(length.0)])
    }

    /// The score of a document of the tail.
    pub(super) fn score_tail(&self, document: &TailDocument<'_>) -> f32 {
        let held = self.terms.iter().zip(&document.frequencies).filter(|(_, held)| **held != [0; FIELDS]);
        held.fold(0.0, |score, (term, &held)| score + self.earned(term, weighted(held), document.length))
    }

    /// Why a document of the tail was found.
    pub(super) fn why_tail(&self, document: &TailDocument<'_>) -> Vec<Why> {
        let held = self.terms.iter().zip(&document.frequencies).filter(|(_, held)| **held != [0; FIELDS]);
        told(held.map(|(term, &held)| self.why(term, held, document.length)).collect())
    }

    /// Why the documents of a segment were found, by their ordinals, which ascend.
    pub(super) fn why_segment(
        &self,
        connection: &Connection,
        segments: &[Segment],
        at: usize,
        ordinals: &[u32],
    ) -> Result<Vec<Vec<Why>>, SearchError> {
        let lengths = Column::Lengths.load(connection, &segments[at])?;
        let mut all = vec![Vec::new(); ordinals.len()];
        for term in &self.terms {
            let mut held = vec![[0; FIELDS]; ordinals.len()];
            for found in &term.found[at] {
                pick(&found.load(connection)?, ordinals, &mut held);
            }
            for (place, held) in held.into_iter().enumerate().filter(|(_, held)| *held != [0; FIELDS]) {
                let length = lengths.get(ordinals[place] as usize).copied().unwrap_or(0);
                all[place].push(self.why(term, held, LengthCode(length)));
            }
        }
        Ok(all.into_iter().map(told).collect())
    }

    fn why(&self, term: &Term<'_>, held: Frequencies, length: LengthCode) -> Why {
        Why {
            term: term.query.text.to_string(),
            fields: Field::ALL.into_iter().filter(|&field| held[field as usize] > 0).collect(),
            score: self.earned(term, weighted(held), length),
        }
    }
}

/// How many documents hold a term, and where its postings are in each segment.
fn look_up(
    connection: &Connection,
    segments: &[Segment],
    term: &QueryTerm,
) -> Result<(u64, Vec<Vec<Found>>), SearchError> {
    let text = term.text.as_bytes();
    let mut holders = 0;
    let mut by_segment = Vec::with_capacity(segments.len());
    for segment in segments {
        let found = match term.matching {
            Matching::Exact => find(connection, segment.id, text)?.into_iter().collect(),
            Matching::Prefix => find_prefix(connection, segment.id, text)?,
        };
        holders += found.iter().map(|(count, _)| u64::from(*count)).sum::<u64>();
        by_segment.push(found.into_iter().map(|(_, found)| found).collect());
    }
    Ok((holders, by_segment))
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs seven digits")]
fn mean_length(segments: &[Segment], tail: &[TailDocument<'_>], documents: u64) -> f32 {
    let indexed: i64 = segments.iter().map(|segment| segment.length_total).sum();
    let tail: i64 = tail.iter().map(|document| super::segment::rounded(document.length.length())).sum();
    (indexed + tail) as f32 / documents.max(1) as f32
}

fn resistance(mean: f32) -> [f32; 256] {
    let mut resistance = [0.0; 256];
    for (code, resistance) in (0..=u8::MAX).zip(&mut resistance) {
        *resistance = Bm25::default().resistance(LengthCode(code).length(), mean);
    }
    resistance
}

/// The weighted frequencies of several terms that count as one, by ordinal.
fn united(connection: &Connection, found: &[Found], documents: usize) -> Result<Vec<f32>, SearchError> {
    let mut sums = vec![0.0; documents];
    for found in found {
        for (ordinal, frequencies) in Postings::of(&found.load(connection)?) {
            if let Some(sum) = sums.get_mut(ordinal as usize) {
                *sum += weighted(frequencies);
            }
        }
    }
    Ok(sums)
}

/// Adds the frequencies at some ordinals, which ascend.
fn pick(postings: &[u8], ordinals: &[u32], held: &mut [Frequencies]) {
    let mut place = 0;
    for (ordinal, frequencies) in Postings::of(postings) {
        while ordinals.get(place).is_some_and(|&wanted| wanted < ordinal) {
            place += 1;
        }
        match ordinals.get(place) {
            None => return,
            Some(&wanted) if wanted == ordinal => {
                held[place].iter_mut().zip(frequencies).for_each(|(held, frequency)| *held += frequency);
            }
            Some(_) => {}
        }
    }
}

/// The most telling reasons first, not too many.
fn told(mut reasons: Vec<Why>) -> Vec<Why> {
    reasons.sort_by(|left, right| right.score.total_cmp(&left.score));
    reasons.truncate(WHY_TERMS_MAX);
    reasons
}
