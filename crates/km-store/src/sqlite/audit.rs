//! Raw rows in pages, for the history checker.

use async_trait::async_trait;
use km_contract::port::{Audit, EntryRow, LinkRow, Record, Seal, StoreError};
use km_model::{EntryId, TenantId, WriteId};
use rusqlite::params;

use super::{SqliteStore, find, rows, seal};

#[async_trait]
impl Audit for SqliteStore {
    async fn records(&self, after: i64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let sql = include_str!("sql/records.sql");
        let page = params_page(after, limit);
        self.readers.call(move |reader| find::all(&reader.ledger, sql, page, rows::record)).await
    }

    async fn entry_rows(
        &self,
        after: Option<&(TenantId, EntryId)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let (tenant, entry) = match after {
            Some((tenant, entry)) => (tenant.to_string(), entry.as_bytes().to_vec()),
            None => (String::new(), Vec::new()),
        };
        let sql = include_str!("sql/entry_rows.sql");
        let ask = move |reader: &mut super::readers::Reader| {
            find::all(&reader.ledger, sql, params![tenant, entry, find::limit(limit)], |row| {
                Ok(EntryRow {
                    tenant: rows::id(row, 0, TenantId::parse)?,
                    entry_id: rows::entry_id(row, 1)?,
                    key: row.get(2)?,
                    head_write_id: rows::id(row, 3, WriteId::parse)?,
                    head_occurred_at: rows::time(row, 4)?,
                    revisions: row.get(5)?,
                })
            })
        };
        self.readers.call(ask).await
    }

    async fn link_rows(&self, offset: usize, limit: usize) -> Result<Vec<LinkRow>, StoreError> {
        let sql = include_str!("sql/link_rows.sql");
        let page = params_page(find::limit(offset), limit);
        let read = |row: &rusqlite::Row<'_>| {
            Ok(LinkRow { tenant: rows::id(row, 0, TenantId::parse)?, link: rows::link(row, 1)? })
        };
        self.readers.call(move |reader| find::all(&reader.ledger, sql, page, read)).await
    }

    async fn seals(&self, after: i64, limit: usize) -> Result<Vec<Seal>, StoreError> {
        let sql = include_str!("sql/seals.sql");
        let page = params_page(after, limit);
        self.readers.call(move |reader| find::all(&reader.ledger, sql, page, seal::read)).await
    }

    async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let sql = "PRAGMA integrity_check(100)";
        let faults =
            self.readers.call(move |r| find::all(&r.ledger, sql, [], |row| row.get::<_, String>(0))).await?;
        Ok(faults.into_iter().filter(|line| line != "ok").collect())
    }
}

fn params_page(after: i64, limit: usize) -> [i64; 2] {
    [after, find::limit(limit)]
}
