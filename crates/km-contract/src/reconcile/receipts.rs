//! Looks whether what was acknowledged recently is still there, also after a restart.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::sample::{Acknowledged, SAMPLE_MAX, SampleFile};
use super::{Reconcile, ReconcileError};
use crate::port::{Ledger, RecordState, StoreError};
use crate::telemetry::Telemetry;

/// Compares the receipts given most recently with the store.
///
/// At most 1,024 of them are remembered in a file that only this job writes: what a store loses by itself, or what
/// an older copy of it lacks, is still in there. Receipts given after the last run and before a crash are not. A
/// receipt that does not hold is remembered until the file is removed.
pub struct Receipts {
    ledger: Arc<dyn Ledger>,
    telemetry: Telemetry,
    file: SampleFile,
    /// What was remembered after the last run; `None` before the file was read.
    remembered: Mutex<Option<Vec<Acknowledged>>>,
}

impl Receipts {
    /// A job that compares what `telemetry` samples and `file` remembers with `ledger`.
    pub fn new(ledger: Arc<dyn Ledger>, telemetry: Telemetry, file: PathBuf) -> Self {
        Self { ledger, telemetry, file: SampleFile::at(file), remembered: Mutex::default() }
    }

    /// What is remembered, from the file at first. A file that cannot be read is reported once; the next run
    /// begins it anew.
    async fn recall(
        &self,
        remembered: &mut Option<Vec<Acknowledged>>,
    ) -> Result<Vec<Acknowledged>, ReconcileError> {
        if let Some(receipts) = remembered {
            return Ok(receipts.clone());
        }
        let read = self.file.read().await;
        *remembered = Some(read.as_ref().map(Clone::clone).unwrap_or_default());
        read.map_err(ReconcileError::Memory)
    }

    async fn holds(&self, receipt: &Acknowledged) -> Result<bool, StoreError> {
        let found = self.ledger.find(&receipt.tenant, &receipt.write_id).await?;
        Ok(found.is_some_and(|record| match &record.state {
            RecordState::Applied(placement) => {
                (placement.entry_id, placement.revision) == (receipt.entry_id, receipt.revision)
                    && record.content_hash == receipt.content_hash
            }
            RecordState::Letter(_) => false,
        }))
    }
}

#[async_trait]
impl Reconcile for Receipts {
    fn name(&self) -> &'static str {
        "receipts"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        let mut remembered = self.remembered.lock().await;
        let receipts = joined(self.recall(&mut remembered).await?, self.telemetry.recent_receipts());
        let looked_at = receipts.len();
        let (mut missing, mut intact) = (Vec::new(), Vec::new());
        for receipt in receipts {
            let holds = self.holds(&receipt).await?;
            (if holds { &mut intact } else { &mut missing }).push(receipt);
        }
        let broken = missing.len();
        self.telemetry.acknowledged_missing(broken);
        let kept = remembered.insert(kept(missing, intact)).clone();
        self.file.replace(kept).await.map_err(ReconcileError::Memory)?;
        if broken > 0 {
            return Err(ReconcileError::Broken(format!("{broken} acknowledged writes are not as they were")));
        }
        Ok(format!("{looked_at} receipts hold"))
    }
}

/// The receipts of both, one of each write, the newest last.
fn joined(remembered: Vec<Acknowledged>, recent: Vec<Acknowledged>) -> Vec<Acknowledged> {
    let mut seen = HashSet::new();
    let newest_first = remembered.into_iter().chain(recent).rev();
    let mut joined: Vec<_> = newest_first
        .filter(|receipt| seen.insert((receipt.tenant.clone(), receipt.write_id.clone())))
        .collect();
    joined.reverse();
    joined
}

/// What is remembered: first of all what is missing, then the newest of what holds.
fn kept(mut missing: Vec<Acknowledged>, intact: Vec<Acknowledged>) -> Vec<Acknowledged> {
    missing.truncate(SAMPLE_MAX);
    let room = SAMPLE_MAX - missing.len();
    let older = intact.len().saturating_sub(room);
    missing.extend(intact.into_iter().skip(older));
    missing
}
