//! Where a ranking goes on, and all it depends on: so that it goes on as it began.

use km_search::{COUNTED_TERMS_MAX, Matching, Query};

use super::Filter;
use super::codec::{put_varint, take_varint};
use super::schema;
use super::select::Place;
use super::statistics::{Counted, Statistics};

/// The first byte of a cursor; changes with what follows.
const FORMAT: u8 = 1;
/// Bytes of the checksum at the end.
const CHECK: usize = size_of::<u64>();
/// Most bytes of what comes before the terms: four positions, a score, and two counts.
const HEAD: usize = 1 + 4 * 9 + 5 + 2 * 10;
/// Most bytes of a term: its place in the query, and how many documents hold it, which are fewer than 2³⁵.
const TERM: usize = 2 + 5;
/// Longest cursor, in characters.
pub const CURSOR_CHARS_MAX: usize = 2 * (HEAD + COUNTED_TERMS_MAX * TERM + CHECK);

/// The part of the ledger that a ranking is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Heads beyond this position came later and are not in it.
    pub through: i64,
    /// The first and the last position of what was too much to be read and is not in it either.
    pub missed: Option<(i64, i64)>,
}

impl View {
    /// Whether a head at `position` is in the ranking.
    pub(super) fn holds(&self, position: i64) -> bool {
        position <= self.through
            && self.missed.is_none_or(|(first, last)| position < first || position > last)
    }

    /// Whether a look that misses `missed` still sees all that this view holds.
    pub fn allows_missing(&self, missed: Option<(i64, i64)>) -> bool {
        missed.is_none_or(|(first, last)| self.missed.is_some_and(|(from, to)| from <= first && last <= to))
    }
}

/// Where the next page of a ranking starts.
///
/// Every score depends on how many documents there are and how many hold each term, which changes with every
/// write. A cursor keeps those numbers, and the position in the ledger up to which they were counted: the pages
/// that follow rank the same documents by the same scores, whatever is written, indexed or merged meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    pub(super) view: View,
    pub(super) statistics: Statistics,
    pub(super) last: Place,
}

impl Cursor {
    /// What the ranking is of.
    pub fn view(&self) -> View {
        self.view
    }

    /// The cursor as text: hexadecimal, at most [`CURSOR_CHARS_MAX`] characters. It belongs to this query and this
    /// filter.
    pub fn write(&self, query: &Query, filter: &Filter) -> String {
        let mut bytes = vec![FORMAT];
        let (first, last) = self.view.missed.unwrap_or((1, 0));
        for position in [self.view.through, first, last, self.last.position] {
            put_varint(&mut bytes, position.unsigned_abs());
        }
        put_varint(&mut bytes, self.last.score.to_bits().into());
        put_varint(&mut bytes, self.statistics.documents);
        put_varint(&mut bytes, self.statistics.length_total);
        for counted in &self.statistics.terms {
            put_varint(&mut bytes, counted.term as u64);
            put_varint(&mut bytes, counted.holders);
        }
        let check = fingerprint(&bytes, query, filter);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a cursor. `None` for one that is damaged, or was given for another query, filter or version of km.
    pub fn read(text: &str, query: &Query, filter: &Filter) -> Option<Self> {
        let bytes = from_hexadecimal(text)?;
        let (content, check) = bytes.split_last_chunk::<CHECK>()?;
        if fingerprint(content, query, filter).to_le_bytes() != *check {
            return None;
        }
        let rest = &mut content.strip_prefix(&[FORMAT])?;
        let (through, first, last) = (take_position(rest)?, take_position(rest)?, take_position(rest)?);
        let position = take_position(rest)?;
        let score = f32::from_bits(u32::try_from(take_varint(rest)?).ok()?);
        let statistics = take_statistics(rest, query)?;
        Some(Self {
            view: View { through, missed: (first <= last).then_some((first, last)) },
            statistics,
            last: Place { score, position },
        })
    }
}

fn take_position(bytes: &mut &[u8]) -> Option<i64> {
    i64::try_from(take_varint(bytes)?).ok()
}

fn take_statistics(bytes: &mut &[u8], query: &Query) -> Option<Statistics> {
    let (documents, length_total) = (take_varint(bytes)?, take_varint(bytes)?);
    let mut terms: Vec<Counted> = Vec::new();
    while !bytes.is_empty() {
        let term = usize::try_from(take_varint(bytes)?).ok()?;
        let ascends = terms.last().is_none_or(|last| last.term < term);
        if !ascends || term >= query.terms().len() || terms.len() == COUNTED_TERMS_MAX {
            return None;
        }
        terms.push(Counted { term, holders: take_varint(bytes)? });
    }
    Some(Statistics { documents, length_total, terms })
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let whole = text.len() <= CURSOR_CHARS_MAX && text.is_ascii();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    if whole && rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// FNV-1a over all that a cursor belongs to: it tells mistakes, not forgeries. A forged cursor shows its caller
/// the caller's own entries in another order.
struct Fingerprint(u64);

impl Fingerprint {
    /// Adds a piece with its length, so that no two sequences of pieces are alike.
    fn add(&mut self, bytes: &[u8]) {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in length.iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn add_optional(&mut self, text: Option<&str>) {
        self.add(&[u8::from(text.is_some())]);
        self.add(text.unwrap_or_default().as_bytes());
    }
}

fn fingerprint(content: &[u8], query: &Query, filter: &Filter) -> u64 {
    let mut sum = Fingerprint(0xcbf2_9ce4_8422_2325);
    sum.add(&schema::VERSION.to_le_bytes());
    sum.add(content);
    for term in query.terms() {
        sum.add(term.text.as_bytes());
        sum.add(&term.weight.to_le_bytes());
        sum.add(&[u8::from(term.matching == Matching::Prefix)]);
    }
    query.names().iter().for_each(|name| sum.add(name.as_bytes()));
    add_filter(&mut sum, filter);
    sum.0
}

fn add_filter(sum: &mut Fingerprint, filter: &Filter) {
    let Filter { tenant, path, entry_type, tags, labels, incident_id, approval_id, .. } = filter;
    sum.add(tenant.as_bytes());
    for value in [path, entry_type, incident_id, approval_id] {
        sum.add_optional(value.as_deref());
    }
    for time in [filter.occurred_from, filter.occurred_to] {
        sum.add_optional(time.map(|time| time.to_string()).as_deref());
    }
    sum.add(&(tags.len() as u64).to_le_bytes());
    tags.iter().for_each(|tag| sum.add(tag.as_bytes()));
    for (label, value) in labels {
        sum.add(label.as_bytes());
        sum.add(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_cursor_keeps_its_limit_and_reads_back() {
        let words: String = (0..1_024).map(|n| format!("w{n} ")).collect();
        let query = Query::like(&words);
        let last = query.terms().len() - COUNTED_TERMS_MAX..query.terms().len();
        let cursor = Cursor {
            view: View { through: i64::MAX, missed: Some((i64::MAX - 1, i64::MAX)) },
            statistics: Statistics {
                documents: u64::MAX,
                length_total: u64::MAX,
                terms: last.map(|term| Counted { term, holders: (1 << 35) - 1 }).collect(),
            },
            last: Place { score: -f32::MAX, position: i64::MAX },
        };
        let filter = Filter::default();
        let text = cursor.write(&query, &filter);
        assert!(text.len() <= CURSOR_CHARS_MAX, "{} characters", text.len());
        assert_eq!(Cursor::read(&text, &query, &filter), Some(cursor));
    }

    #[test]
    fn a_view_holds_what_was_read_and_allows_no_more_to_be_missed() {
        let view = View { through: 100, missed: Some((10, 20)) };
        for (position, held) in [(9, true), (10, false), (20, false), (21, true), (100, true), (101, false)] {
            assert_eq!(view.holds(position), held, "{position}");
        }
        for (missed, allowed) in
            [(None, true), (Some((12, 20)), true), (Some((12, 21)), false), (Some((9, 12)), false)]
        {
            assert_eq!(view.allows_missing(missed), allowed, "{missed:?}");
        }
        assert!(!View { missed: None, ..view }.allows_missing(Some((12, 12))));
    }
}
