//! How postings, dictionary blocks and columns are written as bytes.
//!
//! All of them carry a checksum: SQLite keeps none, and damaged bytes could be read as other documents.
//!
//! A posting is its document's ordinal and how often each field holds the term. It is written as a varint
//! `gap << 1 | plain`: the ordinals skipped since the last posting, and whether it is the plain case, one
//! occurrence in the content. Otherwise a second varint `frequency << 3 | fields` follows, with the
//! frequency of the first of the fields, and one varint for each further field.

use super::error::{SearchError, damaged};
use super::fields::{FIELDS, Frequencies};

/// The plain case.
pub(super) const CONTENT_ONCE: Frequencies = [0, 1, 0];

/// Appends `value`, seven bits a byte, lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a varint off the front of `bytes`; none when they end or it is longer than 64 bits.
#[inline]
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    if first < 0x80 {
        return Some(first.into());
    }
    let mut value = u64::from(first & 0x7f);
    for shift in (7..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Bytes of a checksum.
const CHECKSUM: usize = size_of::<u32>();

/// A checksum that no change within eight neighbouring bytes leaves as it was but by a chance of 2⁻³². Four lanes
/// keep it as fast as memory is read.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: u64| (sum.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    let (rows, last) = words.as_chunks::<4>();
    let mut lanes = [bytes.len() as u64; 4];
    for row in rows {
        lanes.iter_mut().zip(row).for_each(|(lane, word)| *lane = mix(*lane, u64::from_le_bytes(*word)));
    }
    let last = last.iter().map(|word| u64::from_le_bytes(*word)).chain(rest.iter().map(|&byte| byte.into()));
    let sum = lanes.into_iter().chain(last).fold(0, mix);
    let sum = mix(sum, 0);
    (sum ^ sum >> 32) as u32
}

/// Adds the checksum.
pub(super) fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(bytes.len() + CHECKSUM);
    sealed.extend_from_slice(bytes);
    sealed.extend_from_slice(&checksum(bytes).to_le_bytes());
    sealed
}

/// Takes the checksum off, when the bytes are those that were sealed.
pub(super) fn unseal(mut sealed: Vec<u8>) -> Result<Vec<u8>, SearchError> {
    let (bytes, sum) = sealed.split_last_chunk::<CHECKSUM>().ok_or(damaged("bytes are missing"))?;
    if checksum(bytes).to_le_bytes() != *sum {
        return Err(damaged("bytes do not match their checksum"));
    }
    sealed.truncate(sealed.len() - CHECKSUM);
    Ok(sealed)
}

fn take_bytes<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// The postings of one term while they are written, in the order of their ordinals.
#[derive(Default)]
pub(super) struct PostingsWriter {
    /// What was written.
    pub(super) bytes: Vec<u8>,
    /// How many documents.
    pub(super) count: u32,
    /// One past the last ordinal.
    pub(super) next: u32,
}

impl PostingsWriter {
    /// Adds a posting; `ordinal` is beyond all earlier ones.
    pub(super) fn push(&mut self, ordinal: u32, frequencies: Frequencies) {
        let gap = u64::from(ordinal - self.next);
        self.next = ordinal + 1;
        self.count += 1;
        if frequencies == CONTENT_ONCE {
            put_varint(&mut self.bytes, gap << 1 | 1);
        } else {
            put_varint(&mut self.bytes, gap << 1);
            self.put_frequencies(frequencies);
        }
    }

    fn put_frequencies(&mut self, frequencies: Frequencies) {
        let held = (0..FIELDS).filter(|&field| frequencies[field] > 0);
        let mask: u64 = held.clone().map(|field| 1 << field).sum();
        for (place, field) in held.enumerate() {
            let frequency = u64::from(frequencies[field]);
            put_varint(&mut self.bytes, if place == 0 { frequency << FIELDS | mask } else { frequency });
        }
    }

    /// Adds all postings of another segment whose documents follow at `base`, without reading them one by one.
    pub(super) fn append(&mut self, postings: &Listed<'_>, base: u32) -> Option<()> {
        let mut rest = postings.bytes;
        let first = take_varint(&mut rest)?;
        let gap = u64::from(base.checked_sub(self.next)?) + (first >> 1);
        put_varint(&mut self.bytes, gap << 1 | first & 1);
        self.bytes.extend_from_slice(rest);
        self.count += postings.count;
        self.next = base + postings.next;
        Some(())
    }

    /// What was written, to be kept in a dictionary.
    pub(super) fn listed(&self) -> Listed<'_> {
        Listed { bytes: &self.bytes, count: self.count, next: self.next }
    }

    /// Starts the postings of the next term.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.next = 0;
    }
}

/// The postings of one term in one segment.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    /// As written by [`PostingsWriter`].
    pub(super) bytes: &'a [u8],
    /// How many documents.
    pub(super) count: u32,
    /// One past the last ordinal.
    pub(super) next: u32,
}

/// Reads postings in the order of their ordinals; ends early where they are damaged.
pub(super) struct Postings<'a> {
    bytes: &'a [u8],
    next: u64,
}

impl<'a> Postings<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0 }
    }

    fn frequencies(&mut self) -> Option<Frequencies> {
        let first = take_varint(&mut self.bytes)?;
        let mut frequencies = [0; FIELDS];
        let mut pending = Some(first >> FIELDS);
        for (field, frequency) in frequencies.iter_mut().enumerate() {
            if first >> field & 1 == 1 {
                let value = pending.take().or_else(|| take_varint(&mut self.bytes))?;
                *frequency = u32::try_from(value).ok()?;
            }
        }
        Some(frequencies)
    }
}

impl Iterator for Postings<'_> {
    type Item = (u32, Frequencies);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let head = take_varint(&mut self.bytes)?;
        let ordinal = self.next.checked_add(head >> 1)?;
        self.next = ordinal + 1;
        let frequencies = if head & 1 == 1 { CONTENT_ONCE } else { self.frequencies()? };
        Some((u32::try_from(ordinal).ok()?, frequencies))
    }
}

/// Where the postings of a dictionary entry are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// In the block itself.
    Here(&'a [u8]),
    /// In the row of the table `posting` with this id.
    Row(i64),
}

/// One term of a dictionary block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockEntry<'a> {
    pub(super) term: &'a [u8],
    pub(super) count: u32,
    pub(super) next: u32,
    pub(super) place: Place<'a>,
}

impl BlockEntry<'_> {
    /// Appends the entry to a block.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.term.len() as u64);
        out.extend_from_slice(self.term);
        put_varint(out, self.count.into());
        put_varint(out, self.next.into());
        match self.place {
            Place::Here(bytes) => {
                put_varint(out, (bytes.len() as u64) << 1);
                out.extend_from_slice(bytes);
            }
            Place::Row(id) => put_varint(out, id.unsigned_abs() << 1 | 1),
        }
    }
}

/// Reads the entries of a dictionary block in the order of their terms.
pub(super) struct Block<'a>(pub(super) &'a [u8]);

impl<'a> Block<'a> {
    fn entry(&mut self) -> Option<BlockEntry<'a>> {
        let bytes = &mut self.0;
        let length = take_varint(bytes)?;
        let term = take_bytes(bytes, length)?;
        let count = u32::try_from(take_varint(bytes)?).ok()?;
        let next = u32::try_from(take_varint(bytes)?).ok()?;
        let place = take_varint(bytes)?;
        let place = match place & 1 {
            0 => Place::Here(take_bytes(bytes, place >> 1)?),
            _ => Place::Row(i64::try_from(place >> 1).ok()?),
        };
        Some(BlockEntry { term, count, next, place })
    }
}

impl<'a> Iterator for Block<'a> {
    type Item = Result<BlockEntry<'a>, SearchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.0 = &[];
        }
        Some(entry.ok_or(damaged("a dictionary block ends early")))
    }
}

/// Reads a column of eight-byte numbers.
pub(super) fn numbers(bytes: &[u8]) -> impl ExactSizeIterator<Item = i64> {
    bytes.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_read_back_and_append_as_if_written_in_one_go() {
        let first = [(0, [0, 1, 0]), (3, [2, 0, 0]), (900, [1, 70_000, 3])];
        let second = [(5, [0, 1, 0]), (6, [0, 9, 0])];
        let write = |postings: &[(u32, Frequencies)], base: u32| {
            let mut writer = PostingsWriter::default();
            postings.iter().for_each(|&(ordinal, frequencies)| writer.push(base + ordinal, frequencies));
            writer
        };
        let mut joined = write(&first, 0);
        assert_eq!(joined.append(&write(&second, 0).listed(), 1_000), Some(()));
        let shifted = second.map(|(ordinal, frequencies)| (ordinal + 1_000, frequencies));
        let read: Vec<_> = Postings::of(&joined.bytes).collect();
        assert_eq!(read, [&first[..], &shifted[..]].concat());
        assert_eq!((joined.count, joined.next), (5, 1_007));
    }

    #[test]
    fn a_block_reads_back_and_a_cut_block_is_damaged() {
        let entries = [
            BlockEntry { term: b"disk", count: 2, next: 9, place: Place::Here(b"xyz") },
            BlockEntry { term: b"node", count: 70_000, next: 80_000, place: Place::Row(1 << 40) },
        ];
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| entry.put(&mut bytes));
        let read: Result<Vec<_>, _> = Block(&bytes).collect();
        assert!(read.is_ok_and(|read| read == entries));
        for end in 1..bytes.len() {
            let entries: Vec<_> = Block(&bytes[..end]).collect();
            assert!(entries.len() <= 2 && (entries.len() < 2 || entries[1].is_err()));
        }
    }

    #[test]
    fn no_changed_bit_goes_unnoticed() {
        for length in [0, 1, 7, 8, 9, 100] {
            let bytes: Vec<u8> = (0..length).collect();
            let sealed = seal(&bytes);
            assert!(unseal(sealed.clone()).is_ok_and(|unsealed| unsealed == bytes));
            for bit in 0..sealed.len() * 8 {
                let mut changed = sealed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(unseal(changed).is_err(), "bit {bit} of {length} bytes");
            }
            assert!(unseal(sealed[..sealed.len() - 1].to_vec()).is_err());
        }
    }

    #[test]
    fn damaged_postings_end() {
        for bytes in [&[0xff_u8; 12][..], &[0, 0xff], &[2]] {
            assert!(Postings::of(bytes).count() <= 1);
        }
    }
}
