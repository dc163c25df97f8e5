//! Seals: a chain of hashes over finished parts of the ledger.
//!
//! A seal covers applied rows only. A dead letter that is applied later takes a new place behind every seal, and
//! what was applied never changes: so the rows are hashed beside the writer, and only the seal itself is written.

use km_contract::port::{LedgerRow, Seal, StoreError};
use km_contract::verify::SealChain;
use km_model::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use super::classify::damaged;
use super::readers::Readers;
use super::writer::WriterThread;
use super::{audit, find, rows};

/// Rows that one seal covers at most, so that one can be checked at a look. Older seals cover as many: never less.
const RECORDS_MAX: usize = 5_000;
/// Seals that one call makes at most; the next call goes on.
const SEALS_MAX: usize = 1_000;

/// Checks the newest seal, then makes as many as there is to seal; the newest that was made.
pub(super) async fn seal(
    readers: &Readers,
    writer: &WriterThread,
    at: Timestamp,
) -> Result<Option<Seal>, StoreError> {
    readers.call(|reader| check_newest(&reader.ledger)).await?;
    let mut made = None;
    for _ in 0..SEALS_MAX {
        let next = readers.call(move |reader| next(&reader.ledger, at)).await?;
        let Some((previous, seal)) = next else { break };
        if writer.transact(move |transaction| append(transaction, previous, &seal)).await? {
            made = Some(seal);
        }
    }
    Ok(made)
}

/// The newest seal before a position.
pub(super) fn newest(ledger: &Connection, before: i64) -> Result<Option<Seal>, StoreError> {
    find::one(ledger, include_str!("sql/newest_seal.sql"), [before], read)
}

/// Chaining on behind a seal that does not match would vouch for what was changed.
fn check_newest(ledger: &Connection) -> Result<(), StoreError> {
    let Some(seal) = newest(ledger, i64::MAX)? else { return Ok(()) };
    let previous = newest(ledger, seal.through)?;
    // One row more than the seal says is enough to see that it is wrong.
    let limit = usize::try_from(seal.records).unwrap_or(usize::MAX).min(RECORDS_MAX) + 1;
    let rows = sealable(ledger, previous.as_ref(), seal.through, limit)?;
    if chain(previous.as_ref(), &rows).finish(seal.sealed_at) == Some(seal) {
        return Ok(());
    }
    Err(damaged("SEAL_MISMATCH"))
}

/// The seal to be made next, and where the one before it ends.
fn next(ledger: &Connection, at: Timestamp) -> Result<Option<(Option<i64>, Seal)>, StoreError> {
    let previous = newest(ledger, i64::MAX)?;
    let rows = sealable(ledger, previous.as_ref(), i64::MAX, RECORDS_MAX)?;
    let seal = chain(previous.as_ref(), &rows).finish(at);
    Ok(seal.map(|seal| (previous.map(|previous| previous.through), seal)))
}

fn sealable(
    ledger: &Connection,
    previous: Option<&Seal>,
    through: i64,
    limit: usize,
) -> Result<Vec<LedgerRow>, StoreError> {
    let after = previous.map_or(0, |previous| previous.through);
    let sql = include_str!("sql/sealable_rows.sql");
    find::all(ledger, sql, params![after, through, find::limit(limit)], audit::ledger_row)
}

fn chain(previous: Option<&Seal>, rows: &[LedgerRow]) -> SealChain {
    let mut chain = SealChain::after(previous);
    rows.iter().for_each(|row| chain.add(row));
    chain
}

/// Adds a seal behind another; `false` when that one is not the newest any more.
fn append(transaction: &Transaction<'_>, previous: Option<i64>, seal: &Seal) -> Result<bool, StoreError> {
    let Seal { through, records, hash, sealed_at } = seal;
    let row = params![through, records, hash.as_bytes(), sealed_at.as_micros(), previous];
    Ok(find::execute(transaction, include_str!("sql/insert_seal.sql"), row)? == 1)
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
