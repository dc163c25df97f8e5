//! Copies of the ledger: taken online, checked before they are called done.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::{LEDGER_FILE, OpenError, io_error, open};
use crate::directory::{Lock, LockError, flush_names};

/// Pages that are copied before writers get their turn.
const PAGES: i32 = 1_000;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Rows of the ledger.
    pub writes: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of the copy.
    pub bytes: u64,
}

/// Copies the ledger of `data` into the file `to`, also while a server serves it. The copy is one moment of the
/// store, flushed and checked; the search index is left out, since it can be built again.
///
/// # Errors
/// [`OpenError`]; `to` is not made then, and an existing file is never overwritten.
pub fn backup(data: &Path, to: &Path) -> Result<BackupReport, OpenError> {
    if !data.join(LEDGER_FILE).exists() {
        return Err(OpenError::NoStore(data.to_path_buf()));
    }
    if to.exists() {
        return Err(io_error(to, std::io::ErrorKind::AlreadyExists.into()));
    }
    let part = to.with_extension("part");
    let report = copy(data, &part).inspect_err(|_| drop(fs::remove_file(&part)))?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(|source| io_error(&part, source))?;
    fs::rename(&part, to).map_err(|source| io_error(to, source))?;
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    flush_names(directory).map_err(|source| io_error(directory, source))?;
    Ok(report)
}

fn copy(data: &Path, part: &Path) -> Result<BackupReport, OpenError> {
    if part.exists() {
        fs::remove_file(part).map_err(|source| io_error(part, source))?;
    }
    let source = open::reader(data)?;
    let mut target = Connection::open(part)?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, Duration::from_millis(5), None)?;
    // A copy is one file: without a log beside it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    check(&target)
}

fn check(copy: &Connection) -> Result<BackupReport, OpenError> {
    let fault: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if fault != "ok" {
        return Err(OpenError::Unsound(fault));
    }
    let pages: u64 = copy.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page: u64 = copy.pragma_query_value(None, "page_size", |row| row.get(0))?;
    copy.query_row("SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM entries)", [], |row| {
        Ok(BackupReport { writes: row.get(0)?, entries: row.get(1)?, bytes: pages * page })
    })
    .map_err(OpenError::from)
}

/// Puts a backup into a data directory that holds no store.
///
/// # Errors
/// [`OpenError`]; an existing store is never touched.
pub fn restore(from: &Path, data: &Path) -> Result<BackupReport, OpenError> {
    let _lock = Lock::take(data).map_err(|error| match error {
        LockError::Held { by } => OpenError::Locked { data: data.to_path_buf(), by },
        LockError::Io(source) => io_error(data, source),
    })?;
    let ledger = data.join(LEDGER_FILE);
    if ledger.exists() {
        return Err(OpenError::StoreExists(data.to_path_buf()));
    }
    let part = ledger.with_extension("part");
    fs::copy(from, &part).map_err(|source| io_error(from, source))?;
    let report = check(&Connection::open(&part)?).inspect_err(|_| drop(fs::remove_file(&part)))?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(|source| io_error(&part, source))?;
    fs::rename(&part, &ledger).map_err(|source| io_error(&ledger, source))?;
    flush_names(data).map_err(|source| io_error(data, source))?;
    drop(open::ledger(data)?);
    Ok(report)
}
