//! The dictionary of a segment: writing its blocks in order, and finding terms in them.

use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{Block, BlockEntry, Listed, Place};
use super::error::{SearchError, damaged};

/// A block is closed at this size, so that its row fits a page of SQLite without overflowing.
const BLOCK_BYTES: usize = 3_600;
/// Longer postings stand in a row of their own, so that looking terms up does not read them.
const INLINE_BYTES_MAX: usize = 400;

/// Writes the dictionary of one segment: terms must come in order, each once.
pub(super) struct DictionaryWriter<'c> {
    connection: &'c Connection,
    segment: i64,
    first_term: Vec<u8>,
    block: Vec<u8>,
}

impl<'c> DictionaryWriter<'c> {
    pub(super) fn new(connection: &'c Connection, segment: i64) -> Self {
        Self { connection, segment, first_term: Vec::new(), block: Vec::with_capacity(BLOCK_BYTES + 1_024) }
    }

    /// Adds a term with its postings.
    pub(super) fn push(&mut self, term: &[u8], postings: Listed<'_>) -> Result<(), SearchError> {
        let place = if postings.bytes.len() <= INLINE_BYTES_MAX {
            Place::Here(postings.bytes)
        } else {
            let mut insert = self.connection.prepare_cached("INSERT INTO posting (data) VALUES (?1)")?;
            Place::Row(insert.insert([postings.bytes])?)
        };
        if self.block.is_empty() {
            self.first_term.clear();
            self.first_term.extend_from_slice(term);
        }
        BlockEntry { term, count: postings.count, next: postings.next, place }.put(&mut self.block);
        if self.block.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), SearchError> {
        if self.block.is_empty() { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), SearchError> {
        self.connection
            .prepare_cached("INSERT INTO block (segment, first_term, data) VALUES (?1, ?2, ?3)")?
            .execute(params![self.segment, self.first_term, self.block])?;
        self.block.clear();
        Ok(())
    }
}

/// A term of a query as one segment holds it.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// The postings themselves.
    Here(Vec<u8>),
    /// The row that holds them.
    Row(i64),
}

impl Found {
    fn of(place: Place<'_>) -> Self {
        match place {
            Place::Here(bytes) => Self::Here(bytes.to_vec()),
            Place::Row(id) => Self::Row(id),
        }
    }

    /// The postings.
    pub(super) fn load(&self, connection: &Connection) -> Result<Vec<u8>, SearchError> {
        match self {
            Self::Here(bytes) => Ok(bytes.clone()),
            Self::Row(id) => posting(connection, *id),
        }
    }
}

/// Reads long postings.
pub(super) fn posting(connection: &Connection, id: i64) -> Result<Vec<u8>, SearchError> {
    let mut select = connection.prepare_cached("SELECT data FROM posting WHERE id = ?1")?;
    select.query_row([id], |row| row.get(0)).optional()?.ok_or(damaged("postings are missing"))
}

/// Finds one term: how many documents hold it, and where its postings are.
pub(super) fn find(
    connection: &Connection,
    segment: i64,
    term: &[u8],
) -> Result<Option<(u32, Found)>, SearchError> {
    let Some((_, block)) = block_before(connection, segment, term)? else { return Ok(None) };
    for entry in Block(&block) {
        let entry = entry?;
        if entry.term >= term {
            return Ok((entry.term == term).then(|| (entry.count, Found::of(entry.place))));
        }
    }
    Ok(None)
}

/// Finds every term that begins with `prefix`.
pub(super) fn find_prefix(
    connection: &Connection,
    segment: i64,
    prefix: &[u8],
) -> Result<Vec<(u32, Found)>, SearchError> {
    let mut found = Vec::new();
    let mut next = match block_before(connection, segment, prefix)? {
        Some(block) => Some(block),
        None => block_after(connection, segment, prefix)?,
    };
    while let Some((first_term, block)) = next {
        for entry in Block(&block) {
            let entry = entry?;
            if entry.term.starts_with(prefix) {
                found.push((entry.count, Found::of(entry.place)));
            } else if entry.term > prefix {
                return Ok(found);
            }
        }
        next = block_after(connection, segment, &first_term)?;
    }
    Ok(found)
}

type StoredBlock = (Vec<u8>, Vec<u8>);

/// The block that would hold `term`.
fn block_before(
    connection: &Connection,
    segment: i64,
    term: &[u8],
) -> Result<Option<StoredBlock>, SearchError> {
    let mut select = connection.prepare_cached(
        "SELECT first_term, data FROM block WHERE segment = ?1 AND first_term <= ?2
         ORDER BY first_term DESC LIMIT 1",
    )?;
    Ok(select.query_row(params![segment, term], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// The first block whose first term is beyond `term`.
pub(super) fn block_after(
    connection: &Connection,
    segment: i64,
    term: &[u8],
) -> Result<Option<StoredBlock>, SearchError> {
    let mut select = connection.prepare_cached(
        "SELECT first_term, data FROM block WHERE segment = ?1 AND first_term > ?2
         ORDER BY first_term LIMIT 1",
    )?;
    Ok(select.query_row(params![segment, term], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}
