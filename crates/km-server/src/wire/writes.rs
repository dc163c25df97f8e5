//! Bodies of writes and deliveries.

use std::collections::BTreeMap;

use km_contract::port;
use km_contract::{Receipt as KmReceipt, Written as KmWritten};
use km_model::{Durability, WriteDocument};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::problem::ProblemBody;

/// One request to remember something.
///
/// This describes the body; what reads it is the model's own document, and a test holds the two together.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Write {
    /// One of `incident_resolve`, `approval_manual`, `approval_auto_ok`, `approval_auto_fail`,
    /// `playbook_extract`.
    #[schema(required = true)]
    path: Option<String>,
    /// The incident; `incident_resolve` must bring it. At most 256 bytes.
    incident_id: Option<String>,
    /// The approval; approval paths bring it or an incident. At most 256 bytes.
    approval_id: Option<String>,
    /// Where the approval stands: `approved` (the default), `rejected`, `revoked`. Only on approval paths.
    approval_status: Option<String>,
    /// The run of an action. At most 256 bytes.
    execution_id: Option<String>,
    /// The playbook's slug. At most 256 bytes.
    playbook: Option<String>,
    /// One line, at most 512 bytes. Without a title there must be content.
    title: Option<String>,
    /// Markdown, at most 256 KiB. Without content there must be a title.
    content: Option<String>,
    /// What kind of knowledge it is, such as `incident_case` or `runbook`. At most 256 bytes.
    entry_type: Option<String>,
    /// Words to filter by: at most 64 of at most 256 bytes.
    tags: Option<Vec<String>>,
    /// Names and values to filter by: at most 64, values of at most 4 KiB.
    labels: Option<BTreeMap<String, String>>,
    /// When it was so (RFC 3339), at most 5 minutes ahead of the server. The time of intake when absent.
    occurred_at: Option<String>,
    /// When it came in first (RFC 3339), for a write that is handed on and has no `occurred_at`. It counts as the time
    /// of intake then, and is no part of the content.
    received_at: Option<String>,
    /// Who says so.
    source: Option<Source>,
    /// Any JSON object of at most 64 KiB and 64 levels; kept with the write and not searched.
    metadata: Option<Map<String, Value>>,
    /// The idempotency key, as an alternative to the `Idempotency-Key` header: 1–128 visible ASCII characters.
    /// Derived from what the write is about and says when both are absent.
    write_id: Option<String>,
}

/// Who wrote, and from where. Each at most 1 KiB.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Source {
    /// The person or agent on whose behalf.
    pub(super) actor: Option<String>,
    /// The service that wrote.
    pub(super) service: Option<String>,
    /// Where the original can be read.
    pub(super) url: Option<String>,
}

/// The answer to a write that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Written {
    /// `created`, `revised`, `superseded` (kept as history), or `replayed` (it was there already).
    outcome: &'static str,
    receipt: Receipt,
}

/// The proof of acknowledgement: keep it, and `km verify --receipts` can hold km to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// The idempotency key, given or derived.
    pub(crate) write_id: String,
    /// The entry that the write belongs to.
    pub(crate) entry_id: String,
    /// Counts from 1 in the order of application.
    pub(crate) revision: u64,
    /// What became of the write when it was applied first.
    pub(crate) outcome: &'static str,
    /// SHA-256 of the write's canonical form, secrets redacted.
    pub(crate) content_hash: String,
    /// `disk`: flushed to a local disk. `volatile`: the file system may forget it.
    pub(crate) durability: &'static str,
    /// When it was committed.
    pub(crate) stored_at: String,
}

/// One line of the answer to a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum BatchItem {
    Written(Written),
    Problem { problem: ProblemBody },
}

/// What became of a write.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WriteRecord {
    write_id: String,
    /// `applied`, or the state of a dead letter: `pending`, `parked`, `settled`, `discarded`.
    state: &'static str,
    /// Only of an applied write.
    receipt: Option<Receipt>,
    occurred_at: String,
    stored_at: String,
    content_hash: String,
    /// What was written, as it was kept. Absent for a dead letter whose body could not be read.
    #[schema(value_type = Option<Object>)]
    write: Option<WriteDocument>,
}

/// A page of the ledger of a tenant, in the order of application.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Feed {
    pub(crate) writes: Vec<WriteRecord>,
    /// Pass it as `after` to go on; absent at the end, where the last one still works later.
    pub(crate) next_cursor: Option<String>,
}

/// What became of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivered {
    /// Alerts that were folded into their occurrences.
    pub(crate) alerts: usize,
    /// The incidents of these alerts.
    pub(crate) incidents: Vec<String>,
    /// Writes that were applied, now or before.
    pub(crate) written: usize,
    /// Dead letters that were kept instead.
    pub(crate) parked: Vec<String>,
}

impl From<&KmWritten> for Written {
    fn from(written: &KmWritten) -> Self {
        Self { outcome: written.outcome.as_str(), receipt: Receipt::from(&written.receipt) }
    }
}

impl From<&KmReceipt> for Receipt {
    fn from(receipt: &KmReceipt) -> Self {
        Self {
            write_id: receipt.write_id().to_string(),
            entry_id: receipt.entry_id().to_string(),
            revision: receipt.revision(),
            outcome: receipt.outcome().as_str(),
            content_hash: receipt.content_hash().to_string(),
            durability: receipt.durability().as_str(),
            stored_at: receipt.stored_at().to_string(),
        }
    }
}

impl WriteRecord {
    /// A row of the ledger of a store whose acknowledgements are worth `durability`.
    pub(crate) fn of(record: &port::Record, durability: Durability) -> Self {
        let (state, receipt) = match &record.state {
            port::RecordState::Applied(placement) => {
                ("applied", Some(receipt(record, placement, durability)))
            }
            port::RecordState::Letter(state) => (state.as_str(), None),
        };
        Self {
            write_id: record.write_id.to_string(),
            state,
            receipt,
            occurred_at: record.occurred_at.to_string(),
            stored_at: record.stored_at.to_string(),
            content_hash: record.content_hash.to_string(),
            write: serde_json::from_slice(&record.payload).ok(),
        }
    }
}

fn receipt(record: &port::Record, placement: &port::Placement, durability: Durability) -> Receipt {
    Receipt {
        write_id: record.write_id.to_string(),
        entry_id: placement.entry_id.to_string(),
        revision: placement.revision,
        outcome: placement.outcome.as_str(),
        content_hash: record.content_hash.to_string(),
        durability: durability.as_str(),
        stored_at: placement.stored_at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use km_model::SourceDocument;

    use super::*;

    fn fields(value: &Value) -> BTreeSet<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_described_write_has_the_fields_of_the_one_that_is_read() {
        let described = serde_json::to_value(Write::default()).unwrap();
        let filled = WriteDocument {
            approval_id: Some(String::new()),
            approval_status: Some(String::new()),
            content: Some(String::new()),
            entry_type: Some(String::new()),
            execution_id: Some(String::new()),
            incident_id: Some(String::new()),
            labels: Some(BTreeMap::new()),
            metadata: Some(Map::new()),
            occurred_at: Some(String::new()),
            path: Some(String::new()),
            playbook: Some(String::new()),
            received_at: Some(String::new()),
            source: Some(SourceDocument::default()),
            tags: Some(Vec::new()),
            title: Some(String::new()),
            write_id: Some(String::new()),
        };
        let read = serde_json::to_value(filled).unwrap();
        assert_eq!(fields(&described), fields(&read));
    }
}
