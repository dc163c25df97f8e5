//! Seals: a chain of hashes over finished parts of the ledger.
//!
//! A seal covers applied rows only. A dead letter that is applied later takes a new place behind every seal.

use km_contract::port::{Seal, StoreError};
use km_contract::verify::SealChain;
use km_model::{ContentHash, TenantId, Timestamp, WriteId};
use rusqlite::{Row, Transaction, params};

use super::writer::WriterThread;
use super::{find, rows};

/// Rows that one seal covers at most, so that sealing never holds up writes for long.
const RECORDS_MAX: usize = 5_000;

/// Makes the next seal, if there is anything to seal.
pub(super) async fn seal(writer: &WriterThread, at: Timestamp) -> Result<Option<Seal>, StoreError> {
    writer.transact(move |transaction| next(transaction, at)).await
}

fn next(transaction: &Transaction<'_>, at: Timestamp) -> Result<Option<Seal>, StoreError> {
    let newest = find::one(transaction, include_str!("sql/newest_seal.sql"), [], read)?;
    let (after, previous) = newest.map_or((0, ContentHash::of(b"")), |seal| (seal.through, seal.hash));
    let mut chain = SealChain::after(&previous);
    let mut through = None;
    let sql = include_str!("sql/unsealed.sql");
    let unsealed = find::all(transaction, sql, params![after, find::limit(RECORDS_MAX)], |row| {
        let position: i64 = row.get(0)?;
        Ok((
            position,
            rows::id(row, 1, TenantId::parse)?,
            rows::id(row, 2, WriteId::parse)?,
            rows::hash(row, 3)?,
        ))
    })?;
    for (position, tenant, write_id, content) in &unsealed {
        chain.add(*position, tenant, write_id, content);
        through = Some(*position);
    }
    let Some(through) = through else { return Ok(None) };
    let (hash, records) = chain.finish();
    let sql = include_str!("sql/insert_seal.sql");
    find::execute(transaction, sql, params![through, records, hash.as_bytes(), at.as_micros()])?;
    Ok(Some(Seal { through, records, hash, sealed_at: at }))
}

/// The columns of `newest_seal.sql` and `seals.sql`.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Seal> {
    Ok(Seal {
        through: row.get(0)?,
        records: row.get(1)?,
        hash: rows::hash(row, 2)?,
        sealed_at: rows::time(row, 3)?,
    })
}
