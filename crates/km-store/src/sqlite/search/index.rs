//! The writing side of the index.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use km_search::Analyzer;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::error::{SearchError, damaged};
use super::merge::{self, DOCUMENTS_MAX};
use super::schema;
use super::segment::{Segment, SegmentBuilder};
use super::{Document, Origin};

/// The one writer of an index. It keeps its own connection; see [`super::SearchReader`] for the other side.
pub struct SearchIndex {
    connection: Connection,
    path: PathBuf,
    origin: Origin,
    analyzer: Analyzer,
}

impl SearchIndex {
    /// Opens the index at `path`, or makes an empty one. One that is damaged, was written by another version of
    /// the layout or of the analyzer, or was not built from `origin`, is removed and made anew: open it before
    /// any reader.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be opened, written or removed.
    pub fn open(path: &Path, origin: Origin) -> Result<Self, SearchError> {
        let connection = schema::open_for_writing(path, &origin)?;
        Ok(Self { connection, path: path.to_owned(), origin, analyzer: Analyzer::new() })
    }

    /// Removes the index at `path`, if there is one. Nobody may have it open.
    ///
    /// # Errors
    /// [`SearchError`] when a file cannot be removed.
    pub fn remove(path: &Path) -> Result<(), SearchError> {
        schema::remove(path)
    }

    /// The position in the ledger up to which everything is indexed; 0 for an empty index.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be read.
    pub fn indexed_through(&self) -> Result<i64, SearchError> {
        indexed_through(&self.connection)
    }

    /// Indexes a batch and moves the position to `through`, both or neither. Each document replaces the one of
    /// the same entry; of several in the batch the last counts. Doing it twice changes nothing more.
    ///
    /// Larger batches are faster; 500 to 5,000 documents fit well. Now and then a batch also merges older
    /// segments, at most 32,768 documents at a time.
    ///
    /// # Errors
    /// [`SearchError`]; nothing was changed then.
    pub fn index(&mut self, documents: &[Document<'_>], through: i64) -> Result<(), SearchError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for part in documents.chunks(DOCUMENTS_MAX as usize / 2) {
            add(&transaction, &mut self.analyzer, &newest(part))?;
        }
        transaction
            .prepare_cached("UPDATE state SET indexed_through = ?1 WHERE only = 1")?
            .execute([through])?;
        merge_all(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Takes entries out, for those that were deleted. Unknown ones are passed over. No search finds them any
    /// more; their words leave the file when their segment is merged, or at once with [`Self::rebuild`].
    ///
    /// # Errors
    /// [`SearchError`]; nothing was changed then.
    pub fn forget(&mut self, entries: &[(&str, [u8; 16])]) -> Result<(), SearchError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut dead = Vec::new();
        for (tenant, entry_id) in entries {
            dead.extend(number_of(&transaction, tenant, entry_id)?);
            transaction
                .prepare_cached("DELETE FROM entry WHERE tenant = ?1 AND entry_id = ?2")?
                .execute(params![tenant, entry_id])?;
        }
        bury(&transaction, dead)?;
        merge_all(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Empties the index; feed it again from position 0. Readers see it whole or empty. When the file is too
    /// damaged for that it is replaced, and readers must be opened anew.
    ///
    /// # Errors
    /// [`SearchError`] when the file can be neither emptied nor replaced.
    pub fn rebuild(&mut self) -> Result<(), SearchError> {
        match schema::clear(&mut self.connection) {
            Err(error) if error.calls_for_rebuild() => {
                self.connection = Connection::open_in_memory()?;
                schema::remove(&self.path)?;
                self.connection = schema::open_for_writing(&self.path, &self.origin)?;
                Ok(())
            }
            done => done,
        }
    }
}

pub(super) fn indexed_through(connection: &Connection) -> Result<i64, SearchError> {
    let mut select = connection.prepare_cached("SELECT indexed_through FROM state WHERE only = 1")?;
    select.query_row([], |row| row.get(0)).optional()?.ok_or(damaged("the position is missing"))
}

/// The number of the document that holds an entry's head.
pub(super) fn number_of(
    connection: &Connection,
    tenant: &str,
    entry_id: &[u8; 16],
) -> Result<Option<i64>, SearchError> {
    let mut select =
        connection.prepare_cached("SELECT number FROM entry WHERE tenant = ?1 AND entry_id = ?2")?;
    Ok(select.query_row(params![tenant, entry_id], |row| row.get(0)).optional()?)
}

/// The documents without those that a later one of the same entry replaces, in order.
pub(super) fn newest<'a, 'd>(documents: &'a [Document<'d>]) -> Vec<&'a Document<'d>> {
    let mut seen = HashSet::with_capacity(documents.len());
    let later_first = documents.iter().rev();
    let mut kept: Vec<_> = later_first.filter(|one| seen.insert((one.tenant, one.entry_id))).collect();
    kept.reverse();
    kept
}

fn add(
    connection: &Connection,
    analyzer: &mut Analyzer,
    documents: &[&Document<'_>],
) -> Result<(), SearchError> {
    if documents.is_empty() {
        return Ok(());
    }
    let first_number = take_numbers(connection, documents.len())?;
    let mut builder = SegmentBuilder::new(first_number);
    let mut dead = Vec::new();
    for (document, number) in documents.iter().zip(first_number..) {
        builder.add(analyzer, document);
        dead.extend(number_of(connection, document.tenant, &document.entry_id)?);
        set_number(connection, document, number)?;
    }
    bury(connection, dead)?;
    builder.write(connection)
}

/// Takes so many document numbers and answers the first.
fn take_numbers(connection: &Connection, count: usize) -> Result<i64, SearchError> {
    let mut update = connection.prepare_cached(
        "UPDATE state SET next_number = next_number + ?1 WHERE only = 1 RETURNING next_number - ?1",
    )?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    update.query_row([count], |row| row.get(0)).optional()?.ok_or(damaged("the next number is missing"))
}

fn set_number(connection: &Connection, document: &Document<'_>, number: i64) -> Result<(), SearchError> {
    connection
        .prepare_cached(
            "INSERT INTO entry (tenant, entry_id, number) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, entry_id) DO UPDATE SET number = excluded.number",
        )?
        .execute(params![document.tenant, document.entry_id, number])?;
    connection
        .prepare_cached("INSERT INTO document (number, tenant, entry_id) VALUES (?1, ?2, ?3)")?
        .execute(params![number, document.tenant, document.entry_id])?;
    Ok(())
}

/// Marks documents dead in whichever segment holds them.
fn bury(connection: &Connection, dead: Vec<i64>) -> Result<(), SearchError> {
    if dead.is_empty() {
        return Ok(());
    }
    let mut segments = Segment::all(connection)?;
    let mut by_segment: HashMap<usize, Vec<i64>> = HashMap::new();
    for number in dead {
        connection.prepare_cached("DELETE FROM document WHERE number = ?1")?.execute([number])?;
        let after = segments.partition_point(|segment| segment.first_number <= number);
        let at = after.checked_sub(1).ok_or(damaged("an entry's segment is missing"))?;
        by_segment.entry(at).or_default().push(number);
    }
    by_segment.into_iter().try_for_each(|(at, dead)| segments[at].bury(connection, &dead))
}

/// Merges until nothing calls for it. Every merge makes fewer segments or fewer dead, so it ends.
fn merge_all(connection: &Connection) -> Result<(), SearchError> {
    loop {
        let segments = Segment::all(connection)?;
        let Some(range) = merge::plan(&segments) else { return Ok(()) };
        merge::merge(connection, &segments[range])?;
    }
}
