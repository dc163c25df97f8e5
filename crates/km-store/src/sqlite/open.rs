//! Opening the ledger's file: settings that durability depends on, read back, and migrations.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{LEDGER_FILE, OpenError, io_error};
use crate::directory::flush_names;

/// "km" and a version of the layout, so that a file can be told from any other database.
const APPLICATION_ID: i64 = 0x6b6d_0001;
/// Each brings the schema from its index to the next. Never edited once released.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001.sql")];
/// Pages of the log after which it is written back into the file.
const CHECKPOINT_PAGES: i64 = 2_000;

/// The connection that writes. Makes the file when it is not there.
pub(super) fn ledger(data: &Path) -> Result<Connection, OpenError> {
    let path = data.join(LEDGER_FILE);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    // The journal mode of a new file is itself a write: EXTRA flushes the directory after it.
    set(&connection, "synchronous", "EXTRA", "3")?;
    set(&connection, "journal_mode", "WAL", "wal")?;
    flush_names(data).map_err(|source| io_error(data, source))?;
    set(&connection, "synchronous", "FULL", "2")?;
    set(&connection, "foreign_keys", "ON", "1")?;
    set(&connection, "cell_size_check", "ON", "1")?;
    connection.pragma_update(None, "cache_size", -8_192)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 64_i64 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    super::links::add_functions(&connection)?;
    migrate(&mut connection, &path)?;
    Ok(connection)
}

/// A connection that reads beside the writer.
pub(super) fn reader(data: &Path) -> Result<Connection, OpenError> {
    let path = data.join(LEDGER_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)?;
    super::links::add_functions(&connection)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    set(&connection, "query_only", "ON", "1")?;
    connection.pragma_update(None, "cache_size", -2_048)?;
    connection.set_prepared_statement_cache_capacity(64);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    check_version(found)?;
    Ok(connection)
}

fn set(
    connection: &Connection,
    pragma: &'static str,
    value: &'static str,
    wanted: &'static str,
) -> Result<(), OpenError> {
    connection.pragma_update_and_check(None, pragma, value, |_| Ok(())).or_else(|error| match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    })?;
    let found: rusqlite::types::Value = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
    let found = match found {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    };
    if found == wanted { Ok(()) } else { Err(OpenError::Setting { pragma, wanted, found }) }
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn check_version(found: i64) -> Result<(), OpenError> {
    if found > newest() {
        return Err(OpenError::NewerSchema { found, known: newest() });
    }
    Ok(())
}

/// Brings the schema up to date, one transaction a step: a crash leaves a whole older schema.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let empty: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && !(empty && found == 0) {
        return Err(OpenError::NotALedger(path.to_path_buf()));
    }
    check_version(found)?;
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
