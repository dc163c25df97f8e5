//! What holds of a ledger's file once it is open, and how it gets there.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{LEDGER_FILE, OpenError, open};
use super::directory;

const FIRST: &str = include_str!("../migrations/0001.sql");
/// The schema that this km makes.
const NEWEST: i64 = 2;

fn version(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Everything in the directory as a kill would leave it at this moment.
fn as_if_killed(data: &Path) -> TempDir {
    let copy = directory();
    for file in fs::read_dir(data).unwrap().map(Result::unwrap) {
        // The shared memory is gone with the process.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

#[test]
fn every_setting_holds_when_it_is_read_back() {
    let data = directory();
    let (writer, reader) = (open::ledger(data.path()).unwrap(), open::reader(data.path()).unwrap());
    for (connection, settings) in [(&writer, open::WRITER.as_slice()), (&reader, open::READER.as_slice())] {
        for (pragma, _, wanted) in settings {
            assert_eq!(open::setting(connection, pragma).unwrap(), *wanted, "{pragma}");
        }
    }
    assert_eq!(open::setting(&writer, "journal_mode").unwrap(), "wal");
}

#[test]
fn a_setting_that_does_not_hold_is_an_error() {
    let memory = Connection::open_in_memory().unwrap();
    let failed = open::set(&memory, ("journal_mode", "WAL", "wal"));
    assert!(matches!(failed, Err(OpenError::Setting { ref found, .. }) if found == "memory"), "{failed:?}");
}

#[test]
fn a_migration_that_fails_leaves_the_schema_before_it() {
    let data = directory();
    let path = data.path().join(LEDGER_FILE);
    let mut connection = Connection::open(&path).unwrap();
    let second = "CREATE TABLE half (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);";
    assert!(open::migrate(&mut connection, &path, &[FIRST, second]).is_err());
    assert_eq!(version(&connection), 1);
    let half = "SELECT count(*) FROM sqlite_schema WHERE name = 'half'";
    assert_eq!(connection.query_row(half, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    drop(connection);
    assert_eq!(version(&open::ledger(data.path()).unwrap()), NEWEST);
}

#[test]
fn a_kill_during_a_migration_leaves_the_schema_before_it() {
    let data = directory();
    let connection = open::ledger(data.path()).unwrap();
    // A cache of one page: what the transaction changes is in the log before the commit is.
    connection.pragma_update(None, "cache_size", 1).unwrap();
    let step = connection.unchecked_transaction().unwrap();
    let rows =
        "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 10000) SELECT x FROM n";
    step.execute_batch(&format!("CREATE TABLE half (x INTEGER) STRICT; INSERT INTO half {rows}")).unwrap();
    step.pragma_update(None, "user_version", NEWEST + 1).unwrap();
    let killed = as_if_killed(data.path());
    assert!(fs::metadata(killed.path().join("km.db-wal")).unwrap().len() > 100_000, "it is in the log");
    assert_eq!(version(&open::ledger(killed.path()).unwrap()), NEWEST);
}

#[test]
fn a_kill_while_the_file_is_made_leaves_one_that_opens() {
    let (empty, begun) = (directory(), directory());
    fs::write(empty.path().join(LEDGER_FILE), "").unwrap();
    let connection = Connection::open(begun.path().join(LEDGER_FILE)).unwrap();
    open::set(&connection, ("journal_mode", "WAL", "wal")).unwrap();
    drop(connection);
    for data in [empty, begun] {
        assert_eq!(version(&open::ledger(data.path()).unwrap()), NEWEST);
    }
}

/// A database whose last transaction was cut off: the journal beside it has to be played back first.
fn cut_off(application: i64) -> TempDir {
    let data = directory();
    let connection = Connection::open(data.path().join(LEDGER_FILE)).unwrap();
    connection.pragma_update(None, "application_id", application).unwrap();
    connection
        .execute_batch("CREATE TABLE some (x INTEGER, y TEXT); INSERT INTO some VALUES (1, 'kept')")
        .unwrap();
    connection.pragma_update(None, "cache_size", 1).unwrap();
    let rows = "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 10000) SELECT x, 'lost' FROM n";
    connection.execute_batch(&format!("BEGIN; UPDATE some SET y = 'lost'; INSERT INTO some {rows}")).unwrap();
    as_if_killed(data.path())
}

#[test]
fn a_transaction_that_was_cut_off_is_undone_in_a_file_of_ours_only() {
    let theirs = cut_off(0);
    let before = fs::read(theirs.path().join(LEDGER_FILE)).unwrap();
    assert!(matches!(open::ledger(theirs.path()), Err(OpenError::NotALedger(_))));
    assert!(fs::read(theirs.path().join(LEDGER_FILE)).unwrap() == before, "not a byte was changed");
    let ours = cut_off(0x6b6d_0001);
    let connection = open::ledger(ours.path()).unwrap();
    let kept: String =
        connection.query_row("SELECT group_concat(y) FROM some", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "kept");
}

#[test]
fn alerts_of_the_first_schema_were_delivered() {
    let data = directory();
    let path = data.path().join(LEDGER_FILE);
    let mut connection = Connection::open(&path).unwrap();
    open::migrate(&mut connection, &path, &[FIRST]).unwrap();
    connection
        .execute_batch(
            "INSERT INTO alerts VALUES ('t', 'f', 1, 'AM-f-1', 0, 1, 5, 2), ('t', 'f', 9, 'AM-f-9', 0, 9, NULL, NULL);
             INSERT INTO occurrences VALUES ('t', 'f', 1, 'AM-f-1', 5, 2, 1, '{}', '{}', NULL),
                 ('t', 'f', 9, 'AM-f-9', NULL, 9, 1, '{}', '{}', NULL);",
        )
        .unwrap();
    drop(connection);
    let migrated = open::ledger(data.path()).unwrap();
    for table in ["alerts", "occurrences"] {
        let sql = format!("SELECT ends_by, end_provenance, provenance FROM {table} ORDER BY starts_at");
        let mut read = migrated.prepare(&sql).unwrap();
        let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Vec<(Option<i64>, Option<String>, String)> =
            read.query_map([], columns).unwrap().map(Result::unwrap).collect();
        let delivered = || "delivered".to_owned();
        assert_eq!(found, [(None, Some(delivered()), delivered()), (None, None, delivered())], "{table}");
    }
}
