//! The bare engine: the same rows with the same durability, one thread, no contract.

use std::time::{Duration, Instant};

use km_model::{ContentHash, EntryId, EntryKey, TenantId, WriteDocument, WriteId};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::figures::Round;
use crate::options::Options;
use crate::processors;
use crate::work;

/// The tables and indexes of km's schema that a write touches.
const SCHEMA: &str = include_str!("../../crates/km-store/src/sqlite/migrations/0001.sql");
const INSERT_WRITE: &str = include_str!("../../crates/km-store/src/sqlite/sql/insert_write.sql");
const INSERT_ENTRY: &str = include_str!("../../crates/km-store/src/sqlite/sql/insert_entry.sql");

/// What a batch of the bare engine is called when it answers so many callers.
pub(crate) const fn name(callers: usize) -> &'static str {
    if callers == 1 { "bare autocommit" } else { "bare group commit" }
}

/// A row, made before the clock runs.
struct Row {
    write_id: String,
    entry_id: EntryId,
    key: String,
    incident: String,
    payload: String,
    hash: ContentHash,
}

/// Transactions of `batch` rows each; a batch of one is what an autocommit loop does.
pub(crate) fn round(options: &Options, batch: usize) -> Round {
    let directory = TempDir::new_in(&options.data).expect("a directory for data");
    let connection = open(&directory);
    let length = Duration::from_secs_f64(options.seconds);
    let mut prepared = rows(work::enough(batch, length).max(batch)).into_iter();
    let mut latencies = Vec::new();
    let mut calls = 0;
    let used = processors::used();
    let begun = Instant::now();
    while begun.elapsed() < length && prepared.len() >= batch {
        let started = Instant::now();
        calls += commit(&connection, prepared.by_ref().take(batch));
        latencies.push(started.elapsed());
    }
    let round = Round::of(latencies, begun.elapsed());
    Round { calls, processor: Some(processors::used() - used), ..round }
}

fn open(directory: &TempDir) -> Connection {
    let connection = Connection::open(directory.path().join("bare.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;
             PRAGMA wal_autocheckpoint = 2000; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON",
        )
        .expect("settings");
    connection.execute_batch(SCHEMA).expect("the schema");
    connection.set_prepared_statement_cache_capacity(16);
    connection
}

fn rows(count: usize) -> Vec<Row> {
    let tenant = TenantId::default_tenant();
    work::corpus(count)
        .map(|write| {
            let payload = WriteDocument::canonical(&write);
            let write_id = work::write_id(&write);
            let key = EntryKey::of(&write, &WriteId::parse(write_id.as_str()).expect("an id"));
            Row {
                write_id,
                entry_id: EntryId::of(&tenant, &key),
                key: key.to_string(),
                incident: write.path.incident().expect("an incident").to_string(),
                hash: ContentHash::of(&payload),
                payload: String::from_utf8(payload).expect("JSON is UTF-8"),
            }
        })
        .collect()
}

fn commit(connection: &Connection, rows: impl Iterator<Item = Row>) -> usize {
    let mut written = 0;
    connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    for row in rows {
        insert(connection, &row).expect("a row");
        written += 1;
    }
    connection.execute_batch("COMMIT").expect("a commit");
    written
}

fn insert(connection: &Connection, row: &Row) -> rusqlite::Result<()> {
    let none: Option<&str> = None;
    connection.prepare_cached(INSERT_WRITE)?.execute(params![
        "default",
        row.write_id,
        row.entry_id.as_bytes(),
        1_i64,
        "created",
        None::<i64>,
        "incident_resolve",
        row.incident,
        none,
        none,
        none,
        1_i64,
        1_i64,
        row.hash.as_bytes(),
        row.payload
    ])?;
    let position = connection.last_insert_rowid();
    connection.prepare_cached(INSERT_ENTRY)?.execute(params![
        "default",
        row.entry_id.as_bytes(),
        row.key,
        position,
        1_i64,
        row.write_id
    ])?;
    Ok(())
}
