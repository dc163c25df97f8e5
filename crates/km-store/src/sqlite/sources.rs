//! What source reconciliation compares, and how far it is.

use async_trait::async_trait;
use km_contract::port::{Sources, StoreError};
use km_model::{Alert, Fingerprint, TenantId, Timestamp};
use rusqlite::params;

use super::{SqliteStore, find, rows};

#[async_trait]
impl Sources for SqliteStore {
    async fn open_alerts(
        &self,
        tenant: &TenantId,
        after: Option<(Fingerprint, Timestamp)>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let tenant = tenant.to_string();
        let key = |(fingerprint, starts_at): (Fingerprint, Timestamp)| {
            (fingerprint.to_string(), starts_at.as_micros())
        };
        let (fingerprint, starts_at) = after.map_or((String::new(), i64::MIN), key);
        let read = move |reader: &mut super::readers::Reader| {
            let behind = params![tenant, fingerprint, starts_at, find::limit(limit)];
            find::all(&reader.ledger, include_str!("sql/open_alerts.sql"), behind, rows::alert)
        };
        self.readers.call(read).await
    }

    async fn source_note(&self, source: &str) -> Result<Option<String>, StoreError> {
        let source = source.to_owned();
        let sql = include_str!("sql/find_source_note.sql");
        self.readers.call(move |reader| find::one(&reader.ledger, sql, [source], |row| row.get(0))).await
    }

    async fn keep_source_note(&self, source: &str, note: &str) -> Result<(), StoreError> {
        let (source, note) = (source.to_owned(), note.to_owned());
        let sql = include_str!("sql/save_source_note.sql");
        self.writer()?.transact(move |t| find::execute(t, sql, [source, note])).await.map(|_| ())
    }
}
