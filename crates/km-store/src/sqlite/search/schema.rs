//! The file of the index: its settings, its version, and beginning anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use km_search::ANALYSIS_VERSION;
use rusqlite::{Connection, OpenFlags};

use super::error::SearchError;

const SCHEMA: &str = include_str!("schema.sql");
/// Changes with `schema.sql` and with the meaning of the bytes in it.
const LAYOUT_VERSION: u32 = 1;
/// What `user_version` of a usable file says.
const VERSION: u32 = LAYOUT_VERSION << 16 | ANALYSIS_VERSION;

/// Opens the file for writing; one that is damaged or of another version is removed and made anew.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, SearchError> {
    match open_current(path) {
        Ok(connection) => Ok(connection),
        Err(error) if error.calls_for_rebuild() => {
            remove(path)?;
            open_current(path)
        }
        Err(error) => Err(error),
    }
}

fn open_current(path: &Path) -> Result<Connection, SearchError> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.set_prepared_statement_cache_capacity(32);
    match version(&connection)? {
        0 => create(&mut connection)?,
        VERSION => {}
        _ => return Err(SearchError::Outdated),
    }
    Ok(connection)
}

/// Opens the file for reading.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, SearchError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "cache_size", -2_048)?;
    connection.set_prepared_statement_cache_capacity(32);
    match version(&connection)? {
        VERSION => Ok(connection),
        _ => Err(SearchError::Outdated),
    }
}

fn version(connection: &Connection) -> Result<u32, SearchError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn create(connection: &mut Connection) -> Result<(), SearchError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

/// Empties the index in one transaction, so that readers see it whole or empty.
pub(super) fn clear(connection: &mut Connection) -> Result<(), SearchError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("clear.sql"))?;
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
