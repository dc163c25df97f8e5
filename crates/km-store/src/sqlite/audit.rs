//! One moment of the store in pages, for the history checker.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use km_contract::port::{
    AlertRow, ApprovalRow, Audit, Columns, EntryRow, LedgerRow, LetterEventRow, LetterRow, LetterStanding,
    LinkRow, OccurrenceRow, Seal, Snapshot, StoreError, StoreErrorKind,
};
use km_model::{
    ApprovalId, ApprovalStatus, EntryId, Fingerprint, LetterState, LinkTarget, Provenance, TenantId, WriteId,
};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};

use super::classify::failed;
use super::{OpenError, SqliteStore, alerts, find, open, rows, seal};

#[async_trait]
impl Audit for SqliteStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let data = self.data.clone();
        let moment = tokio::task::spawn_blocking(move || Moment::begin(&data)).await;
        Ok(Box::new(moment.map_err(gone)??))
    }

    async fn newest_seal(&self) -> Result<Option<Seal>, StoreError> {
        self.readers.call(|reader| seal::newest(&reader.ledger, i64::MAX)).await
    }
}

fn gone(error: tokio::task::JoinError) -> StoreError {
    StoreError::new(StoreErrorKind::Transient, "READER_GONE", error)
}

/// A read transaction on a connection of its own: it takes no reader away, and ends when it is dropped.
struct Moment {
    connection: Arc<Mutex<Connection>>,
}

impl Moment {
    fn begin(data: &Path) -> Result<Self, StoreError> {
        let connection = open::reader(data).map_err(|error| match error {
            OpenError::Sqlite(error) => failed(error),
            other => StoreError::new(StoreErrorKind::Misconfigured, "SNAPSHOT", other),
        })?;
        // The transaction reads as of its first look, not as of its BEGIN.
        let first_look = "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1";
        connection.execute_batch(first_look).map_err(failed)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    async fn all<T: Send + 'static>(
        &self,
        sql: &'static str,
        params: impl Params + Send + 'static,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.connection.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            find::all(&connection, sql, params, read)
        });
        asked.await.map_err(gone)?
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn ledger_rows(&self, after: i64, limit: usize) -> Result<Vec<LedgerRow>, StoreError> {
        self.all(include_str!("sql/ledger_rows.sql"), [after, find::limit(limit)], ledger_row).await
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
        self.all(include_str!("sql/entry_rows.sql"), (tenant, entry, find::limit(limit)), entry_row).await
    }

    async fn link_rows(&self, after: Option<&LinkRow>, limit: usize) -> Result<Vec<LinkRow>, StoreError> {
        let [tenant, incident, kind, target] = after.map(link_key).unwrap_or_default();
        let behind = (tenant, incident, kind, target, find::limit(limit));
        self.all(include_str!("sql/link_rows.sql"), behind, link_row).await
    }

    async fn approval_rows(
        &self,
        after: Option<&(TenantId, ApprovalId)>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, StoreError> {
        self.all(include_str!("sql/approval_rows.sql"), behind(after, limit), approval_row).await
    }

    async fn letter_rows(
        &self,
        after: Option<&(TenantId, WriteId)>,
        limit: usize,
    ) -> Result<Vec<LetterRow>, StoreError> {
        self.all(include_str!("sql/letter_rows.sql"), behind(after, limit), letter_row).await
    }

    async fn letter_event_rows(&self, after: i64, limit: usize) -> Result<Vec<LetterEventRow>, StoreError> {
        let sql = include_str!("sql/letter_event_rows.sql");
        self.all(sql, [after, find::limit(limit)], letter_event_row).await
    }

    async fn alert_rows(&self, after: Option<&AlertRow>, limit: usize) -> Result<Vec<AlertRow>, StoreError> {
        let key = |row: &AlertRow| {
            (row.tenant.to_string(), row.fingerprint.to_string(), row.claim.starts_at.as_micros())
        };
        let (tenant, fingerprint, starts_at) = after.map_or((String::new(), String::new(), i64::MIN), key);
        let behind = (tenant, fingerprint, starts_at, find::limit(limit));
        self.all(include_str!("sql/alert_rows.sql"), behind, alert_row).await
    }

    async fn occurrences(&self) -> Result<u64, StoreError> {
        let counts = self.all(include_str!("sql/occurrences.sql"), [], |row| row.get::<_, u64>(0)).await?;
        Ok(counts.into_iter().sum())
    }

    async fn seals(&self, after: i64, limit: usize) -> Result<Vec<Seal>, StoreError> {
        self.all(include_str!("sql/seals.sql"), [after, find::limit(limit)], seal::read).await
    }

    async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let lines = self.all("PRAGMA integrity_check(100)", [], |row| row.get::<_, String>(0)).await?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}

fn behind<K: ToString>(after: Option<&(TenantId, K)>, limit: usize) -> (String, String, i64) {
    let (tenant, key) = after.map(|(tenant, key)| (tenant.to_string(), key.to_string())).unwrap_or_default();
    (tenant, key, find::limit(limit))
}

fn link_key(row: &LinkRow) -> [String; 4] {
    let (kind, target) = match &row.link.target {
        LinkTarget::Approval(approval, _) => ("approval", approval.to_string()),
        LinkTarget::Playbook(playbook) => ("playbook", playbook.to_string()),
    };
    [row.tenant.to_string(), row.link.incident.to_string(), kind.to_owned(), target]
}

/// The columns of `ledger_rows.sql` and `sealable_rows.sql`.
pub(super) fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    Ok(LedgerRow {
        record: rows::record(row)?,
        previous: row.get(11)?,
        columns: Columns {
            path: row.get(12)?,
            incident: row.get(13)?,
            approval: row.get(14)?,
            approval_status: row.get(15)?,
            playbook: row.get(16)?,
        },
    })
}

fn entry_row(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        tenant: rows::id(row, 0, TenantId::parse)?,
        entry_id: rows::entry_id(row, 1)?,
        key: row.get(2)?,
        head: row.get(3)?,
        head_write_id: rows::id(row, 4, WriteId::parse)?,
        head_occurred_at: rows::time(row, 5)?,
        newest: row.get(6)?,
        revisions: row.get(7)?,
    })
}

fn link_row(row: &Row<'_>) -> rusqlite::Result<LinkRow> {
    Ok(LinkRow { tenant: rows::id(row, 0, TenantId::parse)?, link: rows::link(row, 1)? })
}

fn approval_row(row: &Row<'_>) -> rusqlite::Result<ApprovalRow> {
    Ok(ApprovalRow {
        tenant: rows::id(row, 0, TenantId::parse)?,
        approval: rows::id(row, 1, ApprovalId::parse)?,
        status: rows::name(row, 2, ApprovalStatus::from_name)?,
        status_at: rows::time(row, 3)?,
        status_write_id: rows::id(row, 4, WriteId::parse)?,
        approved_since: rows::optional_time(row, 5)?,
    })
}

fn alert_row(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    let occurrence = match rows::optional_time(row, 11)? {
        None => None,
        Some(starts_at) => {
            let (ends_at, starts) = (rows::optional_time(row, 12)?, row.get(13)?);
            let ends_by = rows::optional_time(row, 14)?;
            let end_provenance = rows::optional_name(row, 15, Provenance::from_name)?;
            let provenance = rows::name(row, 16, Provenance::from_name)?;
            Some(OccurrenceRow { starts_at, ends_at, ends_by, end_provenance, provenance, starts })
        }
    };
    Ok(AlertRow {
        tenant: rows::id(row, 9, TenantId::parse)?,
        fingerprint: rows::id(row, 10, Fingerprint::parse)?,
        claim: alerts::read_claim(row)?,
        occurrence,
    })
}

fn letter_row(row: &Row<'_>) -> rusqlite::Result<LetterRow> {
    let standing = match row.get_ref(2)? {
        ValueRef::Null => None,
        ValueRef::Text(b"applied") => Some(LetterStanding::Applied),
        _ => Some(LetterStanding::Letter(rows::name(row, 2, LetterState::from_name)?)),
    };
    let (tenant, id) = (rows::id(row, 0, TenantId::parse)?, rows::id(row, 1, WriteId::parse)?);
    Ok(LetterRow { tenant, id, standing })
}

fn letter_event_row(row: &Row<'_>) -> rusqlite::Result<LetterEventRow> {
    Ok(LetterEventRow {
        number: row.get(0)?,
        tenant: rows::id(row, 1, TenantId::parse)?,
        letter: rows::id(row, 2, WriteId::parse)?,
        what: row.get(3)?,
    })
}
