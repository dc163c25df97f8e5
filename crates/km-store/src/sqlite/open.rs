//! Opening the ledger's file: recognised first, then set as durability needs it, each setting read back, then
//! brought up to date.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::search::Origin;
use super::{LEDGER_FILE, OpenError, io_error};
use crate::directory::flush_names;

/// "km" and a version of the layout, so that a file can be told from any other database.
const APPLICATION_ID: i64 = 0x6b6d_0001;
/// Each brings the schema from its index to the next. Never edited once released.
const MIGRATIONS: [&str; 2] = [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// A setting: its name, what is asked for, and what SQLite answers when it holds.
pub(super) type Setting = (&'static str, &'static str, &'static str);

/// In this order: the journal mode of a new file is itself a write, and EXTRA flushes the directory after it.
const WAL: [Setting; 2] = [("synchronous", "EXTRA", "3"), ("journal_mode", "WAL", "wal")];
/// What the connection that writes works with: a cache of 8 MiB, a log that is written back into the file after
/// 2,000 pages and cut to 64 MiB.
pub(super) const WRITER: [Setting; 6] = [
    ("synchronous", "FULL", "2"),
    ("foreign_keys", "ON", "1"),
    ("cell_size_check", "ON", "1"),
    ("cache_size", "-8192", "-8192"),
    ("wal_autocheckpoint", "2000", "2000"),
    ("journal_size_limit", "67108864", "67108864"),
];
/// What a connection that reads works with: a cache of 2 MiB.
pub(super) const READER: [Setting; 2] = [("query_only", "ON", "1"), ("cache_size", "-2048", "-2048")];

/// The connection that writes. Makes the file when it is not there; a file that is no ledger of this or an older
/// km is left as it is.
pub(super) fn ledger(data: &Path) -> Result<Connection, OpenError> {
    let path = data.join(LEDGER_FILE);
    recognise(&path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    set_all(&connection, &WAL)?;
    flush_names(data).map_err(|source| io_error(data, source))?;
    set_all(&connection, &WRITER)?;
    connection.set_prepared_statement_cache_capacity(64);
    super::links::add_functions(&connection)?;
    migrate(&mut connection, &path, &MIGRATIONS)?;
    Ok(connection)
}

/// A connection that reads beside the writer.
pub(super) fn reader(data: &Path) -> Result<Connection, OpenError> {
    let path = data.join(LEDGER_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    set_all(&connection, &READER)?;
    connection.set_prepared_statement_cache_capacity(64);
    super::links::add_functions(&connection)?;
    Standing::of(&connection, &path)?.is_ours(&path)?;
    Ok(connection)
}

/// Refuses a file that is no ledger of this or an older km, before anything is changed in it.
fn recognise(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    let standing = match Standing::of(&connection, path) {
        Err(OpenError::Sqlite(error)) if awaits_rollback(&error) => Standing::of_header(path)?,
        standing => standing?,
    };
    if standing.empty && standing.version == 0 {
        return Ok(());
    }
    standing.is_ours(path)
}

/// Whether a transaction was cut off that only a writer can undo: so ends a kill while the file was made.
fn awaits_rollback(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|failure| failure.extended_code == ffi::SQLITE_READONLY_ROLLBACK)
}

/// What a file says of itself.
struct Standing {
    application: i64,
    version: i64,
    empty: bool,
}

impl Standing {
    fn of(connection: &Connection, path: &Path) -> Result<Self, OpenError> {
        Self::read(connection).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotALedger(path.to_path_buf()),
            _ => error.into(),
        })
    }

    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            empty: connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?,
        })
    }

    /// As the file's first page has it, where SQLite cannot be asked: see "The Database Header" and "B-tree
    /// Pages" in SQLite's description of its file format.
    fn of_header(path: &Path) -> Result<Self, OpenError> {
        const USER_VERSION: usize = 60;
        const APPLICATION_ID: usize = 68;
        const SCHEMA_CELLS: usize = 103;
        let mut page = Vec::new();
        let file = File::open(path).map_err(|source| io_error(path, source))?;
        file.take(512).read_to_end(&mut page).map_err(|source| io_error(path, source))?;
        page.resize(512, 0);
        let number =
            |at: usize| i64::from(i32::from_be_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]));
        Ok(Self {
            application: number(APPLICATION_ID),
            version: number(USER_VERSION),
            empty: page[SCHEMA_CELLS..SCHEMA_CELLS + 2] == [0, 0],
        })
    }

    fn is_ours(&self, path: &Path) -> Result<(), OpenError> {
        if self.application != APPLICATION_ID {
            return Err(OpenError::NotALedger(path.to_path_buf()));
        }
        if self.version > newest() {
            return Err(OpenError::NewerSchema { found: self.version, known: newest() });
        }
        Ok(())
    }
}

/// Whether a file is a ledger that this km can read.
pub(super) fn check_ledger(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    Standing::of(connection, path)?.is_ours(path)
}

/// The ledger, as what is built from it names it.
pub(super) fn origin(ledger: &Connection) -> rusqlite::Result<Origin> {
    ledger.query_row(include_str!("sql/origin.sql"), [], |row| {
        Ok(Origin { ledger_id: row.get(0)?, newest: row.get(1)? })
    })
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn set_all(connection: &Connection, settings: &[Setting]) -> Result<(), OpenError> {
    settings.iter().try_for_each(|setting| set(connection, *setting))
}

/// Changes a setting, and reads it back.
pub(super) fn set(connection: &Connection, (pragma, value, wanted): Setting) -> Result<(), OpenError> {
    connection.pragma_update_and_check(None, pragma, value, |_| Ok(())).or_else(|error| match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    })?;
    let found = setting(connection, pragma)?;
    if found == wanted { Ok(()) } else { Err(OpenError::Setting { pragma, wanted, found }) }
}

/// What SQLite answers to a pragma.
pub(super) fn setting(connection: &Connection, pragma: &str) -> rusqlite::Result<String> {
    let found: Value = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
    Ok(match found {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        other => format!("{other:?}"),
    })
}

/// Brings the schema up to date, one transaction a step: a crash leaves a whole older schema.
pub(super) fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), OpenError> {
    let found = Standing::of(connection, path)?.version;
    for (version, step) in (1_i64..).zip(steps).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
