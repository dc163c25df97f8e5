//! The bodies of the API as far as the command line shows them. Unknown fields are left alone.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// RFC 9457, with km's members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) detail: Option<String>,
    pub(crate) code: String,
    pub(crate) retryable: bool,
    pub(crate) errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Problem {
    /// The problem that a status states by itself.
    pub(crate) fn of_status(status: u16) -> Self {
        let retryable = matches!(status, 429 | 502 | 503 | 504);
        Self { title: format!("the server answered {status}"), status, retryable, ..Self::default() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        if let Some(detail) = self.detail.as_deref().filter(|detail| *detail != self.title) {
            write!(f, ": {detail}")?;
        }
        self.errors.iter().try_for_each(|error| write!(f, "\n  {}: {}", error.field, error.message))
    }
}

/// The answer to one write.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Written {
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) receipt: Option<Receipt>,
}

/// The proof of acknowledgement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Receipt {
    pub(crate) write_id: String,
    pub(crate) entry_id: String,
    pub(crate) revision: u64,
    pub(crate) durability: String,
    pub(crate) stored_at: String,
}

/// One line of the answer to a batch.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum BatchLine {
    Problem { problem: Problem },
    Written(Written),
}

/// An entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    pub(crate) entry_id: String,
    pub(crate) path: String,
    pub(crate) incident_id: Option<String>,
    pub(crate) approval_id: Option<String>,
    pub(crate) execution_id: Option<String>,
    pub(crate) playbook: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) entry_type: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) occurred_at: String,
    pub(crate) write_id: String,
    pub(crate) revision: u64,
    pub(crate) revisions: u64,
    pub(crate) stored_at: String,
    pub(crate) content_hash: String,
}

impl Entry {
    /// The title, or the beginning of the content.
    pub(crate) fn heading(&self) -> &str {
        let title = self.title.as_deref().filter(|title| !title.is_empty());
        title.or(self.content.as_deref()).unwrap_or("(no title)")
    }
}

/// A page of search results.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hits {
    pub(crate) hits: Vec<Hit>,
    pub(crate) next_cursor: Option<String>,
    pub(crate) searched: Searched,
}

/// How much was searched.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Searched {
    pub(crate) complete: bool,
}

impl Default for Searched {
    fn default() -> Self {
        Self { complete: true }
    }
}

/// An entry that was found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hit {
    pub(crate) entry: Entry,
    pub(crate) score: f64,
    pub(crate) highlights: Vec<Highlight>,
    pub(crate) why: Vec<String>,
}

/// Where the words of a query stand in a text; ranges count bytes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Highlight {
    pub(crate) field: String,
    pub(crate) text: String,
    pub(crate) ranges: Vec<(usize, usize)>,
}

/// The revisions of an entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Revisions {
    pub(crate) revisions: Vec<Revision>,
}

/// One applied write of an entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Revision {
    pub(crate) revision: u64,
    pub(crate) outcome: String,
    pub(crate) write_id: String,
    pub(crate) occurred_at: String,
    pub(crate) stored_at: String,
}

/// An incident with all that is tied to it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chain {
    pub(crate) incident_id: String,
    pub(crate) status: String,
    pub(crate) related_approval_id: Option<String>,
    pub(crate) approvals: Vec<ChainApproval>,
    pub(crate) playbooks: Vec<ChainPlaybook>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) alerts: Vec<ChainAlert>,
    pub(crate) similar: Vec<Hit>,
}

/// A playbook of a chain.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChainPlaybook {
    pub(crate) playbook: String,
}

/// An approval of a chain.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChainApproval {
    pub(crate) approval_id: String,
    pub(crate) status: Option<String>,
    pub(crate) since: String,
}

/// An alert of a chain.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChainAlert {
    pub(crate) fingerprint: String,
    pub(crate) status: String,
    pub(crate) starts_at: String,
    pub(crate) ends_at: Option<String>,
    pub(crate) provenance: String,
    pub(crate) end_provenance: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// What became of a write; also a line of the ledger's feed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WriteRecord {
    pub(crate) write_id: String,
    pub(crate) state: String,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) occurred_at: Option<String>,
    pub(crate) write: Option<km_model::WriteDocument>,
}

/// A page of the ledger's feed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Feed {
    pub(crate) writes: Vec<WriteRecord>,
    pub(crate) next_cursor: Option<String>,
}

/// Policies, and the answer that states one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PolicyBody {
    pub(crate) policy: String,
}

/// An API key as it is listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeyBody {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_at: String,
    pub(crate) revoked_at: Option<String>,
}

/// The keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeysBody {
    pub(crate) keys: Vec<KeyBody>,
}

/// A key that was just made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewKeyBody {
    pub(crate) key: String,
    pub(crate) id: String,
}

/// A reconciler with its last run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReconcilerBody {
    pub(crate) name: String,
}

/// The reconcilers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReconcilersBody {
    pub(crate) reconcilers: Vec<ReconcilerBody>,
}

/// What a run came to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunBody {
    pub(crate) ok: bool,
    pub(crate) report: String,
}

/// A page of dead letters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LettersBody {
    pub(crate) dead_letters: Vec<LetterBody>,
    pub(crate) next_cursor: Option<String>,
}

/// A dead letter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LetterBody {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) format: String,
    pub(crate) reason: ReasonBody,
    pub(crate) tries: u32,
    pub(crate) next_try_at: Option<String>,
    pub(crate) stored_at: String,
    pub(crate) payload: Option<String>,
    pub(crate) original: Option<String>,
    pub(crate) events: Vec<EventBody>,
}

/// Dead letters that have state, format and reason in common.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GroupBody {
    pub(crate) state: String,
    pub(crate) format: String,
    pub(crate) code: String,
    pub(crate) letters: u64,
    pub(crate) oldest: String,
}

/// Dead letters by reason.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GroupsBody {
    pub(crate) groups: Vec<GroupBody>,
}

/// A bulk redrive.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RedriveBody {
    pub(crate) id: String,
    pub(crate) state: String,
}

/// Why a letter was not applied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReasonBody {
    pub(crate) class: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Something that happened to a letter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventBody {
    pub(crate) at: String,
    pub(crate) by: String,
    pub(crate) what: String,
    pub(crate) detail: String,
}

/// What a run over the objectives came to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SloBody {
    #[serde(rename = "_meta")]
    pub(crate) meta: SloMetaBody,
    pub(crate) objectives: Vec<SloLineBody>,
}

/// A run in figures.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SloMetaBody {
    pub(crate) evaluated_at: String,
    pub(crate) status: String,
    pub(crate) ok_count: u64,
    pub(crate) violated_count: u64,
    pub(crate) no_data_count: u64,
    pub(crate) error_count: u64,
    pub(crate) coverage: f64,
    pub(crate) health_score: Option<f64>,
    pub(crate) self_failure: bool,
}

/// One objective.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SloLineBody {
    pub(crate) slo: String,
    pub(crate) target: f64,
    pub(crate) window: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) detail: String,
    pub(crate) sli: Option<f64>,
    pub(crate) burn_rate: Option<f64>,
    pub(crate) budget_remaining: Option<f64>,
    pub(crate) trend: Vec<Option<f64>>,
}

/// The answer to a webhook.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeliveredBody {
    pub(crate) alerts: u64,
    pub(crate) written: u64,
}
