//! API keys, as digests.

use async_trait::async_trait;
use km_contract::port::{ApiKey, KeyDigest, Keys, Scope, StoreError};
use km_model::{TenantId, Timestamp};
use rusqlite::{Row, params};

use super::{SqliteStore, find, rows};

#[async_trait]
impl Keys for SqliteStore {
    async fn add_key(&self, key: &ApiKey, digest: KeyDigest) -> Result<(), StoreError> {
        let key = key.clone();
        let add = move |transaction: &rusqlite::Transaction<'_>| {
            let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
            let created_at = key.created_at.as_micros();
            let row = params![key.id, digest, key.name, key.tenant.as_str(), scopes.join(" "), created_at];
            find::execute(transaction, include_str!("sql/insert_key.sql"), row)
        };
        self.writer()?.transact(add).await.map(|_| ())
    }

    async fn keys(&self) -> Result<Vec<(ApiKey, KeyDigest)>, StoreError> {
        self.readers.call(|reader| find::all(&reader.ledger, include_str!("sql/keys.sql"), [], read)).await
    }

    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let sql = include_str!("sql/revoke_key.sql");
        let revoked =
            self.writer()?.transact(move |t| find::execute(t, sql, params![id, at.as_micros()])).await?;
        Ok(revoked == 1)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(ApiKey, KeyDigest)> {
    let scopes: String = row.get(4)?;
    let key = ApiKey {
        id: row.get(0)?,
        name: row.get(2)?,
        tenant: rows::id(row, 3, TenantId::parse)?,
        scopes: scopes.split(' ').filter_map(Scope::from_name).collect(),
        created_at: rows::time(row, 5)?,
        revoked_at: rows::optional_time(row, 6)?,
    };
    Ok((key, row.get(1)?))
}
