//! A write of km's own, read back: shows that the whole way works when nobody writes.

use std::sync::Arc;

use async_trait::async_trait;
use km_model::{PlaybookSlug, TenantId, Write, WriteDocument, WritePath};

use super::{Reconcile, ReconcileError, applied};
use crate::port::Ledger;
use crate::telemetry::Telemetry;
use crate::{Arrival, Clock, Writer};

/// Writes under the tenant `km-canary`, one entry with a revision a run, and reads it back.
pub struct Canary {
    writer: Writer,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    tenant: TenantId,
    playbook: PlaybookSlug,
}

impl Canary {
    /// A canary of this way.
    #[expect(clippy::expect_used, reason = "two constants that a test parses")]
    pub fn new(writer: Writer, ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, telemetry: Telemetry) -> Self {
        let tenant = TenantId::parse("km-canary").expect("a valid tenant name");
        let playbook = PlaybookSlug::parse("canary").expect("a valid slug");
        Self { writer, ledger, clock, telemetry, tenant, playbook }
    }

    fn song(&self) -> Write {
        Write {
            path: WritePath::PlaybookExtract { incident: None, approval: None },
            playbook: Some(self.playbook.clone()),
            execution: None,
            title: "canary".to_owned(),
            content: String::new(),
            entry_type: None,
            tags: Vec::new(),
            labels: std::collections::BTreeMap::default(),
            source: km_model::Source::default(),
            occurred_at: Some(self.clock.now()),
            metadata: km_model::Metadata::default(),
        }
    }
}

#[async_trait]
impl Reconcile for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        let song = self.song();
        let expected = km_model::ContentHash::of(&WriteDocument::canonical(&song));
        let written = self.writer.write(&self.tenant, None, song, Arrival::Call).await?;
        let found = self.ledger.find(&self.tenant, written.receipt.write_id()).await?;
        let intact = found.is_some_and(|record| record.content_hash == expected);
        if !(applied(written.outcome) && intact) {
            return Err(ReconcileError::Broken("the canary was acknowledged and is not there".to_owned()));
        }
        self.telemetry.canary_succeeded(self.clock.now());
        Ok("written and read back".to_owned())
    }
}
