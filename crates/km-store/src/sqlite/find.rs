//! Looking up rows of the ledger.

use km_contract::port::{Record, StoreError};
use km_model::{TenantId, WriteId};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::classify::failed;
use super::rows;

/// One write by its id.
pub(super) fn write(
    connection: &Connection,
    tenant: &TenantId,
    write_id: &WriteId,
) -> Result<Option<Record>, StoreError> {
    let sql = include_str!("sql/find_write.sql");
    one(connection, sql, params![tenant.as_str(), write_id.as_str()], rows::record)
}

/// The one row of a query, if there is one.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(params, read).optional())
        .map_err(failed)
}

/// All rows of a query; the query bounds them.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(params, read)?.collect())
        .map_err(failed)
}

/// Carries a statement out and returns how many rows it changed.
pub(super) fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map_err(failed)
}

/// A limit as SQLite takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
