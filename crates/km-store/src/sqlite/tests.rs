//! Tests of the SQLite store from inside.

mod feeds;
mod history;
mod opening;
mod plans;
mod threads;

use std::ops::RangeInclusive;
use std::sync::Arc;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::directory::Lock;

/// A directory whose files need not outlive the machine.
fn directory() -> TempDir {
    TempDir::new().unwrap()
}

fn lock_of(directory: &TempDir) -> Arc<Lock> {
    Arc::new(Lock::take(directory.path()).unwrap())
}

/// Writes a head of so many bytes of content at every position, each of an entry of its own.
pub(super) fn fill(ledger: &Connection, tenant: &str, positions: RangeInclusive<i64>, bytes: usize) {
    let content = "x".repeat(bytes);
    let payload = format!("{{\"content\":\"{content}\"}}");
    let moment = ledger.unchecked_transaction().unwrap();
    for position in positions {
        let id = [position.to_le_bytes(), [0; 8]].concat();
        let write_id = format!("w-{position}");
        moment
            .prepare_cached(
                "INSERT INTO ledger (position, tenant, write_id, state, entry_id, revision, outcome, occurred_at,
                     stored_at, content_hash, payload)
                 VALUES (?1, ?2, ?3, 'applied', ?4, 1, 'created', 0, 0, zeroblob(32), ?5)",
            )
            .and_then(|mut insert| insert.execute(params![position, tenant, write_id, id, payload]))
            .unwrap();
        moment
            .prepare_cached(
                "INSERT INTO entries (tenant, entry_id, entry_key, head, head_occurred_at, head_write_id, newest,
                     revisions)
                 VALUES (?1, ?2, ?3, ?4, 0, ?3, ?4, 1)",
            )
            .and_then(|mut insert| insert.execute(params![tenant, id, write_id, position]))
            .unwrap();
    }
    moment.commit().unwrap();
}
