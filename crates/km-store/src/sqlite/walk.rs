//! Walking the heads of a tenant by their positions, the newest first: what the search index does not hold.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use km_contract::port::{Entry, StoreError};
use km_model::TenantId;
use rusqlite::{Connection, params};

use super::classify::failed;
use super::indexer::document;
use super::rows;
use super::search::Document;

/// Most rows of the ledger that one walk passes, whoever wrote them.
const ROWS_MAX: i64 = 20_000;
/// Most heads that one walk reads.
const HEADS_MAX: usize = 1_000;
/// A walk ends with the head that brings it to so many bytes.
const BYTES_MAX: usize = 4 << 20;

/// The newest position of the ledger; 0 when it is empty.
pub(super) fn newest(ledger: &Connection) -> Result<i64, StoreError> {
    let sql = include_str!("sql/newest_position.sql");
    let mut select = ledger.prepare_cached(sql).map_err(failed)?;
    select.query_row([], |row| row.get(0)).map_err(failed)
}

/// Visits the heads between two positions, both excluded, until the visitor breaks or a limit is reached. Answers
/// the position down to which every head was visited; `after + 1` means all of them.
pub(super) fn walk(
    ledger: &Connection,
    tenant: &TenantId,
    after: i64,
    before: i64,
    mut visit: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<i64, StoreError> {
    let floor = after.max(before.saturating_sub(ROWS_MAX + 1));
    let mut select = ledger.prepare_cached(include_str!("sql/walk_heads.sql")).map_err(failed)?;
    let mut found = select.query(params![tenant.as_str(), floor, before]).map_err(failed)?;
    let (mut heads, mut bytes) = (0, 0);
    while let Some(row) = found.next().map_err(failed)? {
        bytes += rows::payload_bytes(row).map_err(failed)?;
        heads += 1;
        let entry = rows::entry(row).map_err(failed)?;
        let position = entry.head.position;
        let full = heads == HEADS_MAX || bytes >= BYTES_MAX;
        if visit(entry).is_break() || full {
            return Ok(position);
        }
    }
    Ok(floor + 1)
}

/// Heads as the index reads them.
pub(super) fn documents<'a>(
    tenant: &'a TenantId,
    heads: &'a [Entry],
    no_labels: &'a BTreeMap<String, String>,
) -> Vec<Document<'a>> {
    heads.iter().map(|entry| document_of(tenant, entry, no_labels)).collect()
}

/// A head as the index reads it.
pub(super) fn document_of<'a>(
    tenant: &'a TenantId,
    entry: &'a Entry,
    no_labels: &'a BTreeMap<String, String>,
) -> Document<'a> {
    let head = &entry.head;
    let (id, occurred_at) = (*entry.entry_id.as_bytes(), head.occurred_at.as_micros());
    document(head.position, tenant.as_str(), id, occurred_at, &head.write, no_labels)
}

#[cfg(test)]
mod tests;
