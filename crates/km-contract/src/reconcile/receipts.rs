//! Looks whether what was acknowledged recently is still there.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Reconcile, ReconcileError};
use crate::port::Ledger;
use crate::telemetry::Telemetry;

/// Compares the receipts given most recently with the store.
pub struct Receipts {
    /// The store.
    pub ledger: Arc<dyn Ledger>,
    /// Where the receipts are remembered and the missing ones counted.
    pub telemetry: Telemetry,
}

#[async_trait]
impl Reconcile for Receipts {
    fn name(&self) -> &'static str {
        "receipts"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        let receipts = self.telemetry.recent_receipts();
        let mut missing = 0;
        for (tenant, write_id, hash) in &receipts {
            let found = self.ledger.find(tenant, write_id).await?;
            missing += usize::from(found.is_none_or(|record| record.content_hash != *hash));
        }
        self.telemetry.acknowledged_missing(missing);
        if missing > 0 {
            return Err(ReconcileError::Broken(format!(
                "{missing} acknowledged writes are not as they were"
            )));
        }
        Ok(format!("{} receipts hold", receipts.len()))
    }
}
