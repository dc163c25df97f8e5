//! Copies of the ledger: taken online, checked before they are called done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, ffi};

use super::search::SearchIndex;
use super::{INDEX_FILE, LEDGER_FILE, OpenError, io_error, open};
use crate::directory::{Lock, LockError, flush_names, parent_of};

/// What SQLite keeps beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

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
/// Writers go on meanwhile, and the ledger's log grows by what they write until the copy is done. While it is
/// made the copy is called `to` with `.part` behind it.
///
/// # Errors
/// [`OpenError`]; `to` is not made then. A file that exists is never touched, be it `to` or the unfinished copy
/// of a backup that was killed.
pub fn backup(data: &Path, to: &Path) -> Result<BackupReport, OpenError> {
    if !data.join(LEDGER_FILE).exists() {
        return Err(OpenError::NoStore(data.to_path_buf()));
    }
    if to.exists() {
        return Err(io_error(to, io::ErrorKind::AlreadyExists.into()));
    }
    let part = with_suffix(to, ".part");
    File::create_new(&part).map_err(|source| io_error(&part, source))?;
    let report = copy(data, &part).inspect_err(|_| discard(&part))?;
    put(&part, to)?;
    Ok(report)
}

/// Copies from one snapshot. Without it a write by anybody else would make SQLite begin the copy anew.
fn copy(data: &Path, part: &Path) -> Result<BackupReport, OpenError> {
    let source = open::reader(data)?;
    let mut target = Connection::open(part)?;
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    match Backup::new(&source, &mut target)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into()),
    }
    drop(snapshot);
    // A copy is one file: without a log beside it.
    open::set(&target, ("journal_mode", "DELETE", "delete"))?;
    check(&target, part)
}

/// Checks a copy: a ledger that this km reads, whose pages and indexes are sound.
fn check(copy: &Connection, path: &Path) -> Result<BackupReport, OpenError> {
    open::check_ledger(copy, path)?;
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

/// Puts a backup into a data directory that holds no store. A search index that is left there is removed: it was
/// built from another ledger.
///
/// # Errors
/// [`OpenError`]; the directory is as it was then. A store, or a log that one has left, is never touched.
pub fn restore(from: &Path, data: &Path) -> Result<BackupReport, OpenError> {
    let _lock = Lock::take(data).map_err(|error| match error {
        LockError::Held { by } => OpenError::Locked { data: data.to_path_buf(), by },
        LockError::Io(source) => io_error(data, source),
    })?;
    let ledger = data.join(LEDGER_FILE);
    refuse_leftovers(data, &ledger)?;
    refuse_log_beside(from)?;
    let part = with_suffix(&ledger, ".part");
    // The directory is ours: an unfinished copy is what a restore that was killed has left.
    discard(&part);
    let report = take(from, &part).inspect_err(|_| discard(&part))?;
    SearchIndex::remove(&data.join(INDEX_FILE))?;
    put(&part, &ledger)?;
    drop(open::ledger(data)?);
    Ok(report)
}

fn refuse_leftovers(data: &Path, ledger: &Path) -> Result<(), OpenError> {
    if ledger.exists() {
        return Err(OpenError::StoreExists(data.to_path_buf()));
    }
    match COMPANIONS.map(|suffix| with_suffix(ledger, suffix)).into_iter().find(|path| path.exists()) {
        Some(left) => Err(OpenError::Leftover(left)),
        None => Ok(()),
    }
}

/// A file with a log beside it is no backup: what its log holds would be lost.
fn refuse_log_beside(from: &Path) -> Result<(), OpenError> {
    let holds = |path: PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    if ["-wal", "-journal"].map(|suffix| with_suffix(from, suffix)).into_iter().any(holds) {
        let why = format!("{} has a log beside it: copy it with `km backup`", from.display());
        return Err(OpenError::Unsound(why));
    }
    Ok(())
}

fn take(from: &Path, part: &Path) -> Result<BackupReport, OpenError> {
    fs::copy(from, part).map_err(|source| io_error(from, source))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    check(&Connection::open_with_flags(part, flags)?, part)
}

/// Gives a finished copy its name, durably.
fn put(part: &Path, name: &Path) -> Result<(), OpenError> {
    File::open(part).and_then(|file| file.sync_all()).map_err(|source| io_error(part, source))?;
    fs::rename(part, name).map_err(|source| io_error(name, source))?;
    let directory = parent_of(name);
    flush_names(directory).map_err(|source| io_error(directory, source))
}

/// Removes a copy of ours that came to nothing. What cannot be removed is left for the next try to name.
fn discard(part: &Path) {
    let companions = COMPANIONS.map(|suffix| with_suffix(part, suffix));
    for path in companions.iter().map(PathBuf::as_path).chain([part]) {
        match fs::remove_file(path) {
            Ok(()) | Err(_) => {}
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
