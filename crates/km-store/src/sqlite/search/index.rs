//! The writing side of the index.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use km_search::Analyzer;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::error::{SearchError, damaged};
use super::merge::{self, DOCUMENTS_MAX};
use super::schema::{self, FileId, file_id};
use super::segment::{Segment, SegmentBuilder};
use super::{Document, Origin};

/// The one writer of an index. It keeps its own connection; see [`super::SearchReader`] for the other side.
pub struct SearchIndex {
    connection: Connection,
    path: PathBuf,
    /// The file that is written, whatever stands at the path later on.
    file: Option<FileId>,
    analyzer: Analyzer,
}

impl SearchIndex {
    /// Opens the index at `path`, or makes an empty one. One that is damaged, was written by another version of
    /// the layout or of the analyzer, or was not built from `origin`, is replaced as by [`Self::replace`].
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be opened, written or removed.
    pub fn open(path: &Path, origin: Origin) -> Result<Self, SearchError> {
        match schema::open_for_writing(path, &origin) {
            Ok(connection) => Ok(Self::of(connection, path)),
            Err(error) if error.calls_for_rebuild() => Self::replace(path, origin),
            Err(error) => Err(error),
        }
    }

    /// Puts an empty index in the place of whatever stands at `path`; feed it from position 0. Readers that are
    /// open go on with the file that was removed: they have to be told to open the new one.
    ///
    /// # Errors
    /// [`SearchError`] when the file cannot be removed or made.
    pub fn replace(path: &Path, origin: Origin) -> Result<Self, SearchError> {
        schema::remove(path)?;
        Ok(Self::of(schema::open_for_writing(path, &origin)?, path))
    }

    /// Removes the index at `path`, if there is one.
    ///
    /// # Errors
    /// [`SearchError`] when a file cannot be removed.
    pub fn remove(path: &Path) -> Result<(), SearchError> {
        schema::remove(path)
    }

    fn of(connection: Connection, path: &Path) -> Self {
        Self { connection, path: path.to_owned(), file: file_id(path), analyzer: Analyzer::new() }
    }

    /// Whether the file that is written still stands at its path, where readers look for it.
    pub fn is_in_place(&self) -> bool {
        self.file.is_some() && self.file == file_id(&self.path)
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
    /// Larger batches are faster; 500 to 5,000 documents fit well, and their text is held in memory some ten
    /// times. Now and then a batch also merges older segments, at most 32,768 documents at a time.
    ///
    /// # Errors
    /// [`SearchError`]; nothing was changed then.
    pub fn index(&mut self, documents: &[Document<'_>], through: i64) -> Result<(), SearchError> {
        schema::check_version(&self.connection)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (tenant, documents) in by_tenant(&newest(documents)) {
            let tenant = tenant_of(&transaction, tenant)?;
            for part in documents.chunks(DOCUMENTS_MAX as usize / 2) {
                add(&transaction, &mut self.analyzer, tenant, part)?;
            }
            merge_all(&transaction, tenant)?;
        }
        transaction
            .prepare_cached("UPDATE state SET indexed_through = ?1 WHERE only = 1")?
            .execute([through])?;
        Ok(transaction.commit()?)
    }
}

pub(super) fn indexed_through(connection: &Connection) -> Result<i64, SearchError> {
    let mut select = connection.prepare_cached("SELECT indexed_through FROM state WHERE only = 1")?;
    select.query_row([], |row| row.get(0)).optional()?.ok_or(damaged("the position is missing"))
}

/// The number that stands for a tenant in the index, if it has documents.
pub(super) fn find_tenant(connection: &Connection, name: &str) -> Result<Option<i64>, SearchError> {
    let mut select = connection.prepare_cached("SELECT id FROM tenant WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

fn tenant_of(connection: &Connection, name: &str) -> Result<i64, SearchError> {
    if let Some(id) = find_tenant(connection, name)? {
        return Ok(id);
    }
    let mut insert = connection.prepare_cached("INSERT INTO tenant (name, next_number) VALUES (?1, 0)")?;
    Ok(insert.insert([name])?)
}

/// The documents without those that a later one of the same entry replaces, in order.
fn newest<'a, 'd>(documents: &'a [Document<'d>]) -> Vec<&'a Document<'d>> {
    let mut seen = HashSet::with_capacity(documents.len());
    let later_first = documents.iter().rev();
    let mut kept: Vec<_> = later_first.filter(|one| seen.insert((one.tenant, one.entry_id))).collect();
    kept.reverse();
    kept
}

fn by_tenant<'a, 'd>(documents: &[&'a Document<'d>]) -> BTreeMap<&'d str, Vec<&'a Document<'d>>> {
    let mut by_tenant: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for &document in documents {
        by_tenant.entry(document.tenant).or_default().push(document);
    }
    by_tenant
}

fn add(
    connection: &Connection,
    analyzer: &mut Analyzer,
    tenant: i64,
    documents: &[&Document<'_>],
) -> Result<(), SearchError> {
    let first_number = take_numbers(connection, tenant, documents.len())?;
    let mut builder = SegmentBuilder::new(first_number);
    let mut dead = Vec::new();
    for (document, number) in documents.iter().zip(first_number..) {
        builder.add(analyzer, document);
        dead.extend(replace_number(connection, tenant, &document.entry_id, number)?);
    }
    bury(connection, tenant, dead)?;
    builder.write(connection, tenant)
}

/// Takes so many of a tenant's document numbers and answers the first.
fn take_numbers(connection: &Connection, tenant: i64, count: usize) -> Result<i64, SearchError> {
    let mut update = connection.prepare_cached(
        "UPDATE tenant SET next_number = next_number + ?2 WHERE id = ?1 RETURNING next_number - ?2",
    )?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let first = update.query_row(params![tenant, count], |row| row.get(0)).optional()?;
    first.ok_or(damaged("the next number is missing"))
}

/// Gives an entry the number of its new document, and answers the number of the one before.
fn replace_number(
    connection: &Connection,
    tenant: i64,
    entry_id: &[u8; 16],
    number: i64,
) -> Result<Option<i64>, SearchError> {
    let before: Option<i64> = connection
        .prepare_cached("SELECT number FROM entry WHERE tenant = ?1 AND entry_id = ?2")?
        .query_row(params![tenant, entry_id], |row| row.get(0))
        .optional()?;
    if let Some(before) = before {
        let gone = connection
            .prepare_cached("DELETE FROM document WHERE tenant = ?1 AND number = ?2 AND entry_id = ?3")?
            .execute(params![tenant, before, entry_id])?;
        if gone != 1 {
            return Err(damaged("an entry and its document disagree"));
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO entry (tenant, entry_id, number) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, entry_id) DO UPDATE SET number = excluded.number",
        )?
        .execute(params![tenant, entry_id, number])?;
    connection
        .prepare_cached("INSERT INTO document (tenant, number, entry_id) VALUES (?1, ?2, ?3)")?
        .execute(params![tenant, number, entry_id])?;
    Ok(before)
}

/// Marks documents of a tenant dead in whichever segment holds them.
fn bury(connection: &Connection, tenant: i64, dead: Vec<i64>) -> Result<(), SearchError> {
    if dead.is_empty() {
        return Ok(());
    }
    let mut segments = Segment::of_tenant(connection, tenant)?;
    let mut by_segment: HashMap<usize, Vec<i64>> = HashMap::new();
    for number in dead {
        let after = segments.partition_point(|segment| segment.first_number <= number);
        let at = after.checked_sub(1).ok_or(damaged("an entry's segment is missing"))?;
        by_segment.entry(at).or_default().push(number);
    }
    by_segment.into_iter().try_for_each(|(at, dead)| segments[at].bury(connection, &dead))
}

/// Merges until nothing calls for it. Every merge makes fewer segments or fewer dead, so it ends.
fn merge_all(connection: &Connection, tenant: i64) -> Result<(), SearchError> {
    loop {
        let segments = Segment::of_tenant(connection, tenant)?;
        let Some(range) = merge::plan(&segments) else { return Ok(()) };
        merge::merge(connection, &segments[range])?;
    }
}
