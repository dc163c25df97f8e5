//! The file of the index: its settings, its version, and beginning anew.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use km_search::ANALYSIS_VERSION;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::Origin;
use super::error::{SearchError, damaged};

const SCHEMA: &str = include_str!("schema.sql");
/// Changes with `schema.sql` and with the meaning of the bytes in it.
const LAYOUT_VERSION: u32 = 3;
/// What `user_version` of a usable file says.
pub(super) const VERSION: u32 = LAYOUT_VERSION << 16 | ANALYSIS_VERSION;

/// Opens the file for writing; makes an empty index of this ledger when there is none.
pub(super) fn open_for_writing(path: &Path, origin: &Origin) -> Result<Connection, SearchError> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.set_prepared_statement_cache_capacity(32);
    if version(&connection)? == 0 {
        create(&mut connection, origin)?;
    }
    check_version(&connection)?;
    check_origin(&connection, origin)?;
    Ok(connection)
}

/// Device and inode of a file.
pub(super) type FileId = (u64, u64);

/// Which file stands at a path, if one does.
pub(super) fn file_id(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Opens the file for reading.
///
/// SQLite opens the log beside it by name, and later: when the file is replaced in between, the old file would be
/// read with the new log. So the file must be the same before it is opened and after it was read from.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, SearchError> {
    let file = file_id(path).ok_or(SearchError::Missing)?;
    let opened = open_file_for_reading(path);
    if file_id(path) == Some(file) { opened } else { Err(SearchError::Missing) }
}

fn open_file_for_reading(path: &Path) -> Result<Connection, SearchError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -2_048)?;
    connection.set_prepared_statement_cache_capacity(32);
    check_version(&connection)?;
    Ok(connection)
}

/// Whether the file is one that this km wrote.
pub(super) fn check_version(connection: &Connection) -> Result<(), SearchError> {
    if version(connection)? == VERSION { Ok(()) } else { Err(SearchError::Outdated) }
}

fn version(connection: &Connection) -> Result<u32, SearchError> {
    Ok(connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?)
}

/// An index that knows more than its ledger was built before that ledger was put back from a copy.
fn check_origin(connection: &Connection, origin: &Origin) -> Result<(), SearchError> {
    let read = "SELECT ledger_id, indexed_through FROM state WHERE only = 1";
    let state = connection.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (ledger_id, indexed_through): ([u8; 16], i64) = state.ok_or(damaged("the position is missing"))?;
    if ledger_id == origin.ledger_id && indexed_through <= origin.newest {
        return Ok(());
    }
    Err(SearchError::Foreign)
}

fn create(connection: &mut Connection, origin: &Origin) -> Result<(), SearchError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let insert = "INSERT INTO state (only, ledger_id, indexed_through) VALUES (1, ?1, 0)";
    transaction.execute(insert, [origin.ledger_id])?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

/// Removes the file and those SQLite keeps beside it.
pub(super) fn remove(path: &Path) -> Result<(), SearchError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(SearchError::Remove { path, source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
