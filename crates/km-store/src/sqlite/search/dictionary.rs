//! The dictionary of a segment: writing its blocks in order, and finding terms in them.

use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{Block, BlockEntry, Listed, Place, seal, unseal};
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
            Place::Row(insert.insert([seal(postings.bytes)])?)
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
            .execute(params![self.segment, self.first_term, seal(&self.block)])?;
        self.block.clear();
        Ok(())
    }
}

/// A term of a query as one segment holds it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// How many documents hold it.
    pub(super) count: u32,
    postings: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    /// The postings themselves.
    Here(Vec<u8>),
    /// The row that holds them.
    Row(i64),
}

impl Found {
    fn of(entry: &BlockEntry<'_>) -> Self {
        let postings = match entry.place {
            Place::Here(bytes) => Kept::Here(bytes.to_vec()),
            Place::Row(id) => Kept::Row(id),
        };
        Self { count: entry.count, postings }
    }

    /// The postings.
    pub(super) fn load(&self, connection: &Connection) -> Result<Vec<u8>, SearchError> {
        match &self.postings {
            Kept::Here(bytes) => Ok(bytes.clone()),
            Kept::Row(id) => posting(connection, *id),
        }
    }
}

/// Reads long postings.
pub(super) fn posting(connection: &Connection, id: i64) -> Result<Vec<u8>, SearchError> {
    let mut select = connection.prepare_cached("SELECT data FROM posting WHERE id = ?1")?;
    let sealed = select.query_row([id], |row| row.get(0)).optional()?;
    unseal(sealed.ok_or(damaged("postings are missing"))?)
}

/// The dictionary of one segment as it is read. It counts the blocks it reads; terms that are asked for in order
/// share them.
pub(super) struct Dictionary<'c> {
    connection: &'c Connection,
    segment: i64,
    block: Option<StoredBlock>,
    /// How many blocks were read.
    pub(super) blocks_read: u64,
}

/// What one block says of a term.
enum Sought {
    /// The dictionary holds it.
    Found(Found),
    /// It does not.
    Absent,
    /// A later block may hold it.
    Beyond,
}

impl<'c> Dictionary<'c> {
    pub(super) fn of(connection: &'c Connection, segment: i64) -> Self {
        Self { connection, segment, block: None, blocks_read: 0 }
    }

    /// Finds one term.
    pub(super) fn find(&mut self, term: &[u8]) -> Result<Option<Found>, SearchError> {
        if let Some(block) = self.block.as_ref().filter(|block| *block.first_term <= *term) {
            match seek(block, term)? {
                Sought::Found(found) => return Ok(Some(found)),
                Sought::Absent => return Ok(None),
                Sought::Beyond => {}
            }
        }
        self.block = block_before(self.connection, self.segment, term)?;
        self.blocks_read += 1;
        match self.block.as_ref().map(|block| seek(block, term)).transpose()? {
            Some(Sought::Found(found)) => Ok(Some(found)),
            Some(Sought::Absent | Sought::Beyond) | None => Ok(None),
        }
    }

    /// Finds every term that begins with `prefix`.
    pub(super) fn find_prefix(&mut self, prefix: &[u8]) -> Result<Vec<Found>, SearchError> {
        let mut found = Vec::new();
        let mut next = match block_before(self.connection, self.segment, prefix)? {
            Some(block) => Some(block),
            None => block_after(self.connection, self.segment, prefix)?,
        };
        while let Some(block) = next {
            self.blocks_read += 1;
            for entry in Block(&block.data) {
                let entry = entry?;
                if entry.term.starts_with(prefix) {
                    found.push(Found::of(&entry));
                } else if entry.term > prefix {
                    return Ok(found);
                }
            }
            next = block_after(self.connection, self.segment, &block.first_term)?;
        }
        Ok(found)
    }
}

fn seek(block: &StoredBlock, term: &[u8]) -> Result<Sought, SearchError> {
    for entry in Block(&block.data) {
        let entry = entry?;
        if entry.term == term {
            return Ok(Sought::Found(Found::of(&entry)));
        }
        if entry.term > term {
            return Ok(Sought::Absent);
        }
    }
    Ok(Sought::Beyond)
}

/// A block and the first of its terms.
pub(super) struct StoredBlock {
    pub(super) first_term: Vec<u8>,
    pub(super) data: Vec<u8>,
}

/// The block that would hold `term`.
fn block_before(
    connection: &Connection,
    segment: i64,
    term: &[u8],
) -> Result<Option<StoredBlock>, SearchError> {
    let sql = "SELECT first_term, data FROM block WHERE segment = ?1 AND first_term <= ?2
               ORDER BY first_term DESC LIMIT 1";
    block(connection, sql, segment, term)
}

/// The first block whose first term is beyond `term`.
pub(super) fn block_after(
    connection: &Connection,
    segment: i64,
    term: &[u8],
) -> Result<Option<StoredBlock>, SearchError> {
    let sql = "SELECT first_term, data FROM block WHERE segment = ?1 AND first_term > ?2
               ORDER BY first_term LIMIT 1";
    block(connection, sql, segment, term)
}

fn block(
    connection: &Connection,
    sql: &str,
    segment: i64,
    term: &[u8],
) -> Result<Option<StoredBlock>, SearchError> {
    let mut select = connection.prepare_cached(sql)?;
    let read = select.query_row(params![segment, term], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let unsealed = |(first_term, sealed)| Ok(StoredBlock { first_term, data: unseal(sealed)? });
    read.map(unsealed).transpose()
}
