//! What a data directory holds, read whole through the store's own reader.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use km_contract::Clock;
use km_contract::port::{ApprovalRow, Audit, EntryRow, LinkRow, Record, StoreError};
use km_model::Timestamp;

use crate::failure::Failure;

/// Rows that one look takes.
const PAGE: usize = 1_000;

/// Every row that the checker compares with what clients know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) records: Vec<Record>,
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) links: Vec<LinkRow>,
    pub(crate) approvals: Vec<ApprovalRow>,
}

impl Kept {
    /// Reads a data directory, with or without a server on it. Nothing is mended.
    pub(crate) fn read(data: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(Failure::because("no runtime for the store"))?;
        runtime.block_on(async {
            let store = km_store::inspect(data, Arc::new(WallClock))
                .await
                .map_err(|error| Failure::broken(format!("the store cannot be opened: {}", chain(&error))))?;
            let kept = Self::of(store.audit.as_ref()).await;
            store.upkeep.close().await;
            kept.map_err(|error| Failure::broken(format!("the store cannot be read: {}", chain(&error))))
        })
    }

    async fn of(audit: &dyn Audit) -> Result<Self, StoreError> {
        let snapshot = audit.snapshot().await?;
        let mut kept = Self::default();
        loop {
            let after = kept.records.last().map_or(0, |last| last.position);
            match snapshot.ledger_rows(after, PAGE).await? {
                page if page.is_empty() => break,
                page => kept.records.extend(page.into_iter().map(|row| row.record)),
            }
        }
        loop {
            let after = kept.entries.last().map(|last| (last.tenant.clone(), last.entry_id));
            match snapshot.entry_rows(after.as_ref(), PAGE).await? {
                page if page.is_empty() => break,
                page => kept.entries.extend(page),
            }
        }
        loop {
            match snapshot.link_rows(kept.links.last(), PAGE).await? {
                page if page.is_empty() => break,
                page => kept.links.extend(page),
            }
        }
        loop {
            let after = kept.approvals.last().map(|last| (last.tenant.clone(), last.approval.clone()));
            match snapshot.approval_rows(after.as_ref(), PAGE).await? {
                page if page.is_empty() => return Ok(kept),
                page => kept.approvals.extend(page),
            }
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// The machine's clock, which reading a store never asks.
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
