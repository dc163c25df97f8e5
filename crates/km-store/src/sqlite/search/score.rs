//! Scoring: BM25 over the segments and the tail, by the statistics of the first page.

use km_search::{Bm25, LOOKUPS_MAX, LengthCode, Matching, POSTINGS_MAX, Query, QueryTerm};
use rusqlite::Connection;

use super::codec::{CONTENT_ONCE, Postings};
use super::dictionary::Found;
use super::error::SearchError;
use super::fields::{FIELDS, Field, Frequencies, weighted};
use super::lookup::{LookedUp, Lookup, Named};
use super::segment::{Column, Segment};
use super::statistics::Statistics;
use super::tail::TailDocument;
use super::{Reason, Why};

/// Most reasons that are given for a hit.
const REASONS_MAX: usize = 8;

/// What a query cost, in the units of its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Pieces of dictionaries that were read to look terms up; see [`km_search::LOOKUPS_MAX`].
    pub lookups: u64,
    /// Postings that were read to rank documents; see [`POSTINGS_MAX`].
    pub postings: u64,
}

impl Work {
    /// Whether a later page may cost so much: the index may have grown since the first one, but what a cursor that
    /// was made up asks for is bounded too.
    fn may_go_on(self) -> bool {
        self.lookups <= 2 * LOOKUPS_MAX && self.postings <= 2 * POSTINGS_MAX
    }
}

/// A term that counts.
struct Term<'q> {
    query: &'q QueryTerm,
    place: usize,
    found: Vec<Vec<Found>>,
    /// What a document earns that holds it without end.
    gain: f32,
}

/// A query made ready: every document is scored alike, wherever it is.
pub(super) struct Scorer<'q> {
    terms: Vec<Term<'q>>,
    names: Vec<Named<'q>>,
    /// What a document earns by its name: as much as by holding every term without end, so that an exact name
    /// beats any text.
    name_gain: f32,
    /// By length code.
    resistance: [f32; 256],
    pub(super) statistics: Statistics,
    pub(super) work: Work,
}

impl<'q> Scorer<'q> {
    /// Looks the query's terms up and counts who holds them.
    pub(super) fn first(
        connection: &Connection,
        segments: &[Segment],
        tail: &[TailDocument<'_>],
        query: &'q Query,
    ) -> Result<Self, SearchError> {
        let mut lookup = Lookup::of(connection, segments, query);
        let looked_up = lookup.affordable()?;
        let statistics = Statistics::count(segments, tail, query, &looked_up);
        Self::of(query, lookup, looked_up, statistics)
    }

    /// Takes the counts of an earlier page. `None` when the terms cost far more than a first page may.
    pub(super) fn again(
        connection: &Connection,
        segments: &[Segment],
        query: &'q Query,
        statistics: Statistics,
    ) -> Result<Option<Self>, SearchError> {
        let mut lookup = Lookup::of(connection, segments, query);
        let terms: Vec<usize> = statistics.terms.iter().map(|counted| counted.term).collect();
        let looked_up = lookup.all(&terms)?;
        let postings = looked_up.iter().map(LookedUp::holders).sum();
        let work = Work { lookups: lookup.cost(), postings };
        let scorer = work.may_go_on().then(|| Self::of(query, lookup, looked_up, statistics));
        scorer.transpose()
    }

    fn of(
        query: &'q Query,
        mut lookup: Lookup<'_, 'q>,
        looked_up: Vec<LookedUp>,
        statistics: Statistics,
    ) -> Result<Self, SearchError> {
        let counts = |LookedUp { term: place, found }: LookedUp| {
            let gain = statistics.gain(query, place)?;
            Some(Term { query: &query.terms()[place], place, found, gain })
        };
        let terms: Vec<Term<'_>> = looked_up.into_iter().filter_map(counts).collect();
        let name_gain = 1.0 + terms.iter().map(|term| term.gain).sum::<f32>();
        let names = lookup.names()?;
        let work = Work { lookups: lookup.cost(), postings: 0 };
        Ok(Self {
            resistance: resistance(statistics.mean_length()),
            terms,
            names,
            name_gain,
            statistics,
            work,
        })
    }

    /// Writes the score of every document of a segment to `scores`; 0 for those that hold no term.
    pub(super) fn score_segment(
        &mut self,
        connection: &Connection,
        segments: &[Segment],
        at: usize,
        scores: &mut Vec<f32>,
    ) -> Result<(), SearchError> {
        scores.clear();
        scores.resize(segments[at].documents as usize, 0.0);
        if self.terms.iter().all(|term| term.found[at].is_empty()) && self.names.is_empty() {
            return Ok(());
        }
        let lengths = Column::Lengths.load(connection, &segments[at])?;
        for term in &self.terms {
            self.work.postings += term.found[at].iter().map(|found| u64::from(found.count)).sum::<u64>();
            match (term.query.matching, term.found[at].as_slice()) {
                (_, []) => {}
                (Matching::Exact, [found]) => self.add(term, &found.load(connection)?, &lengths, scores),
                (Matching::Exact | Matching::Prefix, found) => {
                    let frequencies = united(connection, found, scores.len())?;
                    self.add_united(term, &frequencies, &lengths, scores);
                }
            }
        }
        self.add_names(connection, at, scores)
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

    /// Adds what names earn, once for each document.
    fn add_names(&self, connection: &Connection, at: usize, scores: &mut [f32]) -> Result<(), SearchError> {
        let mut named = Vec::new();
        for found in self.names.iter().filter_map(|named| named.found[at].as_ref()) {
            named.extend(Postings::of(&found.load(connection)?).map(|(ordinal, _)| ordinal));
        }
        named.sort_unstable();
        named.dedup();
        for ordinal in named {
            if let Some(score) = scores.get_mut(ordinal as usize) {
                *score += self.name_gain;
            }
        }
        Ok(())
    }

    #[inline]
    fn earned(&self, term: &Term<'_>, frequency: f32, length: LengthCode) -> f32 {
        term.gain * Bm25::saturation(frequency, self.resistance[usize::from(length.0)])
    }

    /// The score of a document of the tail.
    pub(super) fn score_tail(&self, document: &TailDocument<'_>) -> f32 {
        let score = self
            .held_by(document)
            .fold(0.0, |score, (term, held)| score + self.earned(term, weighted(held), document.length));
        if document.names.is_empty() { score } else { score + self.name_gain }
    }

    fn held_by<'s>(
        &'s self,
        document: &'s TailDocument<'_>,
    ) -> impl Iterator<Item = (&'s Term<'q>, Frequencies)> {
        let held = self.terms.iter().map(|term| (term, document.frequencies[term.place]));
        held.filter(|(_, held)| *held != [0; FIELDS])
    }

    /// Why a document of the tail was found.
    pub(super) fn why_tail(&self, document: &TailDocument<'_>) -> Vec<Why> {
        let terms = self.held_by(document).map(|(term, held)| self.why(term, held, document.length));
        told(self.why_named(document.names.first().copied()).into_iter().chain(terms).collect())
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
            for (place, held) in picked(connection, &term.found[at], ordinals)? {
                let length = lengths.get(ordinals[place] as usize).copied().unwrap_or(0);
                all[place].push(self.why(term, held, LengthCode(length)));
            }
        }
        let mut named = vec![false; ordinals.len()];
        for Named { name, found } in &self.names {
            for (place, _) in picked(connection, found[at].as_slice(), ordinals)? {
                let first = !std::mem::replace(&mut named[place], true);
                all[place].extend(self.why_named(Some(name).filter(|_| first).copied()));
            }
        }
        Ok(all.into_iter().map(told).collect())
    }

    fn why(&self, term: &Term<'_>, held: Frequencies, length: LengthCode) -> Why {
        let fields = Field::ALL.into_iter().filter(|&field| held[field as usize] > 0).collect();
        Why {
            reason: Reason::Term { term: term.query.text.to_string(), fields },
            score: self.earned(term, weighted(held), length),
        }
    }

    fn why_named(&self, name: Option<&str>) -> Option<Why> {
        name.map(|name| Why { reason: Reason::Name(name.to_owned()), score: self.name_gain })
    }
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

/// Which of the ordinals, which ascend, hold one of the terms, and how often.
fn picked<'f>(
    connection: &Connection,
    found: impl IntoIterator<Item = &'f Found>,
    ordinals: &[u32],
) -> Result<Vec<(usize, Frequencies)>, SearchError> {
    let mut held = vec![[0; FIELDS]; ordinals.len()];
    for found in found {
        pick(&found.load(connection)?, ordinals, &mut held);
    }
    Ok(held.into_iter().enumerate().filter(|(_, held)| *held != [0; FIELDS]).collect())
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
    reasons.truncate(REASONS_MAX);
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_page_costs_twice_as_much_as_a_first_one_at_most() {
        let most = Work { lookups: 2 * LOOKUPS_MAX, postings: 2 * POSTINGS_MAX };
        assert!(most.may_go_on());
        assert!(!Work { lookups: most.lookups + 1, ..most }.may_go_on());
        assert!(!Work { postings: most.postings + 1, ..most }.may_go_on());
    }
}
